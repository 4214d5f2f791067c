"""The way in for tools that break a running local stack on purpose: a named pipe in its run directory.

Only the stack's owner can write to it. It takes a line for each request, `kill database` or `start
database`; whoever asks sees at the database's port that it was done. A pipe, because a socket's path has to
be short.
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
    """What a running stack does when it is asked to."""

    KILL_DATABASE = "kill database"  # as the kernel would: nothing is written, nobody is told
    START_DATABASE = "start database"  # again, on the same data and the same port


def ask(directory: Path, request: Request) -> None:
    """Hand a request to the stack that runs in `directory`; it is carried out a moment later.

    Raises
    ------
    LocalError
        When no stack runs there, or it is another user's.
    """
    try:
        # Without a reader, opening fails instead of waiting for one.
        descriptor = os.open(directory / CONTROL, os.O_WRONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise LocalError(f"No local stack runs in {directory}.") from None
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise LocalError(f"No local stack runs in {directory}.") from None
        raise LocalError(
            f"The local stack in {directory} cannot be told anything ({error.strerror})."
        ) from error
    try:
        os.write(descriptor, f"{request.value}\n".encode())
    finally:
        os.close(descriptor)


class Control:
    """The running stack's side: passes every request that it understands on, in a thread of its own."""

    def __init__(self, directory: Path, receive: Callable[[Request], None]) -> None:
        path = directory / CONTROL
        os.mkfifo(path, 0o600)
        # Open for writing too: so there is no end of file while nobody else writes.
        self._descriptor = os.open(path, os.O_RDWR)
        self._receive = receive
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        os.write(self._descriptor, b"\0")
        self._thread.join()
        os.close(self._descriptor)

    def _listen(self) -> None:
        heard = b""
        while b"\0" not in heard:
            *lines, heard = (heard + os.read(self._descriptor, 512)).split(b"\n")
            for line in lines:
                if line.decode(errors="replace") in set(Request._value2member_map_):
                    self._receive(Request(line.decode()))
