"""Failures in the worker's log, and the orders that are recorded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from cli import aws
from cli.logs import parse
from orders.order import ERASED, Order

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_logs import CloudWatchLogsClient

FAILED, PROCESSED = "Order not processed", "Order processed successfully"
NOT_SET = "Visibility not set"
MOST_PAGES = 20  # of up to 10,000 lines; an outage has a line for each receive of each order
FIELDS = {  # of an item of `Orders`; `item` is a reserved word in DynamoDB
    "ProjectionExpression": "orderId, created_at, #item, quantity, customer_name",
    "ExpressionAttributeNames": {"#item": "item"},
}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A line about an order that was not recorded."""

    order_id: str
    message_id: str
    reason: str
    at: datetime
    refused: bool = False  # because of the order itself
    conflict: bool = False  # its id belongs to another order


@dataclass(frozen=True, kw_only=True)
class Failures:
    """The lines, the oldest first; `complete` is whether all were read."""

    lines: list[Failure]
    complete: bool

    @property
    def order_ids(self) -> set[str]:
        """The orders that failed, each once."""
        return {line.order_id for line in self.lines}

    def without_conflicts(self) -> Failures:
        """Return the lines about orders that a store failed or refused to record."""
        return replace(self, lines=[line for line in self.lines if not line.conflict])

    def latest(self, message_id: str) -> Failure | None:
        """Return the last line about a message, None without one."""
        return next((line for line in reversed(self.lines) if line.message_id == message_id), None)


# These functions raise OperationError if the log cannot be read.


def failures(logs: CloudWatchLogsClient, group: str, since: datetime, about: str = FAILED) -> Failures:
    """Read the worker's lines about orders that failed, which contain a text such as an order's id."""
    events, complete = _events(logs, group, since, about)
    return Failures(lines=[line for event in events if (line := _failure(event))], complete=complete)


def has_processed(logs: CloudWatchLogsClient, group: str, since: datetime) -> bool:
    """Return whether the worker recorded an order since a moment."""
    with aws.translated_errors():
        return any(page["events"] for page in _pages(logs, group, since, PROCESSED))


def visibility_problem(logs: CloudWatchLogsClient, group: str, since: datetime) -> str | None:
    """Return why the worker last failed to set the visibility of failed messages; None if it did not."""
    lines = [_line(event) for event in _events(logs, group, since, NOT_SET)[0]]
    reasons = [str(line.get("reason")) for line in lines if line.get("message") == NOT_SET]
    return reasons[-1] if reasons else None


def last_reason(logs: CloudWatchLogsClient, group: str, since: datetime, message_id: str) -> str | None:
    """Return the last reason that the worker logged about a message, None without one."""
    lines = [_line(event) for event in _events(logs, group, since, message_id)[0]]
    reasons = [str(line["reason"]) for line in lines if line.get("reason")]
    return reasons[-1] if reasons else None


def _events(logs: CloudWatchLogsClient, group: str, since: datetime, text: str) -> tuple[list[Any], bool]:
    """Return the lines that contain a text, the oldest first, and whether all were read."""
    with aws.translated_errors():
        pages = list(islice(_pages(logs, group, since, text), MOST_PAGES))
    events = [event for page in pages for event in page["events"]]
    return sorted(events, key=lambda event: event.get("timestamp", 0)), not (
        pages and pages[-1].get("nextToken")
    )


def _pages(logs: CloudWatchLogsClient, group: str, since: datetime, text: str) -> Iterable[Any]:
    return logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=int(since.timestamp() * 1000), filterPattern=f'"{text}"'
    )


def _line(event: Any) -> dict[str, Any]:
    """Return the JSON object of a line, an empty one for any other line."""
    return parse(event.get("message", ""))


def _failure(event: Any) -> Failure | None:
    line = _line(event)
    if line.get("message") != FAILED:
        return None
    return Failure(
        order_id=str(line.get("orderId")),
        message_id=str(line.get("messageId")),
        reason=str(line.get("reason")),
        at=datetime.fromtimestamp(event.get("timestamp", 0) / 1000, UTC),
        refused=line.get("refused") is True,
        conflict=line.get("conflict") is True,
    )


def recorded(dynamodb: DynamoDBClient, table: str, order_ids: Iterable[str]) -> dict[str, Order | None]:
    """Return the orders that are recorded, by their ids: `Orders` is written last.

    None stands for an item that lacks fields of the order.
    """
    with aws.translated_errors():
        keys = ({"orderId": {"S": order_id}} for order_id in order_ids)
        items = aws.items(dynamodb, table, keys, **FIELDS)
        return {item["orderId"]["S"]: _order(item) for item in items}


def _order(item: Any) -> Order | None:
    values = {name: next(iter(typed.values())) for name, typed in item.items()}
    try:
        return Order(
            order_id=values["orderId"],
            created_at=datetime.fromisoformat(values["created_at"]) if "created_at" in values else None,
            item=values["item"],
            quantity=int(values["quantity"]),
            customer_name=values.get("customer_name", ERASED),
        )
    except (KeyError, TypeError, ValueError):
        return None
