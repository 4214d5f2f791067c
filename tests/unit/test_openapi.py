"""docs/openapi.yaml is valid, and describes orders as the code does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.exact_json import decode
from orders.http_request import KEY, MAX_BODY, MAX_BODY_WITH_API_KEY, MAX_FIELDS, MAX_LEVELS, RESERVED_FIELD
from orders.names import INVISIBLE, MAX_NAME
from orders.order import MAX_QUANTITY, InvalidOrderError, OrderFields
from orders.status import RECENT_ORDERS, TOP_ITEMS
from tests import openapi

DOCUMENT = openapi.read()
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
ORDER = {"$ref": "#/components/schemas/Order"}


def examples() -> Iterator[Any]:
    """Find each example with the schema next to it."""
    waiting: list[Any] = [DOCUMENT]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        if isinstance(found, dict):
            waiting += found.values()
            named = [example["value"] for example in found.get("examples", {}).values()]
            for value in [*named, *([found["example"]] if "example" in found else [])]:
                yield pytest.param(value, found["schema"], id=json.dumps(value)[:40])


def test_docs_openapi_yaml_is_a_valid_openapi_document() -> None:
    import schemathesis  # takes as long to import as all other tests of this file take

    schema = schemathesis.openapi.from_path(str(openapi.DOCUMENT))
    schema.validate()
    assert DOCUMENT["openapi"].startswith("3.1.")


@pytest.mark.parametrize(("value", "schema"), [*examples()])
def test_examples_match_their_schemas(value: object, schema: dict[str, Any]) -> None:
    openapi.check_schema(value, schema)


def test_undocumented_fields_are_detected() -> None:
    menu = {"menu": [{"item": "Tea", "price": 2, "secret": 1}]}
    openapi.check_schema(menu, SCHEMAS["Menu"])
    with pytest.raises(jsonschema_rs.ValidationError, match="secret"):
        openapi.check_schema(menu, SCHEMAS["Menu"], closed=True)


def test_limits_are_those_of_the_code() -> None:
    number, _ = SCHEMAS["Order"]["properties"]["quantity"]["anyOf"]
    assert number["maximum"] == MAX_QUANTITY
    assert SCHEMAS["Text"]["maxLength"] == MAX_NAME
    placing = DOCUMENT["paths"]["/orders"]["post"]
    assert placing["parameters"][0]["schema"]["pattern"] == f"^{KEY.pattern}$"
    limits = placing["requestBody"]["description"]
    assert f"most {MAX_BODY} bytes" in limits
    assert f"{MAX_BODY_WITH_API_KEY} with the API key" in limits
    assert f"{MAX_FIELDS} further fields of at most {MAX_LEVELS} levels" in limits
    assert f"`{RESERVED_FIELD}`" in limits
    lists = SCHEMAS["OrderStatus"]["properties"]
    assert (lists["recent_orders"]["maxItems"], lists["top_items"]["maxItems"]) == (RECENT_ORDERS, TOP_ITEMS)


TEXTS = (
    st.text(max_size=101)
    | st.text("\u200b\u2800\u3164\u180e\U000e0020\u202e\x00\xad", max_size=3)
    | st.sampled_from(["", " ", "x" * 100, "x" * 101])
    | st.none()
    | st.integers()
)
QUANTITIES: st.SearchStrategy[Any] = st.integers(-1, 1001) | st.sampled_from(
    ["1", " +7 ", "0", "0042", "1000", "1001", "-1", "x", "", 1.0, 1.5, True, None, []]
)


def test_the_schema_and_the_code_agree_on_every_character() -> None:
    validator = jsonschema_rs.Draft202012Validator(SCHEMAS["Text"])
    # Of the largest blocks without an invisible character, one in 97 is enough.
    codes = [
        *range(0xD800),
        *range(0xE000, 0x20000),
        *range(0x20000, 0xE0000, 97),
        *range(0xE0000, 0x110000, 13),
    ]
    for character in map(chr, codes):
        assert validator.is_valid(character) != bool(INVISIBLE.fullmatch(character)), hex(ord(character))


@given(
    order=st.fixed_dictionaries(
        {"item": TEXTS, "quantity": QUANTITIES},
        optional={
            "customer_name": TEXTS,
            "orderId": st.text("a.-_:é ", max_size=66),
            "table": st.integers(0, 9),
        },
    )
)
def test_the_schema_and_the_code_agree_on_what_an_order_is(order: dict[str, Any]) -> None:
    try:
        OrderFields.of(decode(json.dumps(order)))
        is_order = True
    except InvalidOrderError:
        is_order = False
    # They differ on purpose: null means missing, and white space around a text is ignored.
    stripped = {name: value.strip() if isinstance(value, str) else value for name, value in order.items()}
    present = {name: value for name, value in stripped.items() if value is not None}
    if isinstance(order["quantity"], str):
        present["quantity"] = order["quantity"]
    if "orderId" in order:
        present["orderId"] = order["orderId"]
    assert is_order == _is_valid(present), order


def _is_valid(order: dict[str, Any]) -> bool:
    try:
        openapi.check_schema(order, ORDER)
    except jsonschema_rs.ValidationError:
        return False
    return True
