"""Calls in several threads, and batches of their arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def call_in_parallel(threads: Executor, call: Callable[[T], R], arguments: Iterable[T]) -> list[R]:
    """Make a call with each argument in parallel, and return the results in order.

    After an error no further call starts, and the error is raised once none is running: Lambda would freeze
    a running call, and resume it in the next invocation.
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


def batches(some: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Split a sequence into batches of at most `size` elements."""
    return (some[start : start + size] for start in range(0, len(some), size))
