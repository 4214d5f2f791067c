"""Measure orders a second by batch size, and by the number of workers."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.subjects import Child, MeasurementError, Subject, start_together

Figures = dict[str, Any]
Report = Callable[[str], None]

LATENCIES = {"0 ms": (0.0, 0.0), "4 ms": (0.004, 0.020)}  # seconds of a call, and of a transaction
SIZES = (1, 10, 88, 100, 1000)
WORKER_SIZES = (1, 10, 88)
WORKERS = (1, 2, 4, 8)
# Orders of one measurement: at least so many, and so many batches.
EARLIER_ORDERS, OUR_ORDERS = 150, 300
EARLIER_BATCHES, OUR_BATCHES = 1, 10
ORDERS_BY_SIZE = {1: 300, 10: 1000, 88: 2640}  # of each worker, where several are compared
USAGE = (
    "statements",
    "connections",
    "write_units",
    "read_units",
    "conflicts",
    "conditions_failed",
    "log_bytes",
)


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Number of rounds, and share of the orders, to measure."""

    rounds: int = 5
    share: float = 1.0  # of the orders

    def orders(self, number: int, batch: int) -> int:
        """Return the share of a number of orders, in whole batches, at least one."""
        return max(1, round(number * self.share / batch)) * batch


def measure_batches(
    earlier: Subject, ours: Subject, effort: Effort, report: Report, sizes: Sequence[int] = SIZES
) -> list[Figures]:
    """Compare two workers in turns: one of the earlier system or of another revision, and one of ours.

    Measure the limit, too, if the first is the earlier system's.
    """
    rows = []
    with earlier.processes(earlier.worker) as (old,), ours.processes(ours.worker) as (new,):
        for name, (call, transaction) in LATENCIES.items():
            for child in (old, new):
                child.do("latency", call=call, transaction=transaction)
                child.do("batches", prefix=f"warm-{name[0]}", first=0, orders=20, batch=10)
            for size in sizes:
                report(f"One worker, batches of {size}, DynamoDB at {name}")
                orders = effort.orders(max(OUR_ORDERS, size * OUR_BATCHES), size)
                few = effort.orders(max(EARLIER_ORDERS, size * EARLIER_BATCHES), size)
                rounds = []
                for _ in range(effort.rounds):
                    figures = {"earlier": run(earlier, [old], orders if earlier.is_ours else few, size)}
                    if earlier.is_ours:
                        figures["ours"] = run(ours, [new], orders, size)
                    else:
                        figures["ours"], figures["limit"] = run_with_limit(ours, new, orders, size)
                    rounds.append(figures)
                rows.append({"latency": name, "batch": size, **compared(rounds)})
    return rows


def measure_workers(ours: Subject, effort: Effort, report: Report) -> list[Figures]:
    """Compare numbers of workers that record orders in parallel."""
    rows = []
    for name, (call, transaction) in LATENCIES.items():
        for size in WORKER_SIZES:
            rounds: dict[int, list[Figures]] = {count: [] for count in WORKERS}
            with ours.processes(ours.worker, max(WORKERS)) as children:
                for child in children:
                    child.do("latency", call=call, transaction=transaction)
                start_together(
                    children,
                    "batches",
                    [
                        {"prefix": f"warm-{n}", "first": 0, "orders": size, "batch": size}
                        for n in range(len(children))
                    ],
                )
                for turn in range(max(2, effort.rounds - 2)):
                    for count in WORKERS:
                        report(f"{count} workers, batches of {size}, DynamoDB at {name}, round {turn + 1}")
                        orders = effort.orders(ORDERS_BY_SIZE[size], size)
                        rounds[count].append(run(ours, children[:count], orders, size))
            one = [each["per_second"] for each in rounds[1]]
            for count, results in rounds.items():
                ratios = [each["per_second"] / base for each, base in zip(results, one, strict=True)]
                row = {"latency": name, "batch": size, "workers": count, "ratio": statistics.median(ratios)}
                rows.append(row | total(results))
                rows[-1].pop("seconds")
    return rows


def run(subject: Subject, children: Sequence[Child], orders: int, batch: int) -> Figures:
    """Record orders with all processes in parallel, and check the counts."""
    subject.empty()
    work = [
        {"prefix": f"worker-{number}", "first": 0, "orders": orders, "batch": batch}
        for number in range(len(children))
    ]
    results = start_together(children, "batches", work)
    seconds = max(each["ended"] for each in results) - min(each["began"] for each in results)
    figures = total(results)
    figures["per_second"] = (figures["orders"] - figures["failed"]) / seconds
    if not figures["failed"]:
        check(subject, figures["orders"])
    return figures


def run_with_limit(subject: Subject, child: Child, orders: int, batch: int) -> tuple[Figures, Figures]:
    """Record orders, then replay their statements and calls alone."""
    figures = run(subject, [child], orders, batch)
    subject.empty()
    limit = child.do("limit")
    limit["per_second"] = orders / sum(limit["seconds"])
    limit["cpu_ms"] = 1000 * limit["cpu"] / orders
    return figures, limit


def total(results: Sequence[Figures]) -> Figures:
    """Return the sums of the figures of several processes or rounds."""
    seconds = [each for result in results for each in result["seconds"]]
    calls: Counter[str] = Counter()
    for result in results:
        calls.update(result["calls"])
    orders = sum(result["orders"] for result in results)
    figures: Figures = {name: sum(result[name] for result in results) for name in USAGE}
    if all("per_second" in result for result in results):
        figures["per_second"] = statistics.median(result["per_second"] for result in results)
    return figures | {
        "orders": orders,
        "failed": sum(result["failed"] for result in results),
        "cpu": sum(result["cpu"] for result in results),
        "cpu_ms": 1000 * sum(result["cpu"] for result in results) / orders,
        "calls": dict(calls),
        "seconds": seconds,
        "median_ms": 1000 * statistics.median(seconds),
        "worst_ms": 1000 * max(seconds),
    }


def compared(rounds: Sequence[dict[str, Figures]]) -> Figures:
    """Return the medians of rounds, and the medians of the ratios within each round."""
    row: Figures = {}
    for name in rounds[0]:
        results = [each[name] for each in rounds]
        row[name] = (
            total(results)
            if "orders" in results[0]
            else {
                "per_second": statistics.median(each["per_second"] for each in results),
                "cpu_ms": statistics.median(each["cpu_ms"] for each in results),
            }
        )
        row[name]["batch_seconds"] = row[name].pop("seconds", [])
    for name, (first, second) in (
        ("times_earlier", ("ours", "earlier")),
        ("share_of_limit", ("ours", "limit")),
    ):
        if {first, second} <= row.keys():
            ratios = [each[first]["per_second"] / each[second]["per_second"] for each in rounds]
            row[name] = statistics.median(ratios)
            row[f"{name}_range"] = [min(ratios), max(ratios)]
    return row


def check(subject: Subject, orders: int) -> None:
    """Check that every order has a row and was counted once, in DynamoDB, too."""
    found = {
        "rows": int(subject.server.execute("SELECT COUNT(*) FROM orders", database=subject.database)[0][0])
    }
    shared = subject.shared
    with shared.locked():
        item = shared.get("CafeOrderMetrics/TOTAL_ORDERS") or {}
    found["TOTAL_ORDERS"] = int(item.get("count", {"N": "0"})["N"])
    if wrong := {name: number for name, number in found.items() if number != orders}:
        raise MeasurementError(f"Of {orders} orders in {subject.database}, these were counted: {wrong}.")


def per_thousand(figures: Figures) -> Iterator[tuple[str, float]]:
    """Yield the figures of 1,000 orders."""
    scale = 1000 / figures["orders"]
    yield "statements", figures["statements"] * scale
    for name, number in sorted(figures["calls"].items()):
        yield name, number * scale
    yield "write_units", figures["write_units"] * scale
