"""Messages and requests of a run, and the order in which they are sent."""

import heapq
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Entrance(StrEnum):
    """An entrance of a stack for orders."""

    HTTP = "http"
    TOPIC = "topic"
    QUEUE = "queue"


class Kind(StrEnum):
    """Kind of a sending."""

    ORDER = "order"
    DUPLICATE = "duplicate"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A message or a request."""

    number: int  # the order's, in its run
    body: str
    kind: Kind = Kind.ORDER
    entrance: Entrance = Entrance.HTTP
    order_id: str | None = None  # or, over HTTP, the idempotency key


def in_order(steps: Iterable[Iterable[tuple[float, Sending]]]) -> Iterator[Sending]:
    """Sort the sendings of all steps by position; step n has none before n, so that few are in memory."""
    waiting: list[tuple[float, int, Sending]] = []
    ticket = itertools.count()
    for number, step in enumerate(steps):
        for position, sending in step:
            heapq.heappush(waiting, (position, next(ticket), sending))
        while waiting and waiting[0][0] <= number:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]
