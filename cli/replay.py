"""Sending the orders of a period again, each with its own id and time, so that it is counted once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from cli import aws, messages, queues, times
from cli.queues import Delivered, Outgoing, Send
from cli.stopping import Pace
from orders.exact_json import encode, exact
from orders.message import SENT_AGAIN, Envelope
from orders.order import OWN_ATTRIBUTES
from orders.times import MAX_AHEAD, iso

ATTRIBUTES: dict[str, Any] = {SENT_AGAIN: {"DataType": "String", "StringValue": "true"}}


class ItemDeserializer(TypeDeserializer):
    """Reads every number of DynamoDB's, where boto3's own refuses 1E+38, and sets as lists."""

    def _deserialize_n(self, value: str) -> object:
        return exact(value)

    def _deserialize_ns(self, value: list[str]) -> list[object]:
        return [exact(number) for number in value]

    def _deserialize_ss(self, value: list[str]) -> list[str]:
        return value


def from_dynamodb(
    dynamodb: aws.DynamoDBClient, table: str, start: datetime, end: datetime
) -> Iterator[list[dict[str, Any]]]:
    """Read the orders of a period from the table `Orders`, in pages, by a scan."""
    yield from all_items(
        dynamodb,
        table,
        FilterExpression="created_at >= :start AND created_at < :end",
        ExpressionAttributeValues={
            ":start": {"S": start.isoformat(timespec="milliseconds")},
            ":end": {"S": end.isoformat(timespec="milliseconds")},
        },
    )


def all_items(dynamodb: aws.DynamoDBClient, table: str, **request: Any) -> Iterator[list[dict[str, Any]]]:
    """Read a table in pages."""
    read = ItemDeserializer().deserialize
    with aws.translated_errors():
        for page in dynamodb.get_paginator("scan").paginate(TableName=table, **request):
            yield [{name: read(value) for name, value in item.items()} for item in page["Items"]]


class UnsendableError(ValueError):
    """An order cannot be sent, for the reason in the message."""


def bare(order: dict[str, Any]) -> str:
    """Return an order as its publisher would send it, with its id; raise UnsendableError for binary data."""
    fields = {name: value for name, value in order.items() if name not in OWN_ATTRIBUTES}
    for name, value in fields.items():
        try:
            encode(value)
        except TypeError:
            raise UnsendableError(f"{name} is binary data, which no order can have.") from None
    return encode(fields, sort_keys=True)


def in_envelope(order: dict[str, Any]) -> str:
    """Return an order in SNS's envelope, with its time; raise UnsendableError if that is invalid."""
    sent = times.parse_utc(order["created_at"])
    if sent is None:
        raise UnsendableError(f"created_at is {order['created_at']!r}, which is not a time.")
    envelope = Envelope(str(order["orderId"]), str(iso(sent)))
    return messages.in_envelope(envelope, bare(order))


def count(pages: Iterable[list[dict[str, Any]]]) -> tuple[int, int]:
    """Return the number of orders, and how many of them are dated in the future."""
    latest = datetime.now(UTC) + MAX_AHEAD
    found = [times.parse_utc(order["created_at"]) for page in pages for order in page]
    return len(found), sum(moment is not None and moment > latest for moment in found)


def replay(
    pages: Iterable[list[dict[str, Any]]],
    body: Callable[[dict[str, Any]], str],
    send: Send,
    *,
    stop: threading.Event,
    rate: float | None = None,
    advance: Callable[[int], object] = lambda _number: None,
) -> Delivered:
    """Send orders until there are no more or Ctrl-C is typed; `failures` are by the orders' ids."""
    unsendable: dict[str, str] = {}

    def outgoing() -> Iterator[tuple[str, Outgoing]]:
        for order in chain.from_iterable(pages):
            order_id = str(order["orderId"])
            try:
                yield order_id, Outgoing(body=body(order), attributes=ATTRIBUTES)
            except UnsendableError as error:
                unsendable[order_id] = str(error)
                advance(1)

    delivered = queues.deliver(outgoing(), send, Pace(rate, stop), advance)
    delivered.failures |= unsendable
    return delivered
