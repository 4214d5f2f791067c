"""A load of orders: sent at a rate, and followed to the end."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from cli.load.checks import Counters, Tally
from cli.load.plan import Door, Kind, Plan
from cli.queues import groups
from cli.stopping import Pace

SAMPLE = 90  # orders whose end is waited for at the same time
LOOK = 0.1  # seconds between two looks, and so the precision of latencies
GRACE = 15.0  # seconds: the queue's numbers are approximate, and others may use it


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How far a run is; latencies in seconds, from before the sending to when both stores have the order."""

    sent: int
    done: int
    per_second: float
    latencies: tuple[float, ...]

    def latency(self, percent: float) -> float | None:
        """Return the latency that so many percent of the sample do not exceed."""
        if not self.latencies:
            return None
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))]


class Run:
    """One load, from the first order to the last check."""

    def __init__(
        self,
        plan: Plan,
        door: Door,
        counters: Counters,
        *,
        hands: int,
        stop: threading.Event,
        patience: float,
    ) -> None:
        self._plan = plan
        self._door = door
        self._counters = counters
        self._hands = hands
        self._stop = stop
        self._patience = patience
        self.tally = Tally()
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._news: list[tuple[str, float]] = []  # orders that were just sent, and when
        self._waited_for: dict[str, float] = {}
        self._latencies: list[float] = []
        self._done = 0
        self.before = counters.before()
        self._started = 0.0
        self._finished = 0.0

    def follow(self) -> Iterator[Figures]:
        """Send everything and yield the figures until all is done, nothing moves any more, or Ctrl-C."""
        steps = iter(groups(self._plan.sequence(), self._door.size))
        pace = Pace(self._plan.rate, self._stop)
        self._started = moved = time.monotonic()
        hands: list[Future[None]] = []
        with ThreadPoolExecutor(self._hands) as pool:
            try:
                hands.extend(pool.submit(self._work, steps, pace) for _ in range(self._hands))
                while True:
                    sending = bool(wait(hands, timeout=LOOK).not_done)
                    done = self._done
                    self._look()
                    if sending or self._done > done:
                        moved = time.monotonic()
                    self._finished = moved
                    yield self.figures()
                    stuck = time.monotonic() - moved > self._patience
                    if self._stop.is_set():
                        self._door.close()
                    if not sending and (stuck or self._stop.is_set() or self._is_over(moved)):
                        break
            finally:
                self._stop_if_left(hands)
        for hand in hands:
            hand.result()

    def figures(self) -> Figures:
        """Return how far it is."""
        seconds = max(self._finished - self._started, LOOK)
        return Figures(
            sent=len(self.tally.taken),
            done=self._done,
            per_second=self._done / seconds,
            latencies=tuple(sorted(self._latencies)),
        )

    @property
    def seconds(self) -> float:
        """From the first order to the last that was done."""
        return self._finished - self._started

    def _is_over(self, moved: float) -> bool:
        """Whether all is done, and no duplicate is left that might be counted."""
        if self._waited_for or self._done < len(self.tally.taken):
            return False
        return self._counters.depth() <= self.tally.swallowed or time.monotonic() - moved > GRACE

    def _stop_if_left(self, hands: Sequence[Future[None]]) -> None:
        """Stop the sending when nobody reads the figures any more, after an exception for example."""
        if not all(hand.done() for hand in hands):
            self._stop.set()
        self._door.close()

    def _work(self, steps: Iterator[list[tuple[Kind, int]]], pace: Pace) -> None:
        try:
            self._send_all(steps, pace)
        except BaseException:
            self._stop.set()  # what stops one worker stops all
            raise

    def _send_all(self, steps: Iterator[list[tuple[Kind, int]]], pace: Pace) -> None:
        while not self._stop.is_set():
            with self._turn:
                step = next(steps, None)
                if step is None:
                    return
                pace.wait(len(step))
                if self._stop.is_set():
                    return
            started = time.monotonic()
            results = self._door.send([self._plan.body(kind, number) for kind, number in step])
            with self._lock:
                for (kind, number), sent in zip(step, results, strict=True):
                    self.tally.note(kind, number, sent)
                    if kind is Kind.ORDER and sent.order_id and not sent.problem:
                        self._news.append((sent.order_id, started))

    def _look(self) -> None:
        """See how many are done, and which of the sample."""
        with self._lock:
            news, self._news = self._news, []
        free = SAMPLE - len(self._waited_for)
        self._waited_for |= dict(random.sample(news, min(free, len(news))))
        try:
            present = self._counters.present(self._waited_for)
            now = time.monotonic()
            items = self._counters.items()
        except (BotoCoreError, ClientError):
            return  # throttled, perhaps; the next look tells more
        self._latencies += [now - self._waited_for.pop(order_id) for order_id in present]
        self._done = sum(
            (items[item] - self.before.items[item]) // quantity for item, quantity in self._plan.items.items()
        )
