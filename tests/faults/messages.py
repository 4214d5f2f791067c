"""Messages in every form that publishers use, with the order that each stands for."""

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
    """How an order is put into a message."""

    ENVELOPE = auto()  # as SNS delivers it
    ENVELOPE_TWICE = auto()  # JSON in a JSON string, in the envelope
    BARE = auto()  # put straight on the queue
    BARE_TWICE = auto()

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    @property
    def in_envelope(self) -> bool:
        """Tell whether SNS brought it."""
        return self in {Form.ENVELOPE, Form.ENVELOPE_TWICE}


@dataclass(frozen=True, slots=True)
class Said:
    """What a publisher says."""

    order_id: str | None
    item: str = "Latte"
    quantity: int = 1
    customer_name: str = "Ann"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    form: Form = Form.ENVELOPE

    def message(self) -> str:
        """Write it down, without its envelope."""
        said: dict[str, Any] = {**self.attributes, "item": self.item, "quantity": self.quantity}
        said["customer_name"] = self.customer_name
        if self.order_id is not None:
            said["orderId"] = self.order_id
        text = encode(said)
        return json.dumps(text) if self.form in {Form.ENVELOPE_TWICE, Form.BARE_TWICE} else text


@dataclass(frozen=True, slots=True)
class Kept:
    """An order as both stores should have it."""

    order_id: str
    created_at: datetime  # UTC
    item: str
    quantity: int
    customer_name: str
    attributes: str  # JSON with sorted names

    @classmethod
    def of(cls, said: Said, order_id: str, created_at: datetime) -> Kept:
        """Fill in what the message's way to the queue adds."""
        attributes = encode(said.attributes, sort_keys=True)
        return cls(order_id, created_at, said.item, said.quantity, said.customer_name, attributes)

    def is_same_order(self, other: Kept) -> bool:
        """Return whether two orders with one id are one; if not, the later one is a conflict."""
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
    """Write identity and time into a message that has neither, as `cafe dlq redrive` does."""
    return Message(message_id=message_id, body=body, sent_at=round(sent_at.timestamp() * 1000)).carried()


POISON: dict[str, str] = {
    "no JSON": "{",
    "a list": "[1, 2]",
    "no item": '{"orderId": "p", "quantity": 1}',
    "too many": '{"orderId": "p", "item": "Tea", "quantity": 1001}',
    "half a surrogate pair": '{"item": "Tea\\ud800", "quantity": 1}',
    "endless nesting": "[" * 20_000,
    "a number that no store holds": '{"item": "Tea", "quantity": 1, "n": 1e400}',
    "no usable name": envelope('{"item": "Tea", "quantity": 1}', "", datetime(2026, 1, 1, tzinfo=UTC)),
    "no time": json.dumps({"Type": "Notification", "MessageId": "p", "Message": Said(None).message()}),
}
"""What holds no order, each by what is wrong with it."""
