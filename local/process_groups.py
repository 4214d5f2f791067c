"""Kills process groups, and checks that processes are gone. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

_PROCESSES = Path("/proc")  # Linux only


def kill(groups: Collection[int], timeout: float = 30.0) -> None:
    """Kill process groups, and wait until they are gone, for at most `timeout` seconds.

    No graceful shutdown: their data is in the run directory, which is removed, and a database takes long
    to shut down.
    """
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + timeout
    while any(map(_group_exists, groups)) and time.monotonic() < deadline:
        time.sleep(0.01)


def is_alive(process_id: int) -> bool:
    """Return whether a process exists and is not a zombie."""
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
        # macOS raises PermissionError for a group of zombies.
        return False
    if not _PROCESSES.is_dir():
        return True
    # In a container, process 1 may reap orphans late or never.
    return any(_group_of_living(stat) == group for stat in _PROCESSES.glob("[0-9]*/stat"))


def _group_of_living(stat: Path) -> int | None:
    """Return the process group in a Linux `stat` file; None for a zombie, or if the process is gone."""
    try:
        text = stat.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name, which can hold anything, is in parentheses; state, parent and group follow.
    state, _, group = text.rpartition(")")[2].split()[:3]
    return None if state in "ZX" else int(group)
