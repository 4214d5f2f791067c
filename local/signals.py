"""The signals that end a process: Ctrl-C, termination, and a terminal that is closed."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handled(handle: Callable[[int], object]) -> Iterator[None]:
    """Pass these signals' numbers to `handle` while the `with` statement lasts; only for the main thread."""
    before = {number: signal.signal(number, lambda number, _: handle(number)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
