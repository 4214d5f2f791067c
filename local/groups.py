"""Process groups: how everything that a run started is ended. The standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection


def end(groups: Collection[int], timeout: float = 2.0) -> None:
    """Kill process groups at once, and wait until they are gone or `timeout` seconds have passed.

    Nothing is asked to end by itself: all that the processes have is in the run directory, which is
    thrown away, and a database that shuts down properly takes longer than it is worth.
    """
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + timeout
    while any(map(exists, groups)) and time.monotonic() < deadline:
        time.sleep(0.01)


def exists(group: int) -> bool:
    """Whether a process of the group is left; on macOS, one that is not a zombie."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
