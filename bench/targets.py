"""Compare the measured figures with the targets."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.batches import Figures

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """One promise: a figure that is at least or at most a limit."""

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
        """Return whether a figure keeps the promise."""
        return figure >= self.limit if self.sign == "≥" else figure <= self.limit


def _batch(latency: str, batch: int, name: str) -> Callable[[Results], float]:
    return lambda results: float(_row(results["batches"], latency=latency, batch=batch)[name])


def _workers(batch: int, name: str) -> Callable[[Results], float]:
    return lambda results: float(_row(results["workers"], latency="4 ms", batch=batch, workers=4)[name])


def _row(rows: list[Figures], **wanted: object) -> Figures:
    return next(row for row in rows if all(row[name] == value for name, value in wanted.items()))


def _worst(batch: int) -> Callable[[Results], float]:
    def figure(results: Results) -> float:
        row = _row(results["workers"], latency="4 ms", batch=batch, workers=4)
        return float(row["worst_ms"] / row["median_ms"])

    return figure


def _units(workers: int) -> Callable[[Results], float]:
    def figure(results: Results) -> float:
        row = _row(results["workers"], latency="4 ms", batch=10, workers=workers)
        return float(row["write_units"] / row["orders"])

    return figure


def _growth(by: str) -> Callable[[Results], float]:
    def figure(results: Results) -> float:
        rounds = [row["ours"]["p50_ms_by_round"] for row in results["status"][by]]
        return float(
            statistics.median(most / fewest for fewest, most in zip(rounds[0], rounds[-1], strict=True))
        )

    return figure


def _kitchen(name: str) -> Callable[[Results], float]:
    return lambda results: max(statistics.median(row[name]) for row in results["kitchen"])


def _kitchen_growth(results: Results) -> float:
    first, last = results["kitchen"][0], results["kitchen"][-1]
    ratios = (most / few for few, most in zip(first["list"], last["list"], strict=True))
    return float(statistics.median(ratios))


def _cold(function: str, name: str) -> Callable[[Results], float]:
    return lambda results: float(_row(results["cold"], function=function)[name])


def _failed(results: Results) -> float:
    return float(sum(row["failed"] for row in results["workers"]))


TARGETS = (
    *(
        Target(
            f"one worker, batches of {batch}, × of the earlier system",
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
    Target("4 workers, batches of 1: worst batch / median", "≤", 5, "×", _worst(1), "workers"),
    Target("4 workers, batches of 10: worst batch / median", "≤", 5, "×", _worst(10), "workers"),
    Target("failed messages, any number of workers", "≤", 0, "", _failed, "workers"),
    Target("write units per order, batches of 10, 1 worker", "≤", 1.8, "", _units(1), "workers"),
    Target("write units per order, batches of 10, 4 workers", "≤", 1.8, "", _units(4), "workers"),
    Target(
        "orders published at once: seconds from the last to all recorded",
        "≤",
        20,
        "s",
        lambda r: float(r["pipeline"]["burst"]["after_last"]),
        "pipeline",
    ),
    Target(
        "orders published at once: dead letters",
        "≤",
        0,
        "",
        lambda r: float(r["pipeline"]["burst"]["dead_letters"]),
        "pipeline",
    ),
    Target("order status p50, most / fewest orders a day", "≤", 1.5, "×", _growth("by_day"), "status"),
    Target("order status p50, most / fewest rows", "≤", 1.3, "×", _growth("by_rows"), "status"),
    Target("a change p50, DynamoDB at 0 ms", "≤", 20, "ms", _kitchen("commit"), "kitchen"),
    Target("a change p50, DynamoDB at 4 ms", "≤", 45, "ms", _kitchen("answer"), "kitchen"),
    Target("kitchen p50, most / fewest rows", "≤", 1.5, "×", _kitchen_growth, "kitchen"),
    *(
        Target(
            f"{what} of the {function}, × of the earlier system",
            "≤",
            0.75,
            "×",
            _cold(function, name),
            "cold",
        )
        for what, name in (("imports", "ratio"), ("imports and clients", "ready_ratio"))
        for function in ("worker", "order status")
    ),
    Target("audit while 200 orders/s come in", "≤", 15, "s", lambda r: float(r["audit"]["seconds"]), "audit"),
    Target(
        "slowest batch during the audit", "≤", 1, "s", lambda r: float(r["audit"]["worst_ms"] / 1000), "audit"
    ),
    Target(
        "a worker frozen before COMMIT: others resume after",
        "≤",
        30,
        "s",
        lambda r: float(r["frozen"]["seconds"]),
        "frozen",
    ),
)
