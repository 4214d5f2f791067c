"""When a message that failed becomes visible again (docs/decisions/0008-outages.md)."""

from __future__ import annotations

import random

from orders.errors import Defect, is_final

MAX_RECEIVES = 3  # after as many, SQS moves a message to `OrderDLQ` when it is visible again
DELAYS = (10, 60)  # seconds after the first receive, and after the second
JITTER = 0.2  # so that what failed together does not come again together


def visibility(reason: str, receives: int, *, elapsed: float, queue: int) -> int:
    """Return for how many more seconds a message that failed stays invisible.

    It was received `receives` times, for the last time `elapsed` seconds ago: a store that is slow to fail
    delays no order further. None waits longer than the queue's own visibility timeout, `queue` seconds.
    """
    # An invalid message goes to `OrderDLQ` at once, and so does an order that has had all its attempts:
    # from there it is recorded as soon as the store is back. What nobody foresaw must not become a busy loop.
    if is_final(reason) or (receives >= MAX_RECEIVES and not isinstance(reason, Defect)):
        return 0
    delay = DELAYS[min(receives, len(DELAYS)) - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return max(1, round(min(delay, queue) - elapsed))
