"""Speed tests with moto up: skip its stand-in for `requests`, copy its initial state, and cache what
botocore and moto would compute again for each session or request.
"""

from __future__ import annotations

import copy
import copyreg
import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import botocore.session
import moto.sqs.models
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID, RESPONSES_METHODS
from moto.core.utils import camelcase_to_underscores

T = TypeVar("T")

# Registering every URL for the package `requests`, which no test calls, would take most of a start's time.
RESPONSES_METHODS.clear()
# The descriptions of AWS's services: each session would list and parse them again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# The names of a queue's attributes
moto.sqs.models.camelcase_to_underscores = functools.cache(camelcase_to_underscores)  # type: ignore[attr-defined]
# A queue has one, which is not held when it is copied.
copyreg.pickle(threading.Condition, lambda _: (threading.Condition, ()))
_made: dict[str, tuple[Any, list[Any], list[dict[str, Any]]]] = {}


def make_or_copy(make: Callable[[], T], region: str, *services: str) -> T:
    """Create something in empty services of moto; at later calls, copy what the first one created.

    A call to moto takes milliseconds, and some hundred tests begin with the same calls.
    """
    find: Any = get_backend  # typed for names that are written out
    backends: list[Any] = [find(service)[DEFAULT_ACCOUNT_ID][region] for service in services]
    name = make.__qualname__
    if name not in _made:
        made = make()
        _made[name] = made, backends, _copied([vars(backend) for backend in backends], backends, backends)
        return made
    made, first, states = _made[name]
    for backend, state in zip(backends, _copied(states, first, backends), strict=True):
        vars(backend).update(state)
    return made


def _copied(states: list[dict[str, Any]], old: list[Any], new: list[Any]) -> list[dict[str, Any]]:
    """Copy the states of backends, with references to the new backends in place of the old ones."""
    return copy.deepcopy(states, {id(one): other for one, other in zip(old, new, strict=True)})
