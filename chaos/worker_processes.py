"""Processes of the functions in a local stack."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from local.directory import RunDirectory
from local.errors import LocalError

_FUNCTION_NAME = "AWS_LAMBDA_FUNCTION_NAME"  # set by MiniStack as by AWS


class WorkerProcesses:
    """The processes of some functions of the stack in a directory; any number of them."""

    def __init__(self, directory: Path, *function_names: str) -> None:
        self._function_names = function_names
        holder = RunDirectory(directory).holder()
        if holder is None:
            raise LocalError(f"No local stack runs in {directory}.")
        self._stack = psutil.Process(holder)
        self._lock = threading.Lock()
        self.killed = 0

    def kill(self) -> None:
        """Kill all of them at once."""
        for process in list(self._processes()):
            with suppress(psutil.Error):
                self._kill(process)

    def kill_caller(self, port: int) -> bool:
        """Kill the one whose end of a TCP connection is `port`; return whether there was one."""
        for process in self._processes():
            with suppress(psutil.Error):
                connections = process.net_connections(kind="tcp4")
                if any(connection.laddr and connection.laddr.port == port for connection in connections):
                    self._kill(process)
                    return True
        return False

    def _kill(self, process: psutil.Process) -> None:
        process.kill()
        with self._lock:
            self.killed += 1

    def _processes(self) -> Iterator[psutil.Process]:
        for process in self._stack.children(recursive=True):
            is_ours = False
            with suppress(psutil.Error):  # it has ended, or belongs to another user
                is_ours = process.environ().get(_FUNCTION_NAME) in self._function_names
            if is_ours:
                yield process
