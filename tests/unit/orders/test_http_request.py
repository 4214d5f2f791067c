"""From a request to the message that is published."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.failures import StoreUnavailableError
from orders.http_request import (
    MAX_BODY,
    MAX_BODY_WITH_API_KEY,
    MAX_FIELDS,
    MAX_KEY,
    MAX_LEVELS,
    Claim,
    KeyReusedError,
    OrderRequest,
    TooLargeError,
    parse,
)
from orders.order import ORDER_ID, InvalidOrderError, OrderFields

LATTE = '{"item": "Latte", "quantity": 2}'


class Keys(dict[str, Claim]):
    """Keys that never expire."""

    def __call__(self) -> Keys:
        return self

    def claim(self, key: str, claim: Claim) -> Claim:
        return self.setdefault(key, claim)


def request(body: str = LATTE, key: str | None = None, *, with_api_key: bool = False) -> OrderRequest:
    return parse(body, key, with_api_key=with_api_key)


def order_with(**attributes: Any) -> str:
    return json.dumps({"item": "Tea", "quantity": 1, **attributes})


def test_every_order_without_a_key_gets_its_own_id_and_reads_no_keys() -> None:
    def unreachable() -> Keys:
        raise AssertionError

    order = request()
    ids = [order.identify(unreachable) for _ in range(2)]
    assert len(set(ids)) == 2
    assert json.loads(order.message(ids[0]))["orderId"] == ids[0]


def test_a_repeated_request_is_the_same_order() -> None:
    keys = Keys()
    assert request(key="key").identify(keys) == request(key="key").identify(keys)


def test_another_key_is_another_order() -> None:
    keys = Keys()
    assert request(key="key").identify(keys) != request(key="Key").identify(keys)


@pytest.mark.parametrize(
    "other",
    [
        '{"item": "Tea", "quantity": 2}',
        '{"item": "Latte", "quantity": 1}',
        '{"item": "Latte", "quantity": 2, "customer_name": "Ada"}',
        '{"item": "Latte", "quantity": 2, "table_number": 1}',
        '{"item": "Latte", "quantity": 2, "table_number": null}',
    ],
)
def test_a_used_key_with_another_order_is_refused(other: str) -> None:
    keys = Keys()
    order_id = request(key="key").identify(keys)
    with pytest.raises(KeyReusedError, match="new key"):
        request(other, "key").identify(keys)
    assert request(key="key").identify(keys) == order_id


NAMES = st.text("abé☕", min_size=1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def reversed_members(value: Any) -> Any:
    match value:
        case dict():
            return {name: reversed_members(value[name]) for name in reversed(value)}
        case list():
            return [reversed_members(element) for element in value]
    return value


@given(note=JSON)
def test_the_same_order_encoded_by_another_library_is_the_same_order(note: object) -> None:
    order = {"item": "Latte", "quantity": 2, "note": note}
    other = json.dumps(reversed_members(order), ensure_ascii=False, indent=1)
    other = re.sub(r'"quantity": 2\b', '"quantity": "2", "customer_name": null', other)
    first, second = (request(text, "key", with_api_key=True) for text in (json.dumps(order), other))
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize(
    ("number", "same"), [("1.10", "1.1"), ("1.0", "1"), ("100", "1e2"), ("-0", "0"), ("0.5", "5E-1")]
)
def test_a_number_in_another_notation_is_the_same_order(number: str, same: str) -> None:
    first, second = (
        request(f'{{"item": "Tea", "quantity": 1, "n": [{text}]}}', "key") for text in (number, same)
    )
    assert first.fingerprint == second.fingerprint


@given(first=JSON, second=JSON)
def test_different_orders_have_different_fingerprints(first: object, second: object) -> None:
    fingerprints = {request(order_with(n=n), "key", with_api_key=True).fingerprint for n in (first, second)}
    # JSON texts, for Python takes True for 1.
    assert len(fingerprints) == len({json.dumps(n, sort_keys=True) for n in (first, second)})


def test_while_the_keys_cannot_be_read_no_order_gets_an_id() -> None:
    class Away(Keys):
        def claim(self, key: str, claim: Claim) -> Claim:
            raise StoreUnavailableError("DynamoDB: throttled")

    with pytest.raises(StoreUnavailableError):
        request(key="key").identify(Away())


def test_an_order_may_set_its_id_with_the_api_key() -> None:
    order = request('{"item": "Latte", "quantity": 1, "orderId": "O1"}', with_api_key=True)
    assert order.identify(Keys()) == "O1"
    assert json.loads(order.message("O1"))["orderId"] == "O1"


def test_without_the_api_key_no_order_may_set_its_id() -> None:
    with pytest.raises(InvalidOrderError, match="only with the API key") as refusal:
        request('{"item": "Latte", "quantity": 1, "orderId": "O1"}')
    assert list(refusal.value.errors) == ["orderId"]
    request('{"item": "Latte", "quantity": 1, "orderId": null}')


def test_a_key_holds_for_one_own_id() -> None:
    keys = Keys()
    first, second = (
        request(f'{{"item": "Tea", "quantity": 1, "orderId": "{order_id}"}}', "key", with_api_key=True)
        for order_id in ("O1", "O2")
    )
    assert first.identify(keys) == first.identify(keys) == "O1"
    with pytest.raises(KeyReusedError):
        second.identify(keys)


def test_callers_with_and_without_the_api_key_have_separate_keys() -> None:
    keys = Keys()
    assert request(key="key").identify(keys) != request(key="key", with_api_key=True).identify(keys)


@given(body=st.text(), key=st.none() | st.text())
def test_no_request_makes_it_crash(body: str, key: str | None) -> None:
    refused = ""
    try:
        order_id = request(body, key).identify(Keys())
    except (InvalidOrderError, TooLargeError) as error:
        refused = str(error)
    assert refused or ORDER_ID.fullmatch(order_id)


@given(item=st.text(max_size=99).map("☕{}".format), note=st.text(max_size=50))
def test_the_worker_reads_the_order_that_was_placed(item: str, note: str) -> None:
    order = request(json.dumps({"item": item, "quantity": 1, "note": note}))
    fields = OrderFields.of(json.loads(order.message("id")))
    assert (fields.item, fields.order_id, fields.attributes) == (item.strip(), "id", {"note": note})


@pytest.mark.parametrize(("with_api_key", "limit"), [(False, MAX_BODY), (True, MAX_BODY_WITH_API_KEY)])
def test_a_body_over_the_limit_is_refused(with_api_key: bool, limit: int) -> None:
    request(LATTE.ljust(limit), with_api_key=with_api_key)
    with pytest.raises(TooLargeError, match=f"larger than {limit} bytes"):
        request(LATTE.ljust(limit + 1), with_api_key=with_api_key)


def test_the_size_of_a_body_is_counted_in_bytes() -> None:
    accents = json.dumps({"item": "é", "quantity": 1}, ensure_ascii=False)  # é has two bytes
    request(accents.ljust(MAX_BODY - 1))
    with pytest.raises(TooLargeError):
        request(accents.ljust(MAX_BODY))


def nested(levels: int) -> Any:
    value: Any = "oat"
    for level in range(levels - 1):
        value = [value] if level % 2 else {"milk": value}
    return value


@pytest.mark.parametrize(
    ("largest", "beyond", "field"),
    [
        (
            {f"field_{n}": n for n in range(MAX_FIELDS)},
            {f"field_{n}": n for n in range(MAX_FIELDS + 1)},
            "body",
        ),
        ({"options": nested(MAX_LEVELS)}, {"options": nested(MAX_LEVELS + 1)}, "options"),
        ({"options": [[[]]]}, {"options": [[[[[]]]]]}, "options"),
        ({"line": 1}, {"lines": []}, "lines"),
        ({"x" * 100: 1}, {"x" * 100: nested(MAX_LEVELS + 1)}, "x" * 100),
    ],
)
def test_over_open_http_an_order_has_few_and_flat_fields(
    largest: dict[str, Any], beyond: dict[str, Any], field: str
) -> None:
    assert request(order_with(**largest)).fields.attributes == largest
    with pytest.raises(InvalidOrderError) as refusal:
        request(order_with(**beyond))
    assert list(refusal.value.errors) == [field]
    assert request(order_with(**beyond), with_api_key=True).fields.attributes == beyond


def test_every_field_that_needs_the_api_key_is_named_at_once() -> None:
    with pytest.raises(InvalidOrderError) as refusal:
        request(order_with(orderId="O1", lines=[], options=nested(MAX_LEVELS + 1)))
    assert list(refusal.value.errors) == ["orderId", "lines", "options"]


@pytest.mark.parametrize("key", ["x", "x" * MAX_KEY, "!~", "order 17", '"quoted"'])
def test_an_idempotency_key_is_any_short_ascii_text(key: str) -> None:
    assert request(key=key).key == f"open {key}"


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY + 1), " x", "a\tb", "a\nb", "\x7f", "clé", "\ud800"])
def test_a_malformed_idempotency_key_is_refused_by_name(key: str) -> None:
    with pytest.raises(InvalidOrderError) as refusal:
        request(key=key)
    assert list(refusal.value.errors) == ["Idempotency-Key"]
