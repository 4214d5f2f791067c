"""Delays before a failed message becomes visible again (docs/decisions/0008-outages.md)."""

from __future__ import annotations

import random

from orders.failures import Defect, is_final

MAX_RECEIVES = 3  # then SQS moves the message to `OrderDLQ` as soon as it is visible again
DELAYS = (10, 60)  # seconds after the first receive, and after the second
JITTER = 0.2  # share of a delay
# The queue's visibility timeout is at least 6 timeouts of the worker.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_PER_TIMEOUT = 6


def visibility(reason: str, receives: int, *, elapsed: float, queue_timeout: int) -> int:
    """Return for how many more seconds a failed message stays invisible.

    Parameters
    ----------
    reason
        Why it failed.
    receives
        How often it was received.
    elapsed
        Seconds since the last receive; they count as part of the delay.
    queue_timeout
        The queue's own visibility timeout, in seconds; no delay is longer.
    """
    # An invalid message goes to `OrderDLQ` at once, as does an order after its last attempt: the sweep
    # records it as soon as the store is back. A defect is delayed each time, as the sweep would retry it in a
    # busy loop.
    if is_final(reason) or (receives >= MAX_RECEIVES and not isinstance(reason, Defect)):
        return 0
    delay = DELAYS[min(receives, len(DELAYS)) - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return max(1, round(min(delay, queue_timeout) - elapsed))
