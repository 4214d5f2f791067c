"""Concurrent sending of orders, at a rate, until all are sent or it is stopped."""

import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

from cli.errors import OperationError
from cli.stopping import Pace
from cli.traffic.client import Order, OrderClient, RefusedError
from cli.traffic.entrances import Sender, Sent, http_sender
from cli.traffic.plan import Entrance, Sending

CONNECTIONS = 8  # of many equal orders
INTERVAL = 0.1  # seconds; Python handles signals between two waits

# Called with each result and its start, by one thread at a time; an exception ends the sending.
OnSent = Callable[[Sending, Sent, float], object]


@contextmanager
def send(
    sendings: Iterable[Sending],
    senders: Mapping[Entrance, Sender],
    on_sent: OnSent,
    *,
    workers: int,
    stop: threading.Event,
    rate: float | None = None,
) -> Iterator[Callable[[], bool]]:
    """Send in the background; yield a function that waits for a moment and returns whether it still runs.

    Sending ends when `stop` is set, at the end of the `with` statement, and after an error, which is raised
    at that end. Requests in flight are completed. One thread at a time reads `sendings`, as fast as they are
    sent, or at a rate per second.
    """
    work = _Work(_batches(sendings, senders), senders, on_sent, Pace(rate, threading.Event()))
    futures: list[Future[None]] = []

    def is_sending() -> bool:
        if stop.is_set():
            work.end()
        return bool(wait(futures, timeout=INTERVAL).not_done)

    with ThreadPoolExecutor(workers) as pool:
        try:
            futures.extend(pool.submit(work) for _ in range(workers))
            yield is_sending
        finally:
            work.end()
    errors = [error for future in futures if (error := future.exception())]
    if errors:
        # A refusal has the reason; errors of other workers may follow from it.
        raise min(
            errors, key=lambda error: (isinstance(error, OperationError), not isinstance(error, RefusedError))
        )


@dataclass
class _Work:
    """The work of all workers, with their shared state; `pace.stop` ends it."""

    batches: Iterator[list[Sending]]
    senders: Mapping[Entrance, Sender]
    on_sent: OnSent
    pace: Pace
    turn: threading.Lock = field(default_factory=threading.Lock)  # to take the next batch
    result: threading.Lock = field(default_factory=threading.Lock)  # to pass results on

    def __call__(self) -> None:
        """Send batches until none is left, or `end` is called."""
        try:
            while batch := self._next():
                started = time.monotonic()
                results = self.senders[batch[0].entrance].send(batch)
                with self.result:
                    for sending, sent in zip(batch, results, strict=True):
                        self.on_sent(sending, sent, started)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Make all workers end after their current batch."""
        self.pace.stop.set()
        for sender in self.senders.values():
            sender.close()

    def _next(self) -> list[Sending] | None:
        with self.turn:
            batch = None if self.pace.stop.is_set() else next(self.batches, None)
            if batch is not None:
                self.pace.wait(len(batch))
            return None if self.pace.stop.is_set() else batch


def _batches(sendings: Iterable[Sending], senders: Mapping[Entrance, Sender]) -> Iterator[list[Sending]]:
    """Group sendings by entrance."""
    groups: defaultdict[Entrance, list[Sending]] = defaultdict(list)
    for sending in sendings:
        group = groups[sending.entrance]
        group.append(sending)
        if len(group) >= senders[sending.entrance].batch:
            yield groups.pop(sending.entrance)
    yield from groups.values()


@dataclass(kw_only=True)
class Placed:
    """Result of placing equal orders; `problem` is why not all were placed."""

    order_ids: list[str] = field(default_factory=list)
    problem: OperationError | None = None
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def accepted(self) -> int:
        """Return the number of orders that the API accepted."""
        return len(self.order_ids)


def place_many(
    client: OrderClient,
    order: Order,
    count: int,
    stop: threading.Event,
    on_accepted: Callable[[], object] = lambda: None,
) -> Placed:
    """Place an order `count` times, as different orders, until `stop` is set or one fails."""
    placed = Placed()
    started = time.monotonic()

    def on_sent(_sending: Sending, sent: Sent, _started: float) -> None:
        if sent.problem:
            raise sent.problem
        placed.order_ids.append(str(sent.order_id))
        on_accepted()

    same = itertools.repeat(Sending(number=0, body=order.json()), count)
    senders = {Entrance.HTTP: http_sender(client)}
    try:
        with send(same, senders, on_sent, workers=min(CONNECTIONS, count), stop=stop) as is_sending:
            while is_sending():
                pass
    except OperationError as error:
        placed.problem = None if stop.is_set() else error
    placed.interrupted = stop.is_set()
    placed.seconds = time.monotonic() - started
    return placed
