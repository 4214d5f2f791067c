"""Errors and reasons that stores, domain and handlers share."""

from __future__ import annotations

import traceback
from pathlib import PurePath


class StoreUnavailableError(Exception):
    """A store cannot be reached, or is too busy: the same orders may go through later."""


class OrderRefusedError(Exception):
    """A store takes none of a set of orders, because of what at least one of them holds."""


class SchemaError(Exception):
    """The database's schema cannot be changed before a person has done what the text says."""


class Refused(str):
    """Reason why a message or order is not taken, now or later; others are."""

    __slots__ = ()


class Conflict(Refused):
    """Reason why an order is not taken: its id belongs to another order."""

    __slots__ = ()


class Defect(Refused):
    """Place where our code failed on one order: a defect, which the next release may not have."""

    __slots__ = ()


def is_final(reason: str) -> bool:
    """Return whether trying again is useless until a person changes something: no store is at fault."""
    return isinstance(reason, Refused) and not isinstance(reason, Defect)


def location_of(error: Exception) -> str:
    """Return what failed and where, without the error's text: it may hold a customer's name."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {PurePath(frame.filename).name}, line {frame.lineno}"
