"""Failures of stores and orders: exceptions, and the reasons that stores, domain and handlers share.

What a client reads about an invalid request is in `order.py`, `http_request.py` and `change.py`.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath


class StoreUnavailableError(Exception):
    """A store is unreachable or too busy; the same orders may be recorded later."""


class OrderRefusedError(Exception):
    """A store refuses a set of orders because of the content of at least one of them."""


class SchemaError(Exception):
    """The database's schema cannot be changed until a person has done what the text says."""


class Refused(str):
    """Reason that concerns one message or order alone: neither a store nor another order is the cause."""

    __slots__ = ()


class Conflict(Refused):
    """Reason why an order is refused: its id belongs to another order."""

    __slots__ = ()


class Defect(Refused):
    """Reason why our code failed on one order: the location of the error, which the next release may fix."""

    __slots__ = ()


def is_final(reason: str) -> bool:
    """Return whether a retry is useless until a person corrects the message or the order."""
    return isinstance(reason, Refused) and not isinstance(reason, Defect)


def location_of(error: Exception) -> str:
    """Return an error's type and location, without its text, which may hold a customer's name."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {PurePath(frame.filename).name}, line {frame.lineno}"
