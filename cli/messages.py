"""A message of a queue: its order, and how it is sent again without becoming another order.

An order without an `orderId` takes its identity from SNS's envelope, or else from SQS's message id; its time
is the envelope's, or else SQS's. A message that is sent again gets a new id and a new time of SQS's. So an
order without an envelope is put into one first, with the id and the time that SQS gave the message.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cli.terminal import HARMFUL_CATEGORIES, JOINERS
from orders.exact_json import NumberText, encode
from orders.message import Envelope, decode, decode_twice, own_id, parse_record, time_of, unwrap
from orders.order import ORDER_ID, InvalidOrderError, Order, OrderFields
from orders.times import OrderTime, iso

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# The characters that SQS refuses, lone surrogates among them, without control characters, which JSON escapes.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
UNSENDABLE = re.compile("[\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as SQS keeps it."""

    message_id: str
    body: str
    sent_at: int  # milliseconds since 1970; moving to a dead-letter queue keeps it
    receives: int = 0  # before this one
    attributes: Mapping[str, Any] = field(default_factory=dict)
    receipt: str = field(default="", repr=False)

    @classmethod
    def of(cls, received: MessageTypeDef) -> Message:
        """Return a message from SQS's response."""
        system = received.get("Attributes", {})
        return cls(
            message_id=received["MessageId"],
            body=received["Body"],
            sent_at=int(system["SentTimestamp"]),
            receives=max(0, int(system.get("ApproximateReceiveCount", "1")) - 1),
            attributes={
                name: {
                    key: value for key, value in attribute.items() if value and not key.endswith("ListValues")
                }
                for name, attribute in received.get("MessageAttributes", {}).items()
            },
            receipt=received["ReceiptHandle"],
        )

    @property
    def _record(self) -> dict[str, Any]:
        """Return the message as the worker gets it."""
        return {
            "messageId": self.message_id,
            "body": self.body,
            "attributes": {"SentTimestamp": str(self.sent_at)},
        }

    @cached_property
    def _read(self) -> Order | InvalidOrderError:
        try:
            return parse_record(self._record)
        except InvalidOrderError as error:
            return error

    @property
    def order(self) -> Order | None:
        """Return the order in it, as the worker reads it."""
        return None if isinstance(self._read, InvalidOrderError) else self._read

    @property
    def reason(self) -> str | None:
        """Return the reason why it has no valid order."""
        return str(self._read) if isinstance(self._read, InvalidOrderError) else None

    @property
    def envelope(self) -> Envelope | None:
        """Return the envelope, whatever is in it."""
        try:
            return unwrap(self.body)[0]
        except InvalidOrderError:
            return None

    @property
    def text(self) -> str:
        """Return the publisher's text: the body without its envelope."""
        try:
            envelope, message = unwrap(self.body, NumberText)
            if envelope is None:
                return self.body
            return message if isinstance(message, str) else encode(message, ensure_ascii=False)
        except (InvalidOrderError, RecursionError):
            return self.body

    @property
    def sent(self) -> datetime:
        """Return the time when it was first sent."""
        return datetime.fromtimestamp(self.sent_at / 1000, UTC)

    @property
    def own_id(self) -> str | None:
        """Return the publisher's `orderId`, if it is valid."""
        return own_id(self.text)

    def is_about(self, identity: str) -> bool:
        """Return whether this is its id, or that of its order, valid or not."""
        claimed = (_object(self.text) or {}).get("orderId")
        return identity in (self.message_id, self.identity, getattr(claimed, "text", claimed))

    @property
    def identity(self) -> str:
        """Return the id of its order, or of the order that it would be if its other fields were valid."""
        return self.own_id or self._envelope_id

    @property
    def dated_id(self) -> str:
        """Return an id for an order whose own belongs to another order: its own, and its day.

        Two messages of one order get the same; orders of a publisher that restarts at 1 each day differ.
        """
        order_id = f"{self.identity}.{self.ordered_at.astimezone():%Y-%m-%d}"
        return order_id if ORDER_ID.fullmatch(order_id) else self.message_id

    def resendable(self) -> str:
        """Return the body with which it can be sent again and stays the same order, at the same time.

        A body in an envelope is unchanged, byte for byte, unless its time is in the future: then the time
        that counts instead is written into it, because SQS gives the message a later one. A body without a
        JSON object is unchanged, too: it has no identity. The text of an order that is put into an envelope
        is neither escaped nor changed, except for a missing `orderId`.
        """
        envelope, fields = self.envelope, _object(self.text)
        if fields is None or (envelope is not None and self.ignored_time is None):
            return self.body
        text = self.text.strip()
        if text.startswith('"'):  # a JSON string with the object in it
            text = str(decode(text)).strip()
        if envelope is None and fields.get("orderId") is None:
            # Last, because the last of several members with one name counts.
            comma = ", " if fields else ""
            text = f'{text[:-1]}{comma}"orderId": {json.dumps(self.message_id)}}}'
        message_id = self.message_id if envelope is None else envelope.message_id
        return _with_object(message_id, self.ordered_at, text)

    def editable(self) -> str:
        """Return the text to correct: the order, one field per line, or else the unchanged text."""
        fields = _object(self.text)
        if fields is None:
            return self.text
        if fields.get("orderId") is None:
            fields = {"orderId": None} | fields | {"orderId": self.identity}  # the first line
        try:
            return _escaped(encode(fields, indent=2, ensure_ascii=False)) + "\n"
        except RecursionError:  # far more levels than an order may have
            return self.text

    def corrected(self, text: str, order_id: str | None = None) -> Message:
        """Return this message with a corrected order of the same time; raise InvalidOrderError.

        Its id is `order_id`, by default the one in the text, or else the present one.
        """
        OrderFields.of(decode_twice(text))
        fields = _object(text) or {}
        if order_id is not None:
            fields |= {"orderId": order_id}
        elif fields.get("orderId") is None:
            fields |= {"orderId": self.identity}
        body = _with_object(self._envelope_id, self.ordered_at, encode(fields, ensure_ascii=False))
        moved = replace(self, body=body)
        if moved.order is None:
            raise InvalidOrderError({"body": moved.reason or ""})
        return moved

    @property
    def _envelope_id(self) -> str:
        """Return the id of its envelope, or of the envelope into which it is put."""
        if (envelope := self.envelope) and ORDER_ID.fullmatch(envelope.message_id):
            return envelope.message_id
        return self.message_id

    @property
    def ordered_at(self) -> datetime:
        """Return the time of the order: the envelope's if it is valid, or else SQS's."""
        return self._time.at

    @property
    def ignored_time(self) -> str | None:
        """Return the envelope's time, if it is ignored because it is in the future."""
        return self._time.ignored

    @cached_property
    def _time(self) -> OrderTime:
        try:
            return time_of(self._record, self.envelope)
        except InvalidOrderError:
            return OrderTime(self.sent)


def in_envelope(envelope: Envelope, text: str) -> str:
    """Return a text in an envelope like SNS's."""
    identity = {"MessageId": envelope.message_id, "Timestamp": envelope.timestamp}
    return _sendable(json.dumps({"Type": "Notification", **identity, "Message": text}, ensure_ascii=False))


def _with_object(message_id: str, sent: datetime, text: str) -> str:
    """Return an envelope with a JSON object, where SNS would write a string."""
    start = json.dumps({"Type": "Notification", "MessageId": message_id, "Timestamp": iso(sent)})
    return _sendable(f'{start[:-1]}, "Message": {text}}}')


def _object(text: str) -> dict[str, Any] | None:
    """Return the JSON object in a text, with its numbers as they are written; None for other texts."""
    try:
        fields = decode_twice(text, NumberText)
    except InvalidOrderError:
        return None
    return fields if isinstance(fields, dict) else None


def _sendable(document: str) -> str:
    """Escape the characters of a JSON document that SQS refuses."""
    return UNSENDABLE.sub(lambda match: json.dumps(match[0])[1:-1], document)


def _escaped(document: str) -> str:
    """Escape the characters of a JSON document that could control a terminal."""

    def escape(match: re.Match[str]) -> str:
        character = match[0]
        harmful = unicodedata.category(character) in HARMFUL_CATEGORIES and character not in JOINERS
        return json.dumps(character)[1:-1] if harmful else character

    return re.sub(r"[^\x20-\x7e\n]", escape, document)
