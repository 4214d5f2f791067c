"""The faults of a run: when each is made, and the thread that makes them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from chaos.faults import Fault
from chaos.plan import Plan
from cli.errors import AnswerError

MESSAGES_PER_FAULT = 400
SHORTEST, LONGEST = 0.4, 1.4  # seconds that a fault lasts
INTERVAL = 0.02  # seconds between two checks of a thread


class StoppedError(Exception):
    """The run was stopped by Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, after how many messages it begins, and how long it lasts, in seconds."""

    at: int
    fault: Fault
    seconds: float


def schedule(faults: Sequence[Fault], plan: Plan, messages: int) -> list[Planned]:
    """Spread faults over a run, all kinds equally often, in an order and for times that the seed decides."""
    chance = plan.chance("faults", 0)
    rounds = max(1, messages // MESSAGES_PER_FAULT // len(faults))
    kinds = [fault for _ in range(rounds) for fault in chance.sample(faults, len(faults))]
    step = messages / (len(kinds) + 1)
    return [
        Planned(at=round((index + 0.5) * step), fault=fault, seconds=chance.uniform(SHORTEST, LONGEST))
        for index, fault in enumerate(kinds)
    ]


class FaultThread:
    """Makes planned faults one after the other, no earlier than at their message.

    The sender waits for a fault that is due: each has its share of the messages, however fast they are sent.
    """

    def __init__(
        self, planned: Sequence[Planned], make: Callable[[Planned], None], pause: Callable[[float], None]
    ) -> None:
        self._planned = planned
        self._make = make
        self._pause = pause
        self._closing = False
        self._begun = [threading.Event() for _ in planned]
        self._due = threading.Semaphore(0)
        self._next = 0
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make faults while the `with` statement lasts; at its end, what is broken is repaired first."""
        self._thread.start()
        try:
            yield
        finally:
            self._closing = True
            self._due.release()
            self._thread.join()

    def reach(self, position: int) -> None:
        """Set the position of the next message; wait until a fault that is due has begun."""
        while self._next < len(self._planned) and self._planned[self._next].at <= position:
            self._due.release()
            while not self._begun[self._next].is_set():
                self._check()
            self._next += 1

    def finish(self) -> None:
        """Wait until the last fault is over."""
        while self._thread.is_alive():
            self._check()

    def _check(self) -> None:
        self._pause(INTERVAL)
        if self._failure is not None:
            raise AnswerError(f"A fault could not be made or repaired: {self._failure}") from self._failure

    def _work(self) -> None:
        for planned, begun in zip(self._planned, self._begun, strict=True):
            self._due.acquire()
            if self._closing:
                return
            begun.set()
            try:
                self._make(planned)
            except StoppedError:
                return
            except Exception as error:  # noqa: BLE001  # the sender raises it
                self._failure = error
                return
