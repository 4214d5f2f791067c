"""From a message on the queue to an order: every form that publishers use, and why it is none otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orders import exact_json
from orders.errors import Defect, Refused, location_of
from orders.exact_json import exact
from orders.order import ORDER_ID, InvalidOrderError, Order, OrderFields
from orders.times import OrderTime, TimeError, order_time


@dataclass(frozen=True, slots=True)
class Received:
    """An order and the message that brought it."""

    message_id: str
    order: Order


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message in which no order was found, and why."""

    message_id: str
    reason: Refused


@dataclass(frozen=True, slots=True)
class Envelope:
    """What SNS says of a message; it stays the same over redeliveries and a redrive."""

    message_id: str
    timestamp: str


def parse_batch(records: Iterable[Mapping[str, Any]]) -> tuple[list[Received], list[Rejected]]:
    """Sort the records of an SQS event into orders and messages that hold none."""
    received, rejected = [], []
    for record in records:
        message_id = str(record["messageId"])
        try:
            received.append(Received(message_id, parse_record(record)))
        except InvalidOrderError as error:
            rejected.append(Rejected(message_id, Refused(error)))
        # A defect that one message brings to light must not take its neighbours to the dead-letter queue.
        except Exception as error:  # noqa: BLE001
            rejected.append(Rejected(message_id, Defect(location_of(error))))
    return received, rejected


def parse_record(record: Mapping[str, Any]) -> Order:
    """Read the order in one SQS record (`messageId`, `body`, `attributes`).

    The body is an SNS notification, or the bare order, and either may be JSON in a JSON string.
    An order without an `orderId` takes the notification's `MessageId`, or else SQS's own message id. Raises
    InvalidOrderError if it holds no order, whatever the body is.
    """
    envelope, message = unwrap(record["body"])
    fields = OrderFields.of(decode_twice(message) if envelope else message)
    order_id, time = fields.order_id or _identity(record, envelope), time_of(record, envelope)
    return Order(
        order_id=order_id,
        created_at=time.at,
        item=fields.item,
        quantity=fields.quantity,
        customer_name=fields.customer_name,
        attributes=fields.attributes,
        ignored_time=time.ignored,
    )


def time_of(record: Mapping[str, Any], envelope: Envelope | None) -> OrderTime:
    """Return the time of the order in a record; raise InvalidOrderError if it has none."""
    try:
        return order_time(record, envelope.timestamp if envelope else None)
    except TimeError as error:
        raise InvalidOrderError({"Timestamp": str(error)}) from None


def unwrap(body: object, number: Callable[[str], object] = exact) -> tuple[Envelope | None, object]:
    """Take a message out of SNS's envelope: the envelope and its `Message` as it is, or None and the body.

    Raises InvalidOrderError if the body is not JSON; for `number` see `exact_json.decode`.
    """
    message = decode_twice(body, number)
    if isinstance(message, dict) and message.get("Type") == "Notification" and "Message" in message:
        # What is no text would be a text to `str`, and the same one for every order.
        said = (message.get(name) for name in ("MessageId", "Timestamp"))
        return Envelope(*(value if isinstance(value, str) else "" for value in said)), message["Message"]
    return None, message


def decode(text: str, number: Callable[[str], object] = exact) -> object:
    """Decode JSON; raise InvalidOrderError if it is invalid, or valid for Python alone (NaN)."""
    try:
        return exact_json.decode(text, number)
    except (ValueError, RecursionError):
        raise InvalidOrderError({"body": "The order must be a JSON object; this is not JSON."}) from None


def decode_twice(text: object, number: Callable[[str], object] = exact) -> object:
    """Decode JSON that may be in a JSON string; return anything but text as it is."""
    message = decode(text, number) if isinstance(text, str) else text
    return decode(message, number) if isinstance(message, str) else message


def _identity(record: Mapping[str, Any], envelope: Envelope | None) -> str:
    identity = envelope.message_id if envelope else str(record["messageId"])
    if not ORDER_ID.fullmatch(identity):
        raise InvalidOrderError(
            {"MessageId": "The notification has no usable MessageId, and the order no orderId."}
        )
    return identity
