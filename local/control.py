"""Control pipe of a running local stack: `make chaos` and tests kill and start its database.

A named pipe in the run directory that only the stack's owner can write to, one request a line. Without a
response: poll the database's port. Not a Unix socket, whose path would have to be short.
"""

from __future__ import annotations

import enum
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

from local.directory import CONTROL
from local.errors import LocalError


class Request(enum.Enum):
    """A request to a running stack."""

    KILL_DATABASE = "kill database"  # with SIGKILL
    START_DATABASE = "start database"  # on the same data and port


def send(directory: Path, request: Request) -> None:
    """Send a request to the stack that runs in `directory`; return without waiting for it.

    Raises
    ------
    LocalError
        No stack runs there, or it is another user's.
    """
    try:
        # Fail if the pipe has no reader.
        descriptor = os.open(directory / CONTROL, os.O_WRONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise LocalError(f"No local stack runs in {directory}.") from None
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise LocalError(f"No local stack runs in {directory}.") from None
        raise LocalError(f"Cannot write to {directory / CONTROL}: {error.strerror}.") from error
    try:
        os.write(descriptor, f"{request.value}\n".encode())
    finally:
        os.close(descriptor)


class Control:
    """Reads requests in a thread of the running stack, and ignores unknown ones."""

    def __init__(self, directory: Path, receive: Callable[[Request], None]) -> None:
        path = directory / CONTROL
        os.mkfifo(path, 0o600)
        # Open for writing as well, so that reading does not end when a writer closes the pipe.
        self._descriptor = os.open(path, os.O_RDWR)
        self._receive = receive
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        os.write(self._descriptor, b"\0")
        self._thread.join()
        os.close(self._descriptor)

    def _read(self) -> None:
        rest = b""
        while b"\0" not in rest:
            *lines, rest = (rest + os.read(self._descriptor, 512)).split(b"\n")
            for line in lines:
                if line.decode(errors="replace") in set(Request._value2member_map_):
                    self._receive(Request(line.decode()))
