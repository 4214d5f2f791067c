"""The TCP ports of the local stack."""

from __future__ import annotations

import socket

from local.errors import LocalError

DEFAULT_PORT = 4566  # of the stack; the database's is any free one


def choose(requested: int, option: str) -> int:
    """Return a free port of 127.0.0.1: the requested one, or any for 0.

    Raises
    ------
    LocalError
        The requested port is in use; the message names the option to choose another.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # A server may listen on a port whose last connections are in TIME_WAIT.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", requested))
        except OSError as error:
            raise LocalError(
                f"Port {requested} is in use; choose another with {option}, or {option} 0 for any free one."
            ) from error
        port: int = listener.getsockname()[1]
        return port
