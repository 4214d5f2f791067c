"""Handlers of the signals that end a process: Ctrl-C, termination, and a closed terminal."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handled(handle: Callable[[int], object]) -> Iterator[None]:
    """Call `handle` with the signal's number within the `with` statement; in the main thread only."""
    before = {number: signal.signal(number, lambda number, _: handle(number)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
