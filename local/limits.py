"""Limit of open files, which the processes of a local stack inherit."""

from __future__ import annotations

import resource

from local.errors import LocalError

# With a dozen workers MiniStack has 135 files open, and MariaDB has 55.
LEAST = 256
# macOS starts processes with 256, which they may raise.
WANTED = 4096


def raise_open_files() -> None:
    """Raise the limit of open files, as far as this process may.

    Raises
    ------
    LocalError
        The hard limit is lower than what a local stack needs.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if most < LEAST:
        raise LocalError(
            f"A process may open {most} files here, and a local stack needs {LEAST}: raise the limit"
            f" (`ulimit -Hn {LEAST}` as root), or start it from another shell."
        )
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
