"""An order, and what makes one valid."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from orders.names import is_unicode, parse_name

MAX_QUANTITY = 1000
MAX_ATTRIBUTES = 256 * 1024  # bytes; what SNS takes as a message, well under DynamoDB's 400 KB for an item
MAX_DEPTH = 16  # levels of nested attributes; DynamoDB takes 32, of which the item is one
# DynamoDB's numbers: 38 digits, from 1E-130 to 9.99E+125.
MAX_DIGITS = 38
MIN_EXPONENT, MAX_EXPONENT = -130, 125
DEFAULT_CUSTOMER = "Guest"
ORDER_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
INTEGER_TEXT = re.compile(r"\s*\+?[0-9]{1,9}\s*", re.ASCII)


class InvalidOrderError(ValueError):
    """Something that is no order; `errors` has a sentence for each wrong field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class OrderFields:
    """What a publisher says of an order, checked.

    `itemName` and `userId` of the second document's publishers stand for `item` and `customer_name`.
    """

    item: str
    quantity: int
    customer_name: str = DEFAULT_CUSTOMER
    order_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else was said, such as `table_number`; kept as it is."""

    @classmethod
    def of(cls, message: object) -> OrderFields:
        """Check a decoded JSON value.

        Raises
        ------
        InvalidOrderError
            With one sentence per wrong field.
        """
        if not isinstance(message, dict):
            raise InvalidOrderError({"body": "The order must be a JSON object."})
        said = dict(message)
        errors: dict[str, str] = {}
        order_id = _order_id(said.pop("orderId", None), errors)
        item = _text("item", _first(said, "item", "itemName"), errors)
        quantity = _quantity(said.pop("quantity", None), errors)
        name = _first(said, "customer_name", "userId")
        customer_name = DEFAULT_CUSTOMER if name is None else _text("customer_name", name, errors)
        _check_attributes(said, errors)
        if errors:
            raise InvalidOrderError(errors)
        return cls(item, quantity, customer_name, order_id, said)


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is kept in both stores."""

    order_id: str
    created_at: datetime | None
    """When it was sent, not when it was processed; in UTC, to the millisecond.

    None only in rows of the time before this system, which never had one: they count on no day.
    """
    item: str
    quantity: int
    customer_name: str = DEFAULT_CUSTOMER
    attributes: Mapping[str, Any] = field(default_factory=dict)
    ignored_time: str | None = field(default=None, compare=False)
    """The time that its message claims, if that is in the future: for the log, and not kept."""


def _first(said: dict[str, Any], name: str, other_name: str) -> Any:
    """Take a field under the first of its names that has a value; the other stays an attribute."""
    value = said.pop(name, None)
    return said.get(other_name) if value is None else value


def _order_id(value: object, errors: dict[str, str]) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and ORDER_ID.fullmatch(value):
        return value
    errors["orderId"] = "orderId must be 1 to 64 letters, digits, dots, underscores, colons or hyphens."
    return None


def _text(name: str, value: object, errors: dict[str, str]) -> str:
    try:
        return parse_name(value)
    except ValueError as error:
        errors[name] = f"{name} {error}."
        return ""


def _quantity(value: object, errors: dict[str, str]) -> int:
    number: object = int(value) if isinstance(value, str) and INTEGER_TEXT.fullmatch(value) else value
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    # True is an int to Python, and not to people.
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_QUANTITY:
        errors["quantity"] = f"quantity must be an integer from 1 to {MAX_QUANTITY}."
        return 0
    return number


def _check_attributes(attributes: Mapping[str, Any], errors: dict[str, str]) -> None:
    """Refuse what one of the stores could not keep; it would fail a whole batch there."""
    for name, value in attributes.items():
        if not name or not is_unicode(name):
            errors["body"] = "A field has a name that cannot be stored."
        elif not _is_storable(value, MAX_DEPTH):
            errors[name] = f"{name} holds a number, a text or a nesting that cannot be stored."
    if not errors and len(json.dumps(attributes, ensure_ascii=False).encode()) > MAX_ATTRIBUTES:
        errors["body"] = f"The order's further fields must not be larger than {MAX_ATTRIBUTES} bytes."


def _is_storable(value: object, depth: int) -> bool:
    if depth == 0:
        return False
    match value:
        case None | bool():
            return True
        case str():
            return is_unicode(value)
        case int() | float():
            return _is_storable_number(Decimal(str(value)))
        case list():
            return all(_is_storable(element, depth - 1) for element in value)
        case dict():
            return all(
                name and is_unicode(name) and _is_storable(element, depth - 1)
                for name, element in value.items()
            )
    return False


def _is_storable_number(number: Decimal) -> bool:
    if not number.is_finite():
        return False
    if not number:
        return True
    # Zeros at the end count as well: boto3 rounds nothing, not even them.
    return len(number.as_tuple().digits) <= MAX_DIGITS and MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT
