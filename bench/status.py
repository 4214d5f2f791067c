"""The order status: how long a request takes, by rows and by orders a day."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from bench import database
from bench.batches import Figures, Report
from bench.subjects import Subject

TIMES, SECONDS = 100, 3.0  # requests of one measurement, and how long they may take
# Rows, and how many of them a day.
BY_DAY = ((1_000, 500), (100_000, 50_000), (2_000_000, 1_000_000))
BY_ROWS = ((1_000, 500), (100_000, 500), (5_000_000, 500))
QUICK_BY_DAY = ((1_000, 500), (100_000, 50_000))
QUICK_BY_ROWS = ((1_000, 500), (100_000, 500))


def measure_status(
    earlier: Subject,
    ours: Subject,
    report: Report,
    *,
    by_day: Sequence[tuple[int, int]],
    by_rows: Sequence[tuple[int, int]],
    rounds: int,
) -> dict[str, list[Figures]]:
    """Compare the two systems' status functions, in turns, on tables of several sizes."""
    known: dict[tuple[int, int], Figures] = {}
    for rows, per_day in dict.fromkeys([*by_day, *by_rows]):
        known[rows, per_day] = compare_on(earlier, ours, report, rows=rows, per_day=per_day, rounds=rounds)
    return {"by_day": [known[size] for size in by_day], "by_rows": [known[size] for size in by_rows]}


def fill(subject: Subject, rows: int, per_day: int) -> None:
    """Fill the tables with orders, and count them as an operator does."""
    subject.empty()
    database.fill(subject.server, subject.database, rows, per_day)
    subject.server.execute("ANALYZE TABLE orders", database=subject.database)
    if subject.is_ours:
        with subject.processes("reconcile_orders") as (child,):
            child.do("invoke", event={"command": "full"})
    else:
        put_earlier_total(subject, rows)


def put_earlier_total(subject: Subject, rows: int) -> None:
    """Put the earlier system's one metric, which its status scans."""
    shared = subject.shared
    with shared.locked():
        shared.put(
            "CafeOrderMetrics/TOTAL_ORDERS", {"metric": {"S": "TOTAL_ORDERS"}, "count": {"N": str(rows)}}
        )


def compare_on(
    earlier: Subject, ours: Subject, report: Report, *, rows: int, per_day: int, rounds: int
) -> Figures:
    """Compare two status functions on tables of one size."""
    report(f"Filling two tables with {rows:,} orders, {per_day:,} a day")
    fill(earlier, rows, per_day)
    fill(ours, rows, per_day)
    report(f"Order status of {rows:,} orders, {per_day:,} a day")
    times: dict[str, list[float]] = {"earlier": [], "ours": []}
    figures: dict[str, Any] = {"rows": rows, "per_day": per_day}
    with earlier.processes(earlier.status) as (old,), ours.processes(ours.status) as (new,):
        for child in (old, new):
            child.do("invoke", event={}, times=5)
        for _ in range(rounds):
            for name, child in (("earlier", old), ("ours", new)):
                answer = child.do("invoke", event={}, times=TIMES, most_seconds=SECONDS)
                times[name] += answer["seconds"]
                figures[name] = {
                    key: answer[key] / answer["invocations"]
                    for key in ("statements", "connections", "read_units")
                }
    for name, seconds in times.items():
        ordered = sorted(seconds)
        figures[name] |= {
            "p50_ms": 1000 * statistics.median(ordered),
            "p95_ms": 1000 * ordered[int(len(ordered) * 0.95)],
            "requests": len(ordered),
        }
    return figures
