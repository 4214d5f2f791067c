"""How processes are ended, and how to tell that they are. The standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

_PROCESSES = Path("/proc")  # on Linux; macOS has no such directory


def kill(groups: Collection[int], timeout: float = 30.0) -> None:
    """Kill process groups at once, and wait until they are gone or `timeout` seconds have passed.

    Nothing is asked to end by itself: all that the processes have is in the run directory, which is
    thrown away, and a database that shuts down properly takes longer than it is worth.
    """
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + timeout
    while any(map(_group_exists, groups)) and time.monotonic() < deadline:
        time.sleep(0.01)


def is_alive(process_id: int) -> bool:
    """Whether there is such a process, and not only its zombie, which waits for its parent to notice."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    stat = _PROCESSES / str(process_id) / "stat"
    return not _PROCESSES.is_dir() or _group_of_living(stat) is not None


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        # The second is what macOS says of a group of zombies.
        return False
    if not _PROCESSES.is_dir():
        return True
    # In a container, process 1 may take a second to notice an orphan that has ended, or never do so.
    return any(_group_of_living(stat) == group for stat in _PROCESSES.glob("[0-9]*/stat"))


def _group_of_living(stat: Path) -> int | None:
    """Return the process group that a Linux `stat` file tells, None for a zombie or when it is gone."""
    try:
        text = stat.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name, which can hold anything, is in parentheses; state, parent and group follow.
    state, _, group = text.rpartition(")")[2].split()[:3]
    return None if state in "ZX" else int(group)
