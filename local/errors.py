"""What goes wrong in local mode, said to a person."""

from __future__ import annotations


class LocalError(Exception):
    """Local mode cannot go on; the message is one sentence for the person at the terminal."""


class AlreadyRunningError(LocalError):
    """Another local stack holds the run directory."""
