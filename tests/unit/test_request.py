"""From a request to the message that is published."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.order import ORDER_ID, InvalidOrderError, OrderFields
from orders.request import MAX_BODY, TooLargeError, place

LATTE = '{"item": "Latte", "quantity": 2}'


def test_every_order_gets_an_identity_of_its_own() -> None:
    first, second = place(LATTE, None), place(LATTE, None)
    assert first.order_id != second.order_id
    assert json.loads(first.message)["orderId"] == first.order_id


def test_a_repeated_request_is_the_same_order() -> None:
    assert place(LATTE, "key").order_id == place('{"quantity": 2, "item": "Latte"}', "key").order_id


def test_another_order_under_a_used_key_is_not_lost() -> None:
    assert place(LATTE, "key").order_id != place('{"item": "Tea", "quantity": 2}', "key").order_id


def test_an_order_may_bring_its_identity() -> None:
    assert place('{"item": "Latte", "quantity": 1, "orderId": "O1"}', "key").order_id == "O1"


@given(body=st.text(), key=st.none() | st.text())
def test_no_request_makes_it_crash(body: str, key: str | None) -> None:
    refused = ""
    try:
        order_id = place(body, key).order_id
    except (InvalidOrderError, TooLargeError) as error:
        refused = str(error)
    assert refused or ORDER_ID.fullmatch(order_id)


@given(item=st.text(max_size=99).map("☕{}".format), note=st.text(max_size=50))
def test_the_worker_reads_what_was_ordered(item: str, note: str) -> None:
    order = place(json.dumps({"item": item, "quantity": 1, "note": note}), None)
    fields = OrderFields.of(json.loads(order.message))
    assert (fields.item, fields.order_id, fields.attributes) == (item.strip(), order.order_id, {"note": note})


def test_a_body_larger_than_any_order_is_refused() -> None:
    place(LATTE.ljust(MAX_BODY), None)
    with pytest.raises(TooLargeError):
        place(" " * (MAX_BODY + 1), None)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_an_idempotency_key_has_a_length(key: str) -> None:
    with pytest.raises(InvalidOrderError):
        place(LATTE, key)
