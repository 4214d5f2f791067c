"""A tiny process that cleans up when the process it watches is killed.

It is told the process groups through its standard input, a line each (`+123`: started, `-123`: ended), which
the kernel closes when the writer is gone, however it went. `done` means that there is nothing left to do. The
lock of the run directory is inherited, so that no new run starts before this one is cleaned up.

The standard library only, and no virtual environment: it has to start in a few milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from local import process_groups
from local.directory import RunDirectory

_ROOT = Path(__file__).parent.parent


class Watchdog:
    """The watched side: starts the watchdog, and tells it what to end."""

    def __init__(self, directory: RunDirectory) -> None:
        self._process = subprocess.Popen(
            # -E: with PYTHONSAFEPATH it would not find this package.
            [sys.executable, "-E", "-S", "-m", __name__, str(directory.path)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[directory.descriptor],
            # Ctrl-C in the terminal is for the watched process alone.
            start_new_session=True,
        )

    def started(self, group: int) -> None:
        """Have the process group ended when this process dies."""
        self._tell(f"+{group}")

    def ended(self, group: int) -> None:
        """Forget the process group: its number may soon be another's."""
        self._tell(f"-{group}")

    def dismiss(self) -> None:
        """End the watchdog: everything is cleaned up already."""
        with contextlib.suppress(BrokenPipeError):
            self._tell("done")
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()


def watch(directory: RunDirectory) -> None:
    """Wait for the end of standard input, then clean up."""
    running: set[int] = set()
    for line in sys.stdin:
        match line[0], line[1:].strip():
            case "+", group:
                running.add(int(group))
            case "-", group:
                running.discard(int(group))
            case _:
                return
    process_groups.kill(running)
    directory.release(keep_logs=False)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Whatever directory the command was called in can be removed or unmounted meanwhile.
    os.chdir("/")
    watch(RunDirectory(Path(sys.argv[1])))
