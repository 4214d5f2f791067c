"""Wait for conditions: as short as possible, and as long as a slow or busy machine may need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

# Seconds. Most conditions hold within one; only a failure takes this long.
LIMIT = 120.0


def eventually(condition: Callable[[], Any], limit: float = LIMIT) -> Any:
    """Wait until a condition holds, and return what it returned."""
    waiting = Retrying(
        stop=stop_after_delay(limit), wait=wait_fixed(0.05), retry=retry_if_result(lambda found: not found)
    )
    try:
        return waiting(condition)
    except RetryError as error:
        pytest.fail(f"still {error.last_attempt.result()!r} after {limit:g} seconds")
