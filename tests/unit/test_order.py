"""What a valid order is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.order import MAX_ATTRIBUTES, InvalidOrderError, OrderFields

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
# One visible character anywhere makes a name of any text.
NAMES = st.tuples(st.text(max_size=49), st.sampled_from("xé李👍"), st.text(max_size=50)).map(
    lambda parts: "".join(parts).strip()
)


def errors(**message: Any) -> dict[str, str]:
    with pytest.raises(InvalidOrderError) as caught:
        OrderFields.of(message)
    return caught.value.errors


@given(item=NAMES, customer=NAMES, quantity=st.integers(1, 1000))
def test_any_text_and_a_quantity_in_range_make_an_order(item: str, customer: str, quantity: int) -> None:
    fields = OrderFields.of({"item": item, "customer_name": customer, "quantity": quantity})
    assert (fields.item, fields.customer_name, fields.quantity) == (item, customer, quantity)


@given(message=JSON_VALUES | st.fixed_dictionaries({"item": JSON_VALUES, "quantity": JSON_VALUES}))
def test_any_value_is_an_order_or_is_told_what_is_wrong(message: object) -> None:
    try:
        fields = OrderFields.of(message)
    except InvalidOrderError as error:
        sentences = list(error.errors.values())
    else:
        sentences = []
        assert 1 <= fields.quantity <= 1000
        assert 1 <= len(fields.item) <= 100
    assert all(sentence.endswith(".") for sentence in sentences)


@pytest.mark.parametrize(
    ("said", "meant"), [(3, 3), ("3", 3), (" 12 ", 12), ("+1", 1), (2.0, 2), (1000, 1000)]
)
def test_a_quantity_may_be_a_number_or_its_text(said: object, meant: int) -> None:
    assert OrderFields.of({"item": "Latte", "quantity": said}).quantity == meant


@pytest.mark.parametrize(
    "said", [0, 1001, -1, 2.5, True, None, "", "two", "1e2", "٣", [1], "9" * 5000, 1e400]
)
def test_any_other_quantity_is_refused(said: object) -> None:
    assert errors(item="Latte", quantity=said) == {"quantity": "quantity must be an integer from 1 to 1000."}


@pytest.mark.parametrize("said", ["", "   ", "x" * 101, 7, None, ["Latte"], "\ud83d", "\u200b", " \u2800\t"])
def test_an_item_is_text_of_1_to_100_characters_that_shows_something(said: object) -> None:
    sentence = "item must be text of 1 to 100 characters that are not all invisible."
    assert errors(item=said, quantity=1) == {"item": sentence}


def test_a_customer_whose_name_shows_nothing_is_refused_like_one_without_a_name() -> None:
    for name in ("", "\u200b", "\u2800", "\u3164\ufe0f", "\x00"):
        assert set(errors(item="Tea", quantity=1, customer_name=name)) == {"customer_name"}


def test_a_missing_customer_is_a_guest() -> None:
    assert OrderFields.of({"item": "Latte", "quantity": 1}).customer_name == "Guest"


def test_every_wrong_field_has_its_sentence() -> None:
    assert set(errors(item="", quantity=0, customer_name=5, orderId="a b")) == {
        "item",
        "quantity",
        "customer_name",
        "orderId",
    }


@pytest.mark.parametrize("said", ["", "x" * 65, "a b", "ä", 5, {"id": 1}])
def test_an_order_id_is_1_to_64_plain_characters(said: object) -> None:
    assert set(errors(item="Latte", quantity=1, orderId=said)) == {"orderId"}


def test_the_second_documents_names_are_understood_and_kept() -> None:
    message = {
        "orderId": "O1234",
        "userId": "U123",
        "itemName": "Laptop",
        "quantity": 1,
        "status": "new",
        "timestamp": "2025-05-03T12:00:00Z",
    }
    fields = OrderFields.of(message)
    assert (fields.order_id, fields.item, fields.customer_name) == ("O1234", "Laptop", "U123")
    assert fields.attributes == {
        "userId": "U123",
        "itemName": "Laptop",
        "status": "new",
        "timestamp": "2025-05-03T12:00:00Z",
    }


def test_further_fields_are_kept_as_they_are() -> None:
    extra = {"table_number": 4, "notes": {"milk": ["oat", None, True, 0.5]}}
    assert OrderFields.of({"item": "Tea", "quantity": 1, **extra}).attributes == extra


@pytest.mark.parametrize(
    "value",
    [
        float("inf"),
        float("nan"),
        1e200,
        1e-200,
        int("1" * 39),
        10**38,
        "\ud800",
        json.loads("[" * 17 + "]" * 17),
        {"": 1},
        {"\udfff": 1},
    ],
)
def test_a_further_field_that_a_store_could_not_keep_is_refused(value: object) -> None:
    assert set(errors(item="Tea", quantity=1, extra=value)) == {"extra"}


def test_further_fields_have_a_limit_together() -> None:
    assert set(errors(item="Tea", quantity=1, note="ä" * MAX_ATTRIBUTES)) == {"body"}
