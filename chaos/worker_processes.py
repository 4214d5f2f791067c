"""Processes of the functions in a local stack."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from local.directory import RunDirectory
from local.errors import LocalError

_FUNCTION_NAME = "AWS_LAMBDA_FUNCTION_NAME"  # set by MiniStack as by AWS


class WorkerProcesses:
    """The processes of one function of the stack in a directory; any number of them."""

    def __init__(self, directory: Path, function_name: str) -> None:
        self._function_name = function_name
        holder = RunDirectory(directory).holder()
        if holder is None:
            raise LocalError(f"No local stack runs in {directory}.")
        self._stack = psutil.Process(holder)

    def kill(self) -> int:
        """Kill all of them at once, and return their number."""
        killed = 0
        for process in list(self._processes()):
            with suppress(psutil.Error):
                process.kill()
                killed += 1
        return killed

    def kill_caller(self, port: int) -> bool:
        """Kill the one whose end of a TCP connection is `port`; return whether there was one."""
        for process in self._processes():
            with suppress(psutil.Error):
                connections = process.net_connections(kind="tcp4")
                if any(connection.laddr and connection.laddr.port == port for connection in connections):
                    process.kill()
                    return True
        return False

    def _processes(self) -> Iterator[psutil.Process]:
        for process in self._stack.children(recursive=True):
            is_ours = False
            with suppress(psutil.Error):  # it has ended, or belongs to another user
                is_ours = process.environ().get(_FUNCTION_NAME) == self._function_name
            if is_ours:
                yield process
