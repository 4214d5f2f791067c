"""Ctrl-C during work that goes on step by step: the step under way is finished, then the work stops."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets; the second one interrupts at once, as ever.

    A terminal that is closed, or who ends the process, does as much.
    """
    stop = threading.Event()

    def stop_soon(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():  # only the main thread has signals
        yield stop
        return
    before = {number: signal.signal(number, stop_soon) for number in ENDING}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Pace:
    """At most so many things a second; `None`: as fast as they go.

    What fell behind is made up for, but never more than a second's worth at once.
    """

    def __init__(self, rate: float | None, stop: threading.Event) -> None:
        self._between = 1 / rate if rate else 0.0
        self._stop = stop
        self._due = time.monotonic()

    def wait(self, things: int = 1) -> None:
        """Wait until the next `things` are due; a Ctrl-C ends the wait."""
        if self._between:
            self._stop.wait(max(0.0, self._due - time.monotonic()))
            self._due = max(self._due, time.monotonic() - 1) + self._between * things
