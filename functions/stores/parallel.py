"""Calls to a service in several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def call_in_parallel(threads: Executor, call: Callable[[T], R], arguments: Iterable[T]) -> list[R]:
    """Make a call with each argument, several at once, and return the results in order.

    Once a call fails no other begins, and its error is raised when none is running: what still ran would go
    on in the function's next invocation.
    """
    errors: list[Exception] = []

    def run(argument: T) -> list[R]:
        if not errors:
            try:
                return [call(argument)]
            except Exception as error:  # noqa: BLE001  # raised below
                errors.append(error)
        return []

    results = [result for found in threads.map(run, arguments) for result in found]
    if errors:
        raise errors[0]
    return results
