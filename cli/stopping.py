"""Stopping between two steps of work at Ctrl-C, limiting its rate, and repeating it in a thread."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from local import signals


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C, SIGTERM or SIGHUP sets; the second one interrupts at once."""
    stop = threading.Event()

    def stop_soon(_number: int) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():  # only the main thread has signals
        yield stop
        return
    with signals.handled(stop_soon):
        yield stop


@contextmanager
def repeating(action: Callable[[], object], *, every: float) -> Iterator[None]:
    """Repeat an action in another thread."""
    stop = threading.Event()

    def repeat() -> None:
        action()
        while not stop.wait(every):
            action()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Pace:
    """Limits a rate per second, if there is one; after a delay it catches up by at most a second's worth."""

    def __init__(self, rate: float | None, stop: threading.Event) -> None:
        self.rate, self.stop = rate, stop
        self._between = 1 / rate if rate else 0.0
        self._due = time.monotonic()

    def wait(self, number: int = 1) -> None:
        """Wait until the next ones are due; a Ctrl-C ends the wait."""
        if self._between:
            self.stop.wait(max(0.0, self._due - time.monotonic()))
            self._due = max(self._due, time.monotonic() - 1) + self._between * number
