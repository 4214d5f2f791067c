"""A load of orders: sent at a rate, and followed until all are recorded."""

import random
import threading
import time
from bisect import insort
from collections.abc import Callable
from contextlib import AbstractContextManager

from botocore.exceptions import BotoCoreError, ClientError

from cli.load.audit import Audit
from cli.load.plan import Plan
from cli.traffic.entrances import Sent
from cli.traffic.plan import Kind, Sending

LATENCIES = (50, 95, 99)  # percentiles
SAMPLE = 90  # orders whose latency is measured at the same time
INTERVAL = 0.1  # seconds between two readings, and so the precision of latencies
GRACE = 15.0  # seconds until the queue is empty: its numbers are approximate, and others may use it


class Run:
    """One load, until all orders are recorded, or for `stall_timeout` seconds without progress."""

    def __init__(self, plan: Plan, audit: Audit, *, stop: threading.Event, stall_timeout: float) -> None:
        self._plan = plan
        self._audit = audit
        self._tally = audit.tally
        self._stop = stop
        self._stall_timeout = stall_timeout
        self._lock = threading.Lock()
        self._accepted: list[tuple[str, float]] = []  # since the last reading, and when they were sent
        self._sample: dict[str, float] = {}
        self._latencies: list[float] = []  # seconds until both stores had an order, ascending
        self._done = 0  # orders that are recorded
        self._started = self._progressed = 0.0

    def follow(self, sending: AbstractContextManager[Callable[[], bool]], show: Callable[[], object]) -> None:
        """Send all orders; show the progress until all are recorded, nothing changes any more, or Ctrl-C."""
        self._started = self._progressed = time.monotonic()
        with sending as is_sending:
            while is_sending():
                self._read()
                self._progressed = time.monotonic()
                show()
        while not (self._stop.is_set() or self._is_over()):
            if self._read():
                self._progressed = time.monotonic()
            show()
            self._stop.wait(INTERVAL)

    def on_sent(self, sending: Sending, sent: Sent, started: float) -> None:
        """Add the result of a sending; safe to call from another thread than `follow`."""
        self._tally.add(sending, sent)
        if sending.kind is Kind.ORDER and sent.order_id and not sent.problem:
            with self._lock:
                self._accepted.append((sent.order_id, started))

    @property
    def sent(self) -> int:
        """Return the orders that were accepted."""
        return len(self._tally.accepted)

    @property
    def line(self) -> str:
        """Return the progress, for people."""
        latencies = "  ".join(
            f"{name} {seconds:.1f} s" for name, seconds in self._percentiles().items() if seconds is not None
        )
        return (
            f"Sent {self.sent:,} of {self._plan.orders:,}  done {self._done:,}  "
            f"{self._per_second():.0f} per second  {latencies}"
        ).rstrip()

    def document(self) -> dict[str, object]:
        """Return the progress for `--json`."""
        return {
            "run": self._plan.run,
            "orders": self._plan.orders,
            "sent": self.sent,
            "done": self._done,
            "duplicates": self._tally.duplicates,
            "malformed": self._tally.refused + self._tally.undetected,
            "seconds": round(self._progressed - self._started, 3),
            "per_second": round(self._per_second(), 1),
            "latency": {**self._percentiles(), "sample": len(self._latencies)},
        }

    def _per_second(self) -> float:
        return self._done / max(self._progressed - self._started, INTERVAL)

    def _percentiles(self) -> dict[str, float | None]:
        """Return the percentiles of the latencies; None without any."""
        number = len(self._latencies)
        return {
            f"p{percent}": round(self._latencies[number * percent // 100], 3) if number else None
            for percent in LATENCIES
        }

    def _is_over(self) -> bool:
        """Return whether all is recorded and the queue is empty, or nothing changes any more."""
        idle = time.monotonic() - self._progressed
        if self._sample or self._done < self.sent:
            return idle > self._stall_timeout
        return self._audit.depth() <= self._tally.undetected or idle > min(GRACE, self._stall_timeout)

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
        for order_id in recorded:
            insort(self._latencies, now - self._sample.pop(order_id))
        grew, self._done = done > self._done, done
        return grew
