"""Time of an order: when it was sent, with a rule for times in the future."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

# A sender's clock may be so far ahead of SQS's. Without a limit, one wrong clock or one import tops every
# list of latest orders for years. The rule compares two times that a message keeps, and not the reader's
# clock, so that every receive decides alike.
MAX_AHEAD = timedelta(minutes=5)
# Less a day for time zones, and the weeks for which counters of hours are kept. A table that is not widened
# yet refuses times from 2038 on.
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 1, tzinfo=UTC)


class TimeError(ValueError):
    """A message has no usable time, for the reason in the message of the error."""


@dataclass(frozen=True, slots=True)
class OrderTime:
    """When an order was sent."""

    at: datetime  # in UTC, to the millisecond
    ignored: str | None = None  # the envelope's `Timestamp` if it is too far in the future


def order_time(record: Mapping[str, Any], timestamp: str | None) -> OrderTime:
    """Return the time of the order in an SQS record; raise TimeError if it has none.

    A message keeps its `SentTimestamp` in `OrderDLQ` as well. `timestamp` is the envelope's, None without
    one.
    """
    try:
        enqueued = datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        enqueued = None
    if timestamp is None:
        if enqueued is None:
            raise TimeError("The message does not say when it was sent.")
        return OrderTime(_checked(enqueued))
    try:
        sent = datetime.fromisoformat(timestamp)
        sent = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
        if enqueued is not None and sent > enqueued + MAX_AHEAD:
            return OrderTime(_checked(enqueued), timestamp)
        return OrderTime(_checked(sent.astimezone(UTC)))
    except (ValueError, OverflowError) as error:
        if isinstance(error, TimeError):
            raise
        raise TimeError("The message does not say when it was sent.") from None


def _checked(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= LATEST:
        raise TimeError(f"The message says that it was sent on {moment:%Y-%m-%d}.")
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso(moment: datetime | None) -> str | None:
    """Write a time as responses have it, such as `2026-11-22T14:00:00.000Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
