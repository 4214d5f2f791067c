"""Orders of a period once more: each under its own id and time, so that it is counted once all the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from cli import aws, queues, times
from cli.messages import enveloped
from cli.queues import Outgoing, Send
from cli.stopping import Pace

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(kw_only=True)
class Replayed:
    """What became of a replay; `failures` says why not, by order id."""

    sent: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


def from_dynamodb(
    dynamodb: DynamoDBClient, table: str, start: datetime, end: datetime
) -> Iterator[list[dict[str, Any]]]:
    """Read the orders of a period from the table `Orders`, page by page; every item there is looked at."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="created_at >= :start AND created_at < :end",
        ExpressionAttributeValues={
            ":start": {"S": start.isoformat(timespec="milliseconds")},
            ":end": {"S": end.isoformat(timespec="milliseconds")},
        },
    )
    read = TypeDeserializer().deserialize
    with aws.asking():
        for page in pages:
            yield [{name: read(value) for name, value in item.items()} for item in page["Items"]]


def _number(value: object) -> int | float:
    """Write a number as JSON does; DynamoDB's are decimals."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{value!r} cannot be in a message")
    return int(value) if value == value.to_integral_value() else float(value)


def bare(order: dict[str, Any]) -> str:
    """Return an order as its publisher would say it, with its id."""
    said = {name: value for name, value in order.items() if name != "created_at"}
    return json.dumps(said, sort_keys=True, default=_number)


def in_envelope(order: dict[str, Any]) -> str:
    """Return an order as the queue gets it from SNS: the envelope says when it was sent."""
    sent = times.parsed(order["created_at"])
    if sent is None:
        raise ValueError(f"{order['created_at']!r} is no time")
    return enveloped(str(order["orderId"]), sent, bare(order))


def replay(
    pages: Iterable[list[dict[str, Any]]],
    body: Callable[[dict[str, Any]], str],
    send: Send,
    *,
    stop: threading.Event,
    rate: float | None = None,
    advance: Callable[[int], object] = lambda _number: None,
) -> Replayed:
    """Send orders until there are no more or Ctrl-C is typed."""
    replayed = Replayed()
    pace = Pace(rate, stop)
    at_once = queues.step(rate)
    for page in pages:
        for start in range(0, len(page), at_once):
            batch = page[start : start + at_once]
            pace.wait(len(batch))
            if stop.is_set():
                replayed.interrupted = True
                return replayed
            results = send([Outgoing(body=body(order), attributes={}) for order in batch])
            for order, result in zip(batch, results, strict=True):
                if result.problem is None:
                    replayed.sent += 1
                else:
                    replayed.failures[str(order["orderId"])] = result.problem
            advance(len(batch))
    return replayed
