"""Wait for conditions for as long as a busy machine may need, with growing pauses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential

# Seconds. Most conditions hold within one; only a failure takes this long.
LIMIT = 120.0
# Checking a stack takes more CPU time than most of the changes that it waits for.
PAUSES = wait_exponential(multiplier=0.05, exp_base=1.5, max=0.25)


def eventually(condition: Callable[[], Any], limit: float = LIMIT) -> Any:
    """Wait until a condition holds, and return what it returned."""
    waiting = Retrying(
        stop=stop_after_delay(limit), wait=PAUSES, retry=retry_if_result(lambda found: not found)
    )
    try:
        return waiting(condition)
    except RetryError as error:
        pytest.fail(f"still {error.last_attempt.result()!r} after {limit:g} seconds")
