"""The faults of a run: when each is made."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from chaos.faults import Fault
from chaos.plan import Plan
from cli.traffic.plan import Sending

PER_FAULT = 400  # messages and moves
SHORTEST, LONGEST = 0.4, 1.4  # seconds that a fault lasts
INTERVAL = 0.02  # seconds between two checks


class StoppedError(Exception):
    """The run was stopped by Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, after how many messages it begins, and how long it lasts, in seconds."""

    at: int
    fault: Fault
    seconds: float


def schedule(faults: Sequence[Fault], plan: Plan, messages: int, moves: int = 0) -> list[Planned]:
    """Spread faults over a run, all kinds equally often, in an order and for times that the seed decides."""
    chance = plan.chance("faults", 0)
    rounds = max(1, (messages + moves) // PER_FAULT // len(faults))
    kinds = [fault for _ in range(rounds) for fault in chance.sample(faults, len(faults))]
    step = messages / (len(kinds) + 1)
    return [
        Planned(at=round((index + 0.5) * step), fault=fault, seconds=chance.uniform(SHORTEST, LONGEST))
        for index, fault in enumerate(kinds)
    ]


class Gate:
    """Messages of a run, held back where a fault is due until it has begun.

    Each fault has its share of the messages then, however fast they are sent.
    """

    def __init__(
        self, sendings: Iterable[Sending], planned: Iterable[Planned], pause: Callable[[float], None]
    ) -> None:
        self._sendings = sendings
        self._due = [each.at for each in planned]
        self._pause = pause
        self.is_holding = False

    def __iter__(self) -> Iterator[Sending]:
        """Yield the messages, each after the faults that are due before it."""
        for position, sending in enumerate(self._sendings):
            while self._due and self._due[0] <= position:
                self.is_holding = True
                self._pause(INTERVAL)
            yield sending

    def let_pass(self) -> None:
        """Release the messages before the next fault: this one has begun."""
        self.is_holding = False
        del self._due[:1]

    @contextmanager
    def open_at_end(self) -> Iterator[None]:
        """Release all messages at the end of the `with` statement, so that their sender can end."""
        try:
            yield
        finally:
            self._due.clear()
