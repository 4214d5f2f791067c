"""Makes the messages that the worker reports as failed visible again when it is useful to try them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from log import log
from orders.backoff import visibility
from orders.errors import is_final, place_of

RESERVE = 4.0  # seconds of the invocation that are left for the last call and for the answer


class Queue(Protocol):
    """`OrderQueue`, as far as it is needed here."""

    def visibility_timeout(self) -> int:
        """Return the queue's own visibility timeout in seconds."""

    def set_visibility(self, seconds: Mapping[str, int], left: Callable[[], float]) -> str | None:
        """Set messages' visibility by their receipt handles, in this order; return why not for all."""


def back_off(
    queue: Callable[[], Queue],
    records: Iterable[Mapping[str, Any]],
    reasons: Mapping[str, str],
    *,
    received: float,
    context: Any,
) -> None:
    """Set the visibility of the messages that failed, in the time that the invocation has left.

    Where that fails, a message comes again after the queue's own visibility timeout: logged, and harmless.

    Parameters
    ----------
    queue
        Opens the queue.
    records
        The batch, as records of an SQS event.
    reasons
        Why messages failed, by their ids.
    received
        When the batch was received, as `time.monotonic` measures it.
    context
        The invocation's context.
    """
    failed = [record for record in records if record["messageId"] in reasons]
    if not failed:
        return
    try:
        problem = _set(queue(), failed, reasons, received, _time_left(context))
    except Exception as error:  # noqa: BLE001  # the batch's other messages are recorded, and must stay so
        problem = place_of(error)
    if problem:
        log("ERROR", "Visibility not set", reason=problem)


def _set(
    queue: Queue,
    failed: list[Mapping[str, Any]],
    reasons: Mapping[str, str],
    received: float,
    left: Callable[[], float],
) -> str | None:
    if left() <= 0:
        return f"no time is left, {len(failed)} messages"
    # Orders before invalid messages, and those that have waited longest before the others.
    failed.sort(key=lambda record: (is_final(reasons[record["messageId"]]), -_receives(record)))
    backs_off = any(not is_final(reasons[record["messageId"]]) for record in failed)
    timeout = queue.visibility_timeout() if backs_off else 0
    elapsed = time.monotonic() - received
    seconds = {
        record["receiptHandle"]: visibility(
            reasons[record["messageId"]], _receives(record), elapsed=elapsed, queue=timeout
        )
        for record in failed
    }
    return queue.set_visibility(seconds, left)


def _receives(record: Mapping[str, Any]) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])


def _time_left(context: Any) -> Callable[[], float]:
    return lambda: context.get_remaining_time_in_millis() / 1000 - RESERVE
