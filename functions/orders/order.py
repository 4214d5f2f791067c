"""An order, and the rules for a valid one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from orders.exact_json import MAX_DIGITS, MAX_EXPONENT, MIN_EXPONENT, NumberText, encode
from orders.names import NOT_UNICODE, is_unicode, parse_name
from orders.states import Progress, pickup_number

MAX_QUANTITY = 1000
MAX_ATTRIBUTES = 256 * 1024  # bytes as JSON; the limit of an SNS message
# Bytes in DynamoDB, whose items have at most 400 KB; the order's own fields take about 1 KB. A list or an
# object may take 3 bytes more there than as JSON, any other value takes no more.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
MAX_STORED = 390 * 1024
CONTAINER = 3
MAX_DEPTH = 16  # levels of nested attributes; DynamoDB allows 32, including the item
# Limits of an error's text, which is logged and printed: an order may have thousands of wrong fields.
MAX_SENTENCES = 5
MAX_PATH = 60  # characters
NUMBERS = (
    f"must be a number of at most {MAX_DIGITS} significant digits, "
    f"from 1E{MIN_EXPONENT} to 9.99E+{MAX_EXPONENT}, or 0."
)
DEFAULT_CUSTOMER = "Guest"
ERASED = ""  # the customer of an erased order; no valid name is empty
CONTENTS = ("item", "quantity", "customer_name")
TEST_ORDER = "test_order"
# Attributes that DynamoDB's items have of their own; a publisher's attributes of these names stay in MySQL.
OWN_ATTRIBUTES = ("created_at", "order_state", "state_version", "state_at", "pickup_number")
ORDER_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
RECORDED_ID = re.compile(r"[!-~]{1,64}")  # also of legacy rows
INTEGER_TEXT = re.compile(r"\s*\+?[0-9]{1,9}\s*", re.ASCII)


class InvalidOrderError(ValueError):
    """Invalid order; `errors` has a sentence for each wrong field, the text has the first ones."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        sentences = list(errors.values())
        if len(sentences) > MAX_SENTENCES:
            sentences[MAX_SENTENCES:] = [f"{len(sentences) - MAX_SENTENCES} more fields are wrong."]
        super().__init__(" ".join(sentences))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class OrderFields:
    """A publisher's fields of an order, validated.

    The legacy field names `itemName` and `userId` stand for `item` and `customer_name`.
    """

    item: str
    quantity: int
    customer_name: str = DEFAULT_CUSTOMER
    order_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """All other fields, such as `table_number`; kept as they are."""

    @classmethod
    def of(cls, message: object) -> OrderFields:
        """Validate a decoded JSON value; raise InvalidOrderError with a sentence for each wrong field."""
        if not isinstance(message, dict):
            raise InvalidOrderError({"body": "The order must be a JSON object."})
        fields = dict(message)
        errors: dict[str, str] = {}
        order_id = _order_id(fields.pop("orderId", None), errors)
        item = _text("item", _first(fields, "item", "itemName"), errors)
        quantity = _quantity(fields.pop("quantity", None), errors)
        name = _first(fields, "customer_name", "userId")
        customer_name = DEFAULT_CUSTOMER if name is None else _text("customer_name", name, errors)
        _check_attributes(fields, errors)
        if errors:
            raise InvalidOrderError(errors)
        return cls(item, quantity, customer_name, order_id, fields)


@dataclass(frozen=True, slots=True)
class Order:
    """An order as both stores keep it."""

    order_id: str
    created_at: datetime | None
    """When it was sent, in UTC, to the millisecond; None for legacy rows, which count on no day."""
    item: str
    quantity: int
    customer_name: str = DEFAULT_CUSTOMER
    attributes: Mapping[str, Any] = field(default_factory=dict)
    ignored_time: str | None = field(default=None, compare=False)
    """The message's time if it is in the future; logged, not kept."""
    row_id: int | None = field(default=None, compare=False)
    """Id of its row in MySQL, which determines its pickup number; None before it is recorded."""
    progress: Progress | None = field(default=None, compare=False)
    """None before it is recorded, and for legacy orders without states."""
    is_new: bool = field(default=False, compare=False)
    """True if this transaction inserted its row."""

    @property
    def is_test(self) -> bool:
        """Return whether it is a test order of `cafe verify`, which no screen shows."""
        return self.attributes.get(TEST_ORDER) is True

    @property
    def is_erased(self) -> bool:
        """Return whether its name and further attributes are erased."""
        return self.customer_name == ERASED

    @property
    def version(self) -> int:
        """Return the version of its state; 0 without a state."""
        return self.progress.version if self.progress else 0

    @property
    def number(self) -> str | None:
        """Return its pickup number."""
        return None if self.row_id is None else pickup_number(self.row_id)

    @property
    def contents(self) -> tuple[object, ...]:
        """Return the fields that must be equal in two messages with the same `order_id`."""
        return self.item, self.quantity, self.customer_name  # by the names in CONTENTS

    def erased(self) -> Order:
        """Return the order without its name and further attributes."""
        return replace(self, customer_name=ERASED, attributes={})


def _first(fields: dict[str, Any], name: str, legacy_name: str) -> Any:
    """Return the value of a field, or else of its legacy name, which stays an attribute."""
    value = fields.pop(name, None)
    return fields.get(legacy_name) if value is None else value


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


def _quantity(value: Any, errors: dict[str, str]) -> int:
    if isinstance(value, str) and INTEGER_TEXT.fullmatch(value):
        value = int(value)
    # `bool` is a subclass of `int`.
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if not (is_number and 1 <= value <= MAX_QUANTITY and value == int(value)):
        errors["quantity"] = f"quantity must be an integer from 1 to {MAX_QUANTITY}."
        return 0
    return int(value)


def _check_attributes(attributes: dict[str, Any], errors: dict[str, str]) -> None:
    """Refuse attributes that one of the stores would refuse, together with the whole batch."""
    for name, value in attributes.items():
        if not name or not is_unicode(name):
            errors["body"] = "A field has a name that cannot be stored."
        elif problem := _problem(value):
            steps, reason = problem
            path = name + steps
            errors[name] = f"{path[:MAX_PATH]}{'…' if path[MAX_PATH:] else ''} {reason}"
    if errors or not attributes:
        return
    size = len(encode(attributes, ensure_ascii=False).encode())
    if size > MAX_ATTRIBUTES:
        errors["body"] = f"The order's further fields must not be larger than {MAX_ATTRIBUTES} bytes."
    elif size + CONTAINER * _containers(attributes) > MAX_STORED:
        errors["body"] = "The order's further fields have too many lists and objects to be stored."


def _containers(value: object) -> int:
    """Count the lists and objects in a value, including itself."""
    return isinstance(value, list | dict) + sum(_containers(element) for _, element in _steps(value))


def _problem(value: object, depth: int = MAX_DEPTH) -> tuple[str, str] | None:
    """Return the first part of a value that cannot be stored: its path, such as `.sizes[2]`, and why."""
    if depth == 0:
        return "", f"is nested too deeply: a field may have {MAX_DEPTH} levels."
    if reason := _reason(value):
        return "", reason
    for step, element in _steps(value):
        if found := _problem(element, depth - 1):
            path, reason = found
            return step + path, reason
    return None


def _reason(value: object) -> str | None:
    """Return why a value cannot be stored, regardless of its elements."""
    match value:
        case NumberText():
            return NUMBERS
        case str() if not is_unicode(value):
            return f"{NOT_UNICODE}."
        case dict() if not all(name and is_unicode(name) for name in value):
            return "has a field with a name that cannot be stored."
        case None | bool() | int() | Decimal() | str() | list() | dict():
            return None
    return "cannot be stored."


def _steps(value: object) -> Iterator[tuple[str, object]]:
    """Yield the elements of a list or an object with their paths."""
    match value:
        case list():
            yield from ((f"[{index}]", element) for index, element in enumerate(value))
        case dict():
            yield from ((f".{name}", element) for name, element in value.items())
