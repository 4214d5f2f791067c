"""Failures in the worker's log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from operator import itemgetter
from typing import Any

from cli import aws
from cli.logs import parse

FAILED, PROCESSED = "Order not processed", "Order processed successfully"
NOT_SET = "Visibility not set"
MOST_PAGES = 20  # of up to 10,000 lines; an outage has a line for each receive of each order


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A line about an order that was not recorded."""

    order_id: str
    message_id: str
    reason: str
    at: datetime
    refused: bool = False  # because of the order itself
    conflict: bool = False  # its id belongs to another order


# These functions raise OperationError if the log cannot be read.


def failures(
    logs: aws.CloudWatchLogsClient, group: str, since: datetime, about: str = FAILED
) -> tuple[list[Failure], bool]:
    """Read the lines about orders that failed, the oldest first; return them, and whether all were read.

    They contain the text `about`, such as an order's id.
    """
    events, complete = _events(logs, group, since, about)
    return [failure for event in events if (failure := _failure(event))], complete


def has_processed(logs: aws.CloudWatchLogsClient, group: str, since: datetime) -> bool:
    """Return whether the worker recorded an order since a moment."""
    with aws.translated_errors():
        return any(page["events"] for page in _pages(logs, group, since, PROCESSED))


def visibility_problem(logs: aws.CloudWatchLogsClient, group: str, since: datetime) -> str | None:
    """Return why the worker last failed to set the visibility of failed messages; None if it did not."""
    lines = [parse(event["message"]) for event in _events(logs, group, since, NOT_SET)[0]]
    reasons = [str(line.get("reason")) for line in lines if line.get("message") == NOT_SET]
    return reasons[-1] if reasons else None


def _events(logs: aws.CloudWatchLogsClient, group: str, since: datetime, text: str) -> tuple[list[Any], bool]:
    """Return the lines that contain a text, the oldest first, and whether all were read."""
    with aws.translated_errors():
        pages = list(islice(_pages(logs, group, since, text), MOST_PAGES))
    events = sorted(chain.from_iterable(page["events"] for page in pages), key=itemgetter("timestamp"))
    return events, not (pages and pages[-1].get("nextToken"))


def _pages(logs: aws.CloudWatchLogsClient, group: str, since: datetime, text: str) -> Iterable[Any]:
    return logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=int(since.timestamp() * 1000), filterPattern=f'"{text}"'
    )


def _failure(event: Any) -> Failure | None:
    line = parse(event["message"])
    if line.get("message") != FAILED:
        return None
    return Failure(
        order_id=str(line.get("orderId")),
        message_id=str(line.get("messageId")),
        reason=str(line.get("reason")),
        at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
        refused=line.get("refused") is True,
        conflict=line.get("conflict") is True,
    )
