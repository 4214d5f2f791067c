"""The processes in which a running local stack runs its functions."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

from local.directory import RunDirectory
from local.errors import LocalError

# MiniStack tells a function its name as AWS does.
_FUNCTION_NAME = "AWS_LAMBDA_FUNCTION_NAME"


class Workers:
    """The processes of one function of the stack that runs in a directory; there can be none, or several."""

    def __init__(self, directory: Path, function_name: str) -> None:
        self._function_name = function_name
        holder = RunDirectory(directory).holder()
        if holder is None:
            raise LocalError(f"No local stack runs in {directory}.")
        self._stack = psutil.Process(holder)

    def kill(self) -> int:
        """Kill all of them at once, whatever they are doing, and return how many that were."""
        killed = 0
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
                killed += 1
        return killed

    def kill_caller(self, port: int) -> bool:
        """Kill the one whose end of a TCP connection is `port`; return whether there was one."""
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                connections = process.net_connections(kind="tcp4")
                if any(connection.laddr and connection.laddr.port == port for connection in connections):
                    process.kill()
                    return True
        return False

    def _processes(self) -> list[psutil.Process]:
        found = []
        for process in self._stack.children(recursive=True):
            # One that ends just now, or is not ours to look into, is none of them.
            with contextlib.suppress(psutil.Error):
                if process.environ().get(_FUNCTION_NAME) == self._function_name:
                    found.append(process)
        return found
