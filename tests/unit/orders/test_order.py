"""Validation of an order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.exact_json import NumberText, decode
from orders.order import MAX_ATTRIBUTES, MAX_DEPTH, NUMBERS, InvalidOrderError, OrderFields

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(),
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


def fields_of(text: str) -> OrderFields:
    return OrderFields.of(decode(text))


@given(item=NAMES, customer=NAMES, quantity=st.integers(1, 1000))
def test_any_text_and_a_quantity_in_range_make_an_order(item: str, customer: str, quantity: int) -> None:
    fields = OrderFields.of({"item": item, "customer_name": customer, "quantity": quantity})
    assert (fields.item, fields.customer_name, fields.quantity) == (item, customer, quantity)


@given(message=JSON_VALUES | st.fixed_dictionaries({"item": JSON_VALUES, "quantity": JSON_VALUES}))
def test_any_value_is_an_order_or_has_its_errors_listed(message: object) -> None:
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
    ("said", "meant"),
    [
        ("3", 3),
        ('"3"', 3),
        ('" 12 "', 12),
        ('"+1"', 1),
        ("2.0", 2),
        ("1e2", 100),
        ("100E-2", 1),
        ("1.0E+3", 1000),
        (f"7.{'0' * 5000}", 7),
        (f"0.{'0' * 5000}7e5001", 7),
    ],
)
def test_a_quantity_may_be_a_number_or_its_text(said: str, meant: int) -> None:
    assert fields_of(f'{{"item": "Latte", "quantity": {said}}}').quantity == meant


@pytest.mark.parametrize(
    "said",
    [
        *("0", "1001", "-1", "2.5", "true", "null", '""', '"two"', '"1e2"', '"٣"', "[1]", f'"{"9" * 5000}"'),
        *("1e400", "1E400", "1e-400", "1e999999999", "1e-999999999", f"1e{'9' * 5000}", "9" * 5000, "-0"),
        # A float rounds these to an integer.
        *("0.99999999999999999999", "1000.00000000000000000001", f"1.{'0' * 5000}1"),
    ],
)
def test_any_other_quantity_is_refused(said: str) -> None:
    with pytest.raises(InvalidOrderError) as caught:
        fields_of(f'{{"item": "Latte", "quantity": {said}}}')
    assert caught.value.errors == {"quantity": "quantity must be an integer from 1 to 1000."}


@pytest.mark.parametrize("said", ["", "   ", "x" * 101, 7, None, ["Latte"], "\u200b", " \u2800\t"])
def test_an_item_is_visible_text_of_1_to_100_characters(said: object) -> None:
    sentence = "item must be text of 1 to 100 characters that are not all invisible."
    assert errors(item=said, quantity=1) == {"item": sentence}


@pytest.mark.parametrize("said", ["\ud83d", "Latte \ud83d", "\udc00" * 101])
def test_half_a_surrogate_pair_in_a_name_has_its_own_message(said: str) -> None:
    sentence = "must be text that can be written as UTF-8."
    assert errors(item=said, quantity=1, customer_name=said) == {
        "item": f"item {sentence}",
        "customer_name": f"customer_name {sentence}",
    }


def test_a_customer_with_an_invisible_name_is_refused_like_one_without_a_name() -> None:
    for name in ("", "\u200b", "\u2800", "\u3164\ufe0f", "\x00"):
        assert set(errors(item="Tea", quantity=1, customer_name=name)) == {"customer_name"}


def test_a_missing_customer_is_a_guest() -> None:
    assert OrderFields.of({"item": "Latte", "quantity": 1}).customer_name == "Guest"


def test_every_invalid_field_has_its_message() -> None:
    assert set(errors(item="", quantity=0, customer_name=5, orderId="a b")) == {
        "item",
        "quantity",
        "customer_name",
        "orderId",
    }


@pytest.mark.parametrize("said", ["", "x" * 65, "a b", "ä", 5, {"id": 1}])
def test_an_order_id_is_1_to_64_plain_characters(said: object) -> None:
    assert set(errors(item="Latte", quantity=1, orderId=said)) == {"orderId"}


def test_legacy_field_names_are_understood_and_kept() -> None:
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


def test_further_fields_are_kept_unchanged() -> None:
    extra = {"table_number": 4, "notes": {"milk": ["oat", None, True, Decimal("0.5")]}}
    assert OrderFields.of({"item": "Tea", "quantity": 1, **extra}).attributes == extra


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("1e126", f"extra {NUMBERS}"),
        ('{"a": [0, {"b": [1, 1e400]}]}', f"extra.a[1].b[1] {NUMBERS}"),
        ('"\\ud800"', "extra must be text that can be written as UTF-8."),
        ('["", {"b": "\\ud800"}]', "extra[1].b must be text that can be written as UTF-8."),
        ('{"a": {"": 1}}', "extra.a has a field with a name that cannot be stored."),
        ('{"\\udfff": 1}', "extra has a field with a name that cannot be stored."),
        (
            "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
            f"extra{'[0]' * MAX_DEPTH} is nested too deeply: a field may have 16 levels.",
        ),
    ],
)
def test_a_further_field_that_a_store_could_not_keep_is_refused_by_name(value: str, sentence: str) -> None:
    with pytest.raises(InvalidOrderError) as caught:
        fields_of(f'{{"item": "Tea", "quantity": 1, "extra": {value}}}')
    assert caught.value.errors == {"extra": sentence}


@pytest.mark.parametrize(
    "fields",
    [{f"f{number}": NumberText("1e400") for number in range(9)}, {"n": {"k" * 99_999: NumberText("1e400")}}],
    ids=["many wrong fields", "a long name"],
)
def test_an_error_message_is_short(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidOrderError) as caught:
        OrderFields.of({"item": "Tea", "quantity": 1, **fields})

    assert len(str(caught.value)) < 1000
    assert list(caught.value.errors) == list(fields)


def test_an_error_message_counts_the_fields_that_it_leaves_out() -> None:
    error = InvalidOrderError({str(number): f"{number} is wrong." for number in range(8)})

    assert str(error).endswith(" 4 is wrong. 3 more fields are wrong.")


def test_a_further_field_may_be_nested_to_a_limit() -> None:
    nested = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert "extra" in fields_of(f'{{"item": "Tea", "quantity": 1, "extra": {nested}}}').attributes


@pytest.mark.parametrize("value", [0.5, float("nan"), {1}])
def test_invalid_json_is_refused(value: object) -> None:
    assert errors(item="Tea", quantity=1, extra=value) == {"extra": "extra cannot be stored."}


def stored_size(value: object) -> int:
    """Return the bytes of a value in DynamoDB, as its documentation counts them."""
    match value:
        case None | bool():
            return 1
        case str():
            return len(value.encode())
        case int() | Decimal():
            return (len(Decimal(value).as_tuple().digits) + 1) // 2 + 1 + (value < 0)
        case list():
            return 3 + sum(1 + stored_size(element) for element in value)
        case dict():
            return 3 + sum(len(name.encode()) + 1 + stored_size(element) for name, element in value.items())
    raise TypeError(value)


@pytest.mark.parametrize(
    "element",
    ["[" * 14 + "]" * 14, "[" * 14 + "-1" + "]" * 14, "[1]", "[]", "{}", '{"a": [1]}', "-1", '""', "0.1"],
)
def test_an_accepted_order_fits_into_an_item_of_dynamodb(element: str) -> None:
    as_many_as_json_may_have = (MAX_ATTRIBUTES - 20) // (len(element) + 2)
    half, whole = ([decode(element)] * (as_many_as_json_may_have // part) for part in (2, 1))

    accepted = [OrderFields.of({"item": "Tea", "quantity": 1, "extra": half}).attributes]
    try:
        accepted.append(OrderFields.of({"item": "Tea", "quantity": 1, "extra": whole}).attributes)
    except InvalidOrderError as error:
        assert error.errors == {  # noqa: PT017 - either is right
            "body": "The order's further fields have too many lists and objects to be stored."
        }

    assert all(stored_size(attributes) <= 399 * 1024 for attributes in accepted)


def test_further_fields_have_a_limit_together() -> None:
    note = "ä" * ((256 * 1024 - len('{"note": ""}')) // 2)

    assert OrderFields.of({"item": "Tea", "quantity": 1, "note": note}).attributes == {"note": note}
    assert set(errors(item="Tea", quantity=1, note=f"{note}x")) == {"body"}
