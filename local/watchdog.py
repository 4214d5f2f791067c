"""Watchdog process that cleans up when the run's main process is killed.

It reads process groups from standard input, one a line (`+123`: started, `-123`: ended), which the kernel
closes when the main process dies. `done` means that nothing is left to do. It inherits the lock of the run
directory, so that no new run starts before the cleanup is complete.

Standard library only, without the virtual environment: it has to start in a few milliseconds.
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
    """Starts the watchdog process, and sends it the process groups to kill."""

    def __init__(self, directory: RunDirectory) -> None:
        self._process = subprocess.Popen(
            # -E: with PYTHONSAFEPATH, Python would not find this package.
            [sys.executable, "-E", "-S", "-m", __name__, str(directory.path)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[directory.descriptor],
            # Ctrl-C in the terminal must not reach it.
            start_new_session=True,
        )

    def started(self, group: int) -> None:
        """Kill the process group when this process dies."""
        self._send(f"+{group}")

    def ended(self, group: int) -> None:
        """Forget the process group: its number may be reused."""
        self._send(f"-{group}")

    def dismiss(self) -> None:
        """Stop the watchdog without a cleanup."""
        with contextlib.suppress(BrokenPipeError):
            self._send("done")
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.wait()

    def _send(self, line: str) -> None:
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
    # The current directory may be removed or unmounted meanwhile.
    os.chdir("/")
    watch(RunDirectory(Path(sys.argv[1])))
