"""Metrics of how long orders took from their acceptance until both stores had them.

Why these metrics, and which orders they leave out: docs/decisions/0025-watching-a-stack.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import environment
from log import log, metrics
from orders.backoff import MAX_RECEIVES
from orders.failures import is_final
from orders.ledger import Recorded
from orders.message import Received

TIME_TO_RECORD = "TimeToRecord"  # seconds, a value per order
IN_TIME = "OrdersInTime"
NOT_IN_TIME = "OrdersNotInTime"  # recorded late, or not recorded by the last attempt
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
MAX_VALUES = 100  # of a metric in a line


class RecordingMetrics:
    """The metrics of a batch, without orders that were sent again."""

    def __init__(self, receives: Mapping[str, int], received: Iterable[Received]) -> None:
        self._repeated = {message_id for message_id, count in receives.items() if count > 1}
        # The first message of each order: it is the one that is recorded.
        self._messages = {m.order.order_id: m for m in reversed(list(received)) if not m.sent_again}
        self._last = [m for m in self._messages.values() if receives[m.message_id] >= MAX_RECEIVES]
        self._within = environment.recorded_within()

    def begin(self) -> None:
        """Count orders on their last attempt as not in time, in case the attempt ends in a crash."""
        if self._last and self._within:
            log("INFO", "Last attempt", **metrics({IN_TIME: 0, NOT_IN_TIME: len(self._last)}))

    def end(self, recorded: Recorded) -> None:
        """Publish the times of recorded orders, and correct the number of last attempts that failed."""
        now, failures = datetime.now(UTC), recorded.failures
        times = [
            _seconds(message, now)
            for name, message in self._messages.items()
            # An earlier attempt may have inserted the row, without completing the order.
            if name in recorded.new
            or (message.message_id in self._repeated and message.message_id not in failures)
        ]
        counts = {}
        if self._within:
            late = sum(seconds > self._within for seconds in times)
            # An order that is refused does not count: no store is at fault.
            ended = [
                m for m in self._last if m.message_id not in failures or is_final(failures[m.message_id])
            ]
            counts = {IN_TIME: len(times) - late, NOT_IN_TIME: late - len(ended)}
        for values in _lines(times, counts):
            log("INFO", "Recorded in seconds", **metrics(values, units={TIME_TO_RECORD: "Seconds"}))


def _lines(times: Sequence[float], counts: Mapping[str, int]) -> Iterator[dict[str, int | Sequence[float]]]:
    """Yield the metrics of each log line: the counts are in the first."""
    if not times and any(counts.values()):
        yield {**counts}
    for start in range(0, len(times), MAX_VALUES):
        yield {TIME_TO_RECORD: times[start : start + MAX_VALUES], **({} if start else counts)}


def _seconds(message: Received, now: datetime) -> float:
    """Return the seconds since an order was accepted; 0 if the sender's clock is ahead."""
    accepted = message.order.created_at or now
    return max(0.0, round((now - accepted).total_seconds(), 3))
