"""A load of orders: sent at a rate, and followed until all are recorded."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from cli.load.audit import Audit, Tally
from cli.load.plan import Plan
from cli.traffic.entrances import Sender, Sent
from cli.traffic.plan import Entrance, Kind, Sending
from cli.traffic.send import send

SAMPLE = 90  # orders whose latency is measured at the same time
INTERVAL = 0.1  # seconds between two readings, and so the precision of latencies
GRACE = 15.0  # seconds until the queue is empty: its numbers are approximate, and others may use it


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Progress of a run; latencies are the seconds from before a sending until both stores have the order."""

    sent: int
    done: int
    per_second: float
    latencies: tuple[float, ...]

    def latency(self, percent: float) -> float | None:
        """Return a percentile of the latencies."""
        if not self.latencies:
            return None
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))]


class Run:
    """One load, until all orders are recorded, or for `stall_timeout` seconds without progress."""

    def __init__(
        self, plan: Plan, audit: Audit, tally: Tally, *, stop: threading.Event, stall_timeout: float
    ) -> None:
        self._plan = plan
        self._audit = audit
        self._tally = tally
        self._stop = stop
        self._stall_timeout = stall_timeout
        self._lock = threading.Lock()
        self._accepted: list[tuple[str, float]] = []  # since the last reading, and when they were sent
        self._sample: dict[str, float] = {}
        self._latencies: list[float] = []
        self._done = 0
        self._started = self._progressed = 0.0

    def follow(
        self,
        senders: Mapping[Entrance, Sender],
        show: Callable[[Figures], object],
        *,
        workers: int,
        rate: float | None,
    ) -> None:
        """Send all orders; show the figures until all are recorded, nothing changes any more, or Ctrl-C."""
        self._started = self._progressed = time.monotonic()
        sendings = self._plan.sendings()
        with send(
            sendings, senders, self._on_sent, workers=workers, stop=self._stop, rate=rate
        ) as is_sending:
            while is_sending():
                self._read()
                self._progressed = time.monotonic()
                show(self.figures())
        while not (self._stop.is_set() or self._is_over()):
            if self._read():
                self._progressed = time.monotonic()
            show(self.figures())
            self._stop.wait(INTERVAL)

    def figures(self) -> Figures:
        """Return the progress."""
        return Figures(
            sent=len(self._tally.accepted),
            done=self._done,
            per_second=self._done / max(self.seconds, INTERVAL),
            latencies=tuple(sorted(self._latencies)),
        )

    @property
    def seconds(self) -> float:
        """Seconds from the first order to the last that was recorded."""
        return self._progressed - self._started

    def _is_over(self) -> bool:
        """Return whether all is recorded and the queue is empty, or nothing changes any more."""
        idle = time.monotonic() - self._progressed
        if self._sample or self._done < len(self._tally.accepted):
            return idle > self._stall_timeout
        return self._audit.depth() <= self._tally.undetected or idle > min(GRACE, self._stall_timeout)

    def _on_sent(self, sending: Sending, sent: Sent, started: float) -> None:
        self._tally.add(sending, sent)
        if sending.kind is Kind.ORDER and sent.order_id and not sent.problem:
            with self._lock:
                self._accepted.append((sent.order_id, started))

    def _read(self) -> bool:
        """Read how many orders are recorded, and which of the sample; return whether they grew."""
        with self._lock:
            accepted, self._accepted = self._accepted, []
        free = SAMPLE - len(self._sample)
        self._sample |= dict(random.sample(accepted, min(free, len(accepted))))
        try:
            recorded = [order_id for order_id, _, _ in self._audit.items(self._sample)]
            now = time.monotonic()
            done = self._audit.recorded()
        except (BotoCoreError, ClientError):
            return False  # perhaps throttled
        self._latencies += [now - self._sample.pop(order_id) for order_id in recorded]
        grew, self._done = done > self._done, done
        return grew
