"""Compare the measured figures with the targets."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any

from bench.batches import Figures

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A figure with an upper or a lower limit."""

    what: str
    sign: str  # ≥ or ≤
    limit: float
    unit: str
    figure: Callable[[Results], float]
    part: str

    def measured(self, results: Results) -> float | None:
        """Return the figure, None if its part was not measured."""
        return self.figure(results) if results.get(self.part) else None

    def is_met(self, figure: float) -> bool:
        """Return whether a figure is within the limit."""
        return figure >= self.limit if self.sign == "≥" else figure <= self.limit


def _at(*path: str) -> Callable[[Results], float]:
    def figure(results: Any) -> float:
        return float(reduce(getitem, path, results))

    return figure


def _batch(latency: str, batch: int, name: str) -> Callable[[Results], float]:
    return lambda results: float(_row(results["batches"], latency=latency, batch=batch)[name])


def _workers(
    batch: int, name: str, divisor: str | None = None, workers: int = 4
) -> Callable[[Results], float]:
    def figure(results: Results) -> float:
        row = _row(results["workers"], latency="4 ms", batch=batch, workers=workers)
        return float(row[name] / (row[divisor] if divisor else 1))

    return figure


def _row(rows: list[Figures], **wanted: object) -> Figures:
    return next(row for row in rows if all(row[name] == value for name, value in wanted.items()))


def _growth(rounds: Sequence[Sequence[float]]) -> float:
    """Return the median ratio of the figures of the largest table to those of the smallest."""
    return float(statistics.median(most / few for few, most in zip(rounds[0], rounds[-1], strict=True)))


def _status_growth(by: str) -> Callable[[Results], float]:
    return lambda results: _growth([row["ours"]["p50_ms_by_round"] for row in results["status"][by]])


def _kitchen_growth(results: Results) -> float:
    return _growth([row["list"] for row in results["kitchen"]])


def _kitchen(name: str) -> Callable[[Results], float]:
    return lambda results: max(statistics.median(row[name]) for row in results["kitchen"])


def _cold(function: str, name: str) -> Callable[[Results], float]:
    return lambda results: float(_row(results["cold"], function=function)[name])


def _failed(results: Results) -> float:
    return float(sum(row["failed"] for row in results["workers"]))


EARLIER = "× of the earlier system"
TARGETS = (
    *(
        Target(
            f"one worker, batches of {batch}, {EARLIER}",
            "≥",
            limit,
            "×",
            _batch("4 ms", batch, "times_earlier"),
            "batches",
        )
        for batch, limit in ((10, 12), (88, 45), (1000, 54))
    ),
    *(
        Target(
            f"share of the limit, batches of {batch}, DynamoDB at {latency}",
            "≥",
            limit,
            "",
            _batch(latency, batch, "share_of_limit"),
            "batches",
        )
        for latency, limit in (("4 ms", 0.9), ("0 ms", 0.7))
        for batch in (10, 88)
    ),
    Target("4 workers / 1 worker, batches of 1", "≥", 2.5, "×", _workers(1, "ratio"), "workers"),
    Target("4 workers / 1 worker, batches of 10", "≥", 1.6, "×", _workers(10, "ratio"), "workers"),
    *(
        Target(
            f"4 workers, batches of {batch}: worst batch / median",
            "≤",
            5,
            "×",
            _workers(batch, "worst_ms", "median_ms"),
            "workers",
        )
        for batch in (1, 10)
    ),
    Target("failed messages, any number of workers", "≤", 0, "", _failed, "workers"),
    *(
        Target(
            f"write units per order, batches of 10, {name}",
            "≤",
            1.8,
            "",
            _workers(10, "write_units", "orders", workers),
            "workers",
        )
        for workers, name in ((1, "1 worker"), (4, "4 workers"))
    ),
    Target(
        "orders published at once: seconds from the last to all recorded",
        "≤",
        20,
        "s",
        _at("pipeline", "burst", "after_last"),
        "pipeline",
    ),
    Target(
        "orders published at once: dead letters",
        "≤",
        0,
        "",
        _at("pipeline", "burst", "dead_letters"),
        "pipeline",
    ),
    Target("order status p50, most / fewest orders a day", "≤", 1.5, "×", _status_growth("by_day"), "status"),
    Target("order status p50, most / fewest rows", "≤", 1.3, "×", _status_growth("by_rows"), "status"),
    Target("a change p50, DynamoDB at 0 ms", "≤", 20, "ms", _kitchen("commit"), "kitchen"),
    Target("a change p50, DynamoDB at 4 ms", "≤", 45, "ms", _kitchen("response"), "kitchen"),
    Target("kitchen p50, most / fewest rows", "≤", 1.5, "×", _kitchen_growth, "kitchen"),
    *(
        Target(f"{what} of the {function}, {EARLIER}", "≤", 0.75, "×", _cold(function, name), "cold")
        for what, name in (("imports", "ratio"), ("imports and clients", "ready_ratio"))
        for function in ("worker", "order status")
    ),
    Target("audit while 200 orders/s come in", "≤", 15, "s", _at("audit", "seconds"), "audit"),
    Target("slowest batch during the audit", "≤", 1000, "ms", _at("audit", "worst_ms"), "audit"),
    Target(
        "a worker frozen before COMMIT: others resume after", "≤", 30, "s", _at("frozen", "seconds"), "frozen"
    ),
)
