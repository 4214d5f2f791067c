"""Set when the messages that the worker reports as failed become visible again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from log import log
from orders.backoff import visibility
from orders.failures import is_final, location_of

if TYPE_CHECKING:
    from stores.sqs import OrderQueue

RESERVE = 4.0  # seconds of the invocation, reserved for the last call and the response


def back_off(
    queue: Callable[[], OrderQueue],
    records: Iterable[Mapping[str, Any]],
    reasons: Mapping[str, str],
    *,
    received: float,
    context: Any,
) -> None:
    """Set the visibility of the messages that failed, in the time that the invocation has left.

    If that fails, it is logged, and a message is received again after the queue's own visibility timeout.
    `reasons` is by message id; the batch was `received` at that time of `time.monotonic`.
    """
    failed = [record for record in records if record["messageId"] in reasons]
    if not failed:
        return

    def seconds_left() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000 - RESERVE

    try:
        problem = _set(queue(), failed, reasons, received, seconds_left)
    except Exception as error:  # noqa: BLE001  # must not fail messages that are recorded
        problem = location_of(error)
    if problem:
        log("ERROR", "Visibility not set", reason=problem)


def _set(
    queue: OrderQueue,
    failed: list[Mapping[str, Any]],
    reasons: Mapping[str, str],
    received: float,
    seconds_left: Callable[[], float],
) -> str | None:
    if seconds_left() <= 0:
        return f"no time is left, {len(failed)} messages"
    # Orders before invalid messages, and orders with more receives first.
    failed.sort(key=lambda record: (is_final(reasons[record["messageId"]]), -_receives(record)))
    backs_off = any(not is_final(reasons[record["messageId"]]) for record in failed)
    timeout = queue.visibility_timeout() if backs_off else 0
    elapsed = time.monotonic() - received
    seconds = {
        record["receiptHandle"]: visibility(
            reasons[record["messageId"]], _receives(record), elapsed=elapsed, queue_timeout=timeout
        )
        for record in failed
    }
    return queue.set_visibility(seconds, seconds_left)


def _receives(record: Mapping[str, Any]) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])
