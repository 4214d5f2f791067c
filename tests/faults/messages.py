"""Messages in every form that publishers use, with the order in each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any

from cli.messages import Message
from orders.exact_json import encode


class Form(Enum):
    """The form of a message with an order."""

    ENVELOPE = auto()  # as SNS delivers it
    ENVELOPE_TWICE = auto()  # JSON in a JSON string, in the envelope
    BARE = auto()  # put straight on the queue
    BARE_TWICE = auto()

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    @property
    def in_envelope(self) -> bool:
        """Return whether SNS delivers it."""
        return self in {Form.ENVELOPE, Form.ENVELOPE_TWICE}


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as its publisher sends it."""

    order_id: str | None
    item: str = "Latte"
    quantity: int = 1
    customer_name: str = "Ann"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    form: Form = Form.ENVELOPE

    def message(self) -> str:
        """Return the message, without SNS's envelope."""
        order: dict[str, Any] = {**self.attributes, "item": self.item, "quantity": self.quantity}
        order["customer_name"] = self.customer_name
        if self.order_id is not None:
            order["orderId"] = self.order_id
        text = encode(order)
        return json.dumps(text) if self.form in {Form.ENVELOPE_TWICE, Form.BARE_TWICE} else text


@dataclass(frozen=True, slots=True)
class RecordedOrder:
    """An order as both stores should have it."""

    order_id: str
    created_at: datetime  # UTC
    item: str
    quantity: int
    customer_name: str
    attributes: str  # JSON with sorted names

    @classmethod
    def of(cls, order: NewOrder, order_id: str, created_at: datetime) -> RecordedOrder:
        """Add the id and the time that SNS or SQS gives to an order."""
        attributes = encode(order.attributes, sort_keys=True)
        return cls(order_id, created_at, order.item, order.quantity, order.customer_name, attributes)

    def is_same_order(self, other: RecordedOrder) -> bool:
        """Return whether two orders under one id are the same order; if not, the later one is a conflict."""
        return (self.item, self.quantity, self.customer_name) == (
            other.item,
            other.quantity,
            other.customer_name,
        )


def envelope(message: str, message_id: str, sent_at: datetime) -> str:
    """Wrap a message as SNS does."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:OrderTopic",
            "Message": message,
            "Timestamp": sent_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        }
    )


def with_identity(body: str, message_id: str, sent_at: datetime) -> str:
    """Return a message with its id and time in the body, as `cafe dlq redrive` sends it."""
    return Message(message_id=message_id, body=body, sent_at=round(sent_at.timestamp() * 1000)).resendable()


MALFORMED: dict[str, str] = {
    "no JSON": "{",
    "a list": "[1, 2]",
    "no item": '{"orderId": "p", "quantity": 1}',
    "too many": '{"orderId": "p", "item": "Tea", "quantity": 1001}',
    "half a surrogate pair": '{"item": "Tea\\ud800", "quantity": 1}',
    "endless nesting": "[" * 20_000,
    "a number that no store holds": '{"item": "Tea", "quantity": 1, "n": 1e400}',
    "no usable name": envelope('{"item": "Tea", "quantity": 1}', "", datetime(2026, 1, 1, tzinfo=UTC)),
    "no time": json.dumps({"Type": "Notification", "MessageId": "p", "Message": NewOrder(None).message()}),
}
"""Messages without a valid order, by what is wrong with them."""
