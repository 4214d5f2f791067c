"""Local stacks in processes of their own, for tests that interrupt and kill them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from local import stack
from tests import database_engine
from tests.waiting import LIMIT, eventually

# A minimal program.
PROGRAM = """
import pulumi
import pulumi_random as random

pulumi.export("page_url", "https://d1.cloudfront.net/order-status")
pulumi.export("number", random.RandomId("number", byte_length=4).hex)
"""


def write_program(directory: Path, text: str = PROGRAM) -> Path:
    """Write a Pulumi project, and return its directory."""
    directory.mkdir()
    (directory / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (directory / "__main__.py").write_text(text)
    return directory


class StackProcess:
    """A local stack in a process of its own, with its output."""

    def __init__(self, directory: Path, program: Path, *, port: int = 0) -> None:
        self.directory = directory
        options = stack.Options(
            directory=directory, port=port, database_server=database_engine.chosen(), program=program
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local", options.encode()],
            cwd=stack.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """Output so far."""
        return "".join(self._lines)

    def wait_for(self, text: str) -> None:
        """Wait until the output contains a text."""
        eventually(lambda: text in self.output or self.process.poll() is not None)
        assert text in self.output, self.output

    def wait(self) -> int:
        """Wait until it exits, and return its exit code."""
        code = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        return code

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def close(self) -> None:
        """Kill it if it is still running, and wait until its processes are gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        eventually(lambda: not leftovers(self.directory))
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.append(line)


def leftovers(directory: Path) -> list[str]:
    """Return the processes that refer to a run directory."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            values = [process.cwd(), *process.cmdline(), *process.environ().values()]
            if (
                any(str(directory) in value for value in values)
                and process.pid != os.getpid()
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(f"{process.pid} {process.name()}")
    return found


def processes_in(directory: Path, word: str) -> Iterator[psutil.Process]:
    """Yield the processes that run in a directory and have a word in their command."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd().startswith(str(directory)) and word in " ".join(process.cmdline()):
                yield process
