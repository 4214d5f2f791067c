"""Lines about failures in the worker's log; OperationError if it cannot be read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Any

from cli import aws
from cli.logs import Line

FAILED, PROCESSED = "Order not processed", "Order processed successfully"
NOT_SET = "Visibility not set"
MOST_PAGES = 20  # of up to 10,000 lines; an outage has a line for each receive of each order


def failures(logs: aws.CloudWatchLogsClient, group: str, since: datetime) -> tuple[list[Line], bool]:
    """Read the lines about orders that failed, the oldest first; return them, and whether all were read."""
    lines, complete = _lines(logs, group, since, FAILED)
    return [line for line in lines if line.message == FAILED], complete


def has_processed(logs: aws.CloudWatchLogsClient, group: str, since: datetime) -> bool:
    """Return whether the worker recorded an order since a moment."""
    with aws.translated_errors():
        return any(page["events"] for page in _pages(logs, group, since, PROCESSED))


def visibility_problem(logs: aws.CloudWatchLogsClient, group: str, since: datetime) -> str | None:
    """Return why the worker last failed to set the visibility of failed messages; None if it did not."""
    reasons = [line.reason for line in _lines(logs, group, since, NOT_SET)[0] if line.message == NOT_SET]
    return reasons[-1] if reasons else None


def _lines(logs: aws.CloudWatchLogsClient, group: str, since: datetime, text: str) -> tuple[list[Line], bool]:
    """Return the lines that contain a text, the oldest first, and whether all were read."""
    with aws.translated_errors():
        pages = list(islice(_pages(logs, group, since, text), MOST_PAGES))
    lines = [Line.of(group, event) for page in pages for event in page["events"]]
    return sorted(lines, key=attrgetter("at")), not (pages and pages[-1].get("nextToken"))


def _pages(logs: aws.CloudWatchLogsClient, group: str, since: datetime, text: str) -> Iterable[Any]:
    return logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=int(since.timestamp() * 1000), filterPattern=f'"{text}"'
    )
