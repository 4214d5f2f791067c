"""Orders of a period once more: each under its own id and time, so that it is counted once all the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cli import queues, times
from cli.messages import enveloped
from cli.queues import Outgoing, Send
from cli.stopping import Pace


@dataclass(kw_only=True)
class Replayed:
    """What became of a replay; `failures` says why not, by order id."""

    sent: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


def bare(order: dict[str, Any]) -> str:
    """Return an order as its publisher would say it, with its id."""
    return json.dumps({name: value for name, value in order.items() if name != "created_at"}, sort_keys=True)


def in_envelope(order: dict[str, Any]) -> str:
    """Return an order as the queue gets it from SNS: the envelope says when it was sent."""
    sent = times.parsed(order["created_at"])
    if sent is None:
        raise ValueError(f"{order['created_at']!r} is no time")
    return enveloped(str(order["orderId"]), sent, bare(order))


def replay(
    pages: Iterable[list[dict[str, Any]]],
    body: Callable[[dict[str, Any]], str],
    send: Send,
    *,
    stop: threading.Event,
    rate: float | None = None,
    advance: Callable[[int], object] = lambda _number: None,
) -> Replayed:
    """Send orders until there are no more or Ctrl-C is typed."""
    replayed = Replayed()
    pace = Pace(rate, stop)
    at_once = queues.step(rate)
    for page in pages:
        for start in range(0, len(page), at_once):
            batch = page[start : start + at_once]
            pace.wait(len(batch))
            if stop.is_set():
                replayed.interrupted = True
                return replayed
            results = send([Outgoing(body=body(order), attributes={}) for order in batch])
            for order, result in zip(batch, results, strict=True):
                if result.problem is None:
                    replayed.sent += 1
                else:
                    replayed.failures[str(order["orderId"])] = result.problem
            advance(len(batch))
    return replayed
