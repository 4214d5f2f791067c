"""Errors of local mode, reported to the user."""

from __future__ import annotations


class LocalError(Exception):
    """Local mode cannot continue; the message is one sentence for the user."""


class AlreadyRunningError(LocalError):
    """Another local stack holds the run directory."""
