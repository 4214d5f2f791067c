"""The functions' log lines in CloudWatch. FilterLogEvents costs nothing, and finds lines within seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from operator import attrgetter
from typing import Any

from cli import aws
from cli.stack import Stack
from orders.order import ORDER_ID
from orders.times import iso

PAGE = 10_000  # lines in a response, at most
OVERLAP = timedelta(minutes=2)  # how much later than a newer line an older one may become readable


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a function's log."""

    at: datetime
    function: str
    text: str
    key: str

    @classmethod
    def of(cls, function: str, event: Any) -> Line:
        """Return a line of CloudWatch's response."""
        at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        return cls(at=at, function=function, text=event["message"].rstrip("\n"), key=event["eventId"])

    @cached_property
    def fields(self) -> dict[str, Any]:
        """Return the JSON object in it; empty for the lines of Lambda itself."""
        return parse(self.text)

    @property
    def message(self) -> str:
        """Return the constant text of its kind; empty for the lines of Lambda itself."""
        return str(self.fields.get("message", ""))

    @property
    def reason(self) -> str:
        """Return why something failed."""
        return str(self.fields.get("reason"))

    def document(self) -> dict[str, object]:
        """Return the line, for programs."""
        return {"time": iso(self.at), "function": self.function, "line": self.fields or self.text}

    def is_about(self, identity: str) -> bool:
        """Return whether it is about an order, or a message, with exactly this id."""
        return identity in (self.fields.get("orderId"), self.fields.get("messageId"))


def parse(text: str) -> dict[str, Any]:
    """Return the JSON object of a line, an empty one for any other line."""
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def groups(stack: Stack) -> dict[str, str]:
    """Return the log groups of a stack, by the functions' names."""
    found: dict[str, str] = json.loads(stack.output("log_groups"))
    return dict(sorted(found.items()))


def read(
    logs: aws.CloudWatchLogsClient,
    names: Mapping[str, str],
    since: datetime,
    until: datetime | None = None,
    about: str | None = None,
) -> list[Line]:
    """Return the lines of log groups, by the functions' names, sorted by time; raise OperationError.

    With `about` only the lines about an order or a message with that id.
    """
    if about is not None and not ORDER_ID.fullmatch(about):
        return []  # the functions write no other id
    found: list[Line] = []
    for function, group in names.items():
        request: dict[str, Any] = {"logGroupName": group, "startTime": int(since.timestamp() * 1000)}
        if until is not None:
            request["endTime"] = int(until.timestamp() * 1000)
        if about is not None:
            request["filterPattern"] = pattern(about)
        with aws.translated_errors():
            found += _lines(logs, function, request)
    return sorted((line for line in found if about is None or line.is_about(about)), key=attrgetter("at"))


def pattern(identity: str) -> str:
    """Return the filter pattern for lines that contain a valid id, which has no quotes to end the phrase."""
    return f'"{identity}"'


def _lines(logs: aws.CloudWatchLogsClient, function: str, request: dict[str, Any]) -> Iterator[Line]:
    """Yield the lines that match a request, each once."""
    seen = set[str]()
    while True:
        response: Any = logs.filter_log_events(**request)
        events = response["events"]
        for event in events:
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                yield Line.of(function, event)
        if token := response.get("nextToken"):
            request["nextToken"] = token
        elif len(events) < PAGE:
            return
        else:  # MiniStack has no tokens
            request["startTime"] = max(events[-1]["timestamp"], request["startTime"] + 1)


def polls(
    logs: aws.CloudWatchLogsClient, names: Mapping[str, str], since: datetime, about: str | None
) -> Iterator[list[Line]]:
    """Yield the new lines of each poll, also those that become readable after later ones."""
    seen = set[str]()
    while True:
        found = read(logs, names, since, about=about)
        yield [line for line in found if line.key not in seen]
        seen = {line.key for line in found}
        if found:
            # By the time of the lines: this machine's clock may differ from that of AWS.
            since = max(since, found[-1].at - OVERLAP)
