"""The time at which an order was sent, with a limit for times in the future."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

# A sender's clock may be this far ahead of SQS's. Without a limit, one order with a wrong time would be the
# latest one for years. Both times stay with the message, so every receive has the same result.
MAX_AHEAD = timedelta(minutes=5)
# The range of orders' times, with room for time zones and for the weeks for which counters of hours are kept.
# Until a table of an earlier release is widened, it refuses times from 2038 on.
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 1, tzinfo=UTC)
# SNS delivers within seconds, if SQS is available. A message that reached the queue later was put there
# again, such as by a redrive in the console.
MAX_DELIVERY = timedelta(minutes=1)
NO_TIME = "The message has no valid time of sending."


class TimeError(ValueError):
    """A message has no valid time, for the reason in the text."""


@dataclass(frozen=True, slots=True)
class OrderTime:
    """When an order was sent."""

    at: datetime  # in UTC, to the millisecond
    ignored: str | None = None  # the envelope's `Timestamp` if it is too far in the future
    enqueued_later: bool = False  # the message reached the queue later than SNS delivers it


def order_time(record: Mapping[str, Any], timestamp: str | None) -> OrderTime:
    """Return the time of the order in an SQS record; raise TimeError if it has none.

    A message keeps its `SentTimestamp` in `OrderDLQ`, too. `timestamp` is that of the envelope, if there is
    one.
    """
    try:
        enqueued = datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        enqueued = None
    sent = enqueued
    if timestamp is not None:
        try:
            sent = datetime.fromisoformat(timestamp)
        except ValueError:
            raise TimeError(NO_TIME) from None
        sent = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
        if enqueued is not None and sent - enqueued > MAX_AHEAD:
            return OrderTime(_checked(enqueued), ignored=timestamp)
    if sent is None:
        raise TimeError(NO_TIME)
    return OrderTime(_checked(sent), enqueued_later=enqueued is not None and enqueued - sent > MAX_DELIVERY)


def _checked(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= LATEST:
        raise TimeError(f"The message's time is out of range: {moment:%Y-%m-%d}.")
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso(moment: datetime | None) -> str | None:
    """Format a time for a response, such as `2026-11-22T14:00:00.000Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
