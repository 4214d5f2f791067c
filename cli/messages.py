"""A message of a queue: what it holds, and how it is moved without becoming another order.

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
from cli.times import iso
from orders.exact_json import NumberText, encode
from orders.message import Envelope, decode, decode_twice, parse_record, time_of, unwrap
from orders.order import ORDER_ID, InvalidOrderError, Order, OrderFields
from orders.times import OrderTime

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# The characters that SQS refuses, halves of surrogate pairs among them, apart from controls: those JSON
# escapes itself. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
UNSENDABLE = re.compile("[\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as SQS keeps it.

    Attributes
    ----------
    sent_at
        When it was first put on a queue, in milliseconds since 1970; moving to a dead-letter queue keeps it.
    receives
        How often it was received before this time.
    attributes
        SQS's message attributes, as they are sent.
    receipt
        What deletes it, or makes it visible again.
    """

    message_id: str
    body: str
    sent_at: int
    receives: int = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)
    receipt: str = field(default="", repr=False)

    @classmethod
    def of(cls, received: MessageTypeDef) -> Message:
        """Take a message from SQS's answer."""
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
        """The message as the worker gets it."""
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
        """The order in it, as the worker reads it."""
        return None if isinstance(self._read, InvalidOrderError) else self._read

    @property
    def reason(self) -> str | None:
        """Why it holds no order."""
        return str(self._read) if isinstance(self._read, InvalidOrderError) else None

    @property
    def envelope(self) -> Envelope | None:
        """The envelope that it is in, whatever that holds."""
        try:
            return unwrap(self.body)[0]
        except InvalidOrderError:
            return None

    @property
    def text(self) -> str:
        """What the publisher sent: the body without its envelope."""
        try:
            envelope, message = unwrap(self.body, NumberText)
            if envelope is None:
                return self.body
            return message if isinstance(message, str) else encode(message, ensure_ascii=False)
        except (InvalidOrderError, RecursionError):
            return self.body

    @property
    def sent(self) -> datetime:
        """When it was first put on a queue."""
        return datetime.fromtimestamp(self.sent_at / 1000, UTC)

    @property
    def own_id(self) -> str | None:
        """The `orderId` that its publisher wrote into it, if that is one."""
        fields = _object(self.text)
        order_id = fields.get("orderId") if fields else None
        return order_id if isinstance(order_id, str) and ORDER_ID.fullmatch(order_id) else None

    @property
    def identity(self) -> str:
        """The id of the order that is in it, or would be if its other fields were right."""
        envelope = self.envelope
        if envelope is not None and ORDER_ID.fullmatch(envelope.message_id):
            return self.own_id or envelope.message_id
        return self.own_id or self.message_id

    @property
    def dated_id(self) -> str:
        """Id that the order can get if its own belongs to another order: its own, and its day.

        Two messages of one order get the same; orders of a publisher that counts from 1 each day differ.
        """
        order_id = f"{self.identity}.{self.ordered_at.astimezone():%Y-%m-%d}"
        return order_id if ORDER_ID.fullmatch(order_id) else self.message_id

    def carried(self) -> str:
        """Return the body with which it can be sent again and stays the same order, at the same time.

        What is in an envelope already stays as it is, byte for byte, unless its time is in the future: then
        the time that is taken instead goes with it, because SQS gives the message a later one. What holds no
        JSON object stays as it is, too: it is not an order, so it has no identity to lose. The text of an
        order that is put into an envelope is neither escaped nor changed, but for a missing `orderId`.
        """
        envelope, fields = self.envelope, _object(self.text)
        if fields is None or (envelope is not None and self.ignored_time is None):
            return self.body
        text = self.text.strip()
        if text.startswith('"'):  # a JSON string with the object in it
            text = str(decode(text)).strip()
        if envelope is None and fields.get("orderId") is None:
            # Last, because the last of several members of one name is the one that counts.
            comma = ", " if fields else ""
            text = f'{text[:-1]}{comma}"orderId": {json.dumps(self.message_id)}}}'
        message_id = self.message_id if envelope is None else envelope.message_id
        return _with_object(message_id, self.ordered_at, text)

    def editable(self) -> str:
        """Return what a person corrects: the order, one field per line, or else the text as it is."""
        fields = _object(self.text)
        if fields is None:
            return self.text
        if fields.get("orderId") is None:
            fields = (
                {"orderId": None} | fields | {"orderId": self.identity}
            )  # the first line, whatever it was
        try:
            return _escaped(encode(fields, indent=2, ensure_ascii=False)) + "\n"
        except RecursionError:  # far more levels than an order may have
            return self.text

    def corrected(self, text: str, order_id: str | None = None) -> Message:
        """Return this message with a corrected order in it, of the same time.

        Parameters
        ----------
        order_id
            Its id; unless given, the one in the text, or else the one that it has.

        Raises
        ------
        InvalidOrderError
            The text is not an order.
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
        envelope = self.envelope
        usable = envelope is not None and ORDER_ID.fullmatch(envelope.message_id)
        return envelope.message_id if envelope is not None and usable else self.message_id

    @property
    def ordered_at(self) -> datetime:
        """The time of the order: the envelope's if it is one, or else SQS's."""
        return self._time.at if self._time else self.sent

    @property
    def ignored_time(self) -> str | None:
        """The envelope's time, if it is in the future and so not the time of the order."""
        return self._time.ignored if self._time else None

    @cached_property
    def _time(self) -> OrderTime | None:
        try:
            return time_of(self._record, self.envelope)
        except InvalidOrderError:
            return None


def enveloped(message_id: str, sent: datetime, text: str) -> str:
    """Put a text into an envelope like SNS's."""
    return enveloped_as(Envelope(message_id, iso(sent)), text)


def _with_object(message_id: str, sent: datetime, text: str) -> str:
    """Put the text of a JSON object into an envelope as it is, where SNS would put it as a JSON string."""
    start = json.dumps({"Type": "Notification", "MessageId": message_id, "Timestamp": iso(sent)})
    return _sendable(f'{start[:-1]}, "Message": {text}}}')


def enveloped_as(envelope: Envelope, text: str) -> str:
    """Put a text into a given envelope."""
    document = {
        "Type": "Notification",
        "MessageId": envelope.message_id,
        "Timestamp": envelope.timestamp,
        "Message": text,
    }
    return _sendable(json.dumps(document, ensure_ascii=False))


def _object(text: str) -> dict[str, Any] | None:
    """Return the JSON object in a text, with its numbers as they are written; None if it holds none."""
    try:
        fields = decode_twice(text, NumberText)
    except InvalidOrderError:
        return None
    return fields if isinstance(fields, dict) else None


def _sendable(document: str) -> str:
    """Write the characters that SQS refuses as JSON's own escapes; it stays the same document."""
    return UNSENDABLE.sub(lambda match: json.dumps(match[0])[1:-1], document)


def _escaped(document: str) -> str:
    """Write what could steer a terminal as JSON's own escapes; it stays the same document."""

    def escape(match: re.Match[str]) -> str:
        character = match[0]
        harmful = unicodedata.category(character) in HARMFUL_CATEGORIES and character not in JOINERS
        return json.dumps(character)[1:-1] if harmful else character

    return re.sub(r"[^\x20-\x7e\n]", escape, document)
