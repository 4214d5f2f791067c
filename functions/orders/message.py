"""Parse a message on the queue into an order, in every format that publishers use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orders import exact_json
from orders.exact_json import exact
from orders.failures import Defect, Refused, location_of
from orders.order import ORDER_ID, InvalidOrderError, Order, OrderFields
from orders.times import OrderTime, TimeError, order_time

SENT_AGAIN = "SentAgain"  # attribute of the messages of a replay


@dataclass(frozen=True, slots=True)
class Received:
    """An order, and the id of the message that contains it."""

    message_id: str
    order: Order
    sent_again: bool = False
    """True if a command or a person put the order on the queue again."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message without a valid order, and the reason."""

    message_id: str
    reason: Refused
    order_id: str | None = None
    """Its valid `orderId`, if it has one."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """SNS's fields of a message, which redeliveries and a redrive do not change."""

    message_id: str
    timestamp: str
    sent_again: bool = field(default=False, compare=False)
    """True if `cafe` sent it: to the queue, without SNS's `TopicArn`, or to the topic, with `SentAgain`."""


def parse_batch(records: Iterable[Mapping[str, Any]]) -> tuple[list[Received], list[Rejected]]:
    """Parse the records of an SQS event into orders and rejected messages."""
    received, rejected = [], []
    for record in records:
        message_id = str(record["messageId"])
        try:
            received.append(read_record(record))
        except InvalidOrderError as error:
            rejected.append(Rejected(message_id, Refused(error), _own_id_of(record)))
        # A defect that one message exposes must not fail the others.
        except Exception as error:  # noqa: BLE001
            rejected.append(Rejected(message_id, Defect(location_of(error))))
    return received, rejected


def parse_record(record: Mapping[str, Any]) -> Order:
    """Parse the order in an SQS record (`messageId`, `body`, `attributes`), or raise InvalidOrderError.

    The body is an SNS notification or the bare order, either of which may be JSON in a JSON string. An order
    without an `orderId` gets the notification's `MessageId`, or else SQS's message id.
    """
    return read_record(record).order


def read_record(record: Mapping[str, Any]) -> Received:
    """Parse an SQS record as `parse_record` does, and return whether the order was sent again, too."""
    envelope, message = unwrap(record["body"])
    fields = OrderFields.of(decode_twice(message) if envelope else message)
    order_id, time = fields.order_id or _identity(record, envelope), time_of(record, envelope)
    order = Order(
        order_id=order_id,
        created_at=time.at,
        item=fields.item,
        quantity=fields.quantity,
        customer_name=fields.customer_name,
        attributes=fields.attributes,
        ignored_time=time.ignored,
    )
    sent_again = (envelope is not None and envelope.sent_again) or time.enqueued_later
    return Received(str(record["messageId"]), order, sent_again)


def time_of(record: Mapping[str, Any], envelope: Envelope | None) -> OrderTime:
    """Return the time of the order in a record; raise InvalidOrderError without a valid one."""
    try:
        return order_time(record, envelope.timestamp if envelope else None)
    except TimeError as error:
        raise InvalidOrderError({"Timestamp": str(error)}) from None


def unwrap(body: object, number: Callable[[str], object] = exact) -> tuple[Envelope | None, object]:
    """Return SNS's envelope and its `Message` as it is, or None and the body without an envelope.

    Raises InvalidOrderError if the body is not JSON; for `number` see `exact_json.decode`.
    """
    message = decode_twice(body, number)
    if isinstance(message, dict) and message.get("Type") == "Notification" and "Message" in message:
        # `str(None)` would give every order the same id.
        values = (message.get(name) for name in ("MessageId", "Timestamp"))
        message_id, timestamp = (value if isinstance(value, str) else "" for value in values)
        attributes = message.get("MessageAttributes")
        sent_again = "TopicArn" not in message or (isinstance(attributes, dict) and SENT_AGAIN in attributes)
        return Envelope(message_id, timestamp, sent_again), message["Message"]
    return None, message


def decode(text: str, number: Callable[[str], object] = exact) -> object:
    """Decode JSON; raise InvalidOrderError if it is invalid, as NaN is."""
    try:
        return exact_json.decode(text, number)
    except (ValueError, RecursionError):
        raise InvalidOrderError({"body": "The order must be a JSON object; this is not JSON."}) from None


def decode_twice(text: object, number: Callable[[str], object] = exact) -> object:
    """Decode JSON, or the JSON in a JSON string; return a value that is not text unchanged."""
    message = decode(text, number) if isinstance(text, str) else text
    return decode(message, number) if isinstance(message, str) else message


def own_id(text: object) -> str | None:
    """Return the valid `orderId` in a publisher's text, whatever else is wrong in it; None without one."""
    try:
        fields = decode_twice(text)
    except InvalidOrderError:
        return None
    order_id = fields.get("orderId") if isinstance(fields, dict) else None
    return order_id if isinstance(order_id, str) and ORDER_ID.fullmatch(order_id) else None


def _own_id_of(record: Mapping[str, Any]) -> str | None:
    try:
        return own_id(unwrap(record["body"])[1])
    except InvalidOrderError:
        return None


def _identity(record: Mapping[str, Any], envelope: Envelope | None) -> str:
    identity = envelope.message_id if envelope else str(record["messageId"])
    if not ORDER_ID.fullmatch(identity):
        raise InvalidOrderError(
            {"MessageId": "The notification has no usable MessageId, and the order no orderId."}
        )
    return identity
