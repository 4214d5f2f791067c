"""Ports of this machine."""

from __future__ import annotations

import socket

from local.errors import LocalError


def choose(requested: int, option: str) -> int:
    """Return a port of the loopback that nobody listens on: the requested one, or any for 0.

    Raises
    ------
    LocalError
        When the requested port is taken; names the option with which to choose another.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # A port whose last connections are not timed out yet is free for a server.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", requested))
        except OSError as error:
            raise LocalError(
                f"Port {requested} is in use; choose another with {option}, or {option} 0 for any free one."
            ) from error
        port: int = listener.getsockname()[1]
        return port
