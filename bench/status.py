"""Measure the order status: the time of a request by rows and by orders a day."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import database, subjects
from bench.batches import Figures, Report
from bench.database import Server
from bench.subjects import Child, Subject

PER_REQUEST = ("statements", "connections", "read_units")
TIMES, SECONDS = 100, 3.0  # maximum number and duration of the requests of a measurement
# Numbers of rows, and of orders a day; the first two with --quick.
BY_DAY = ((1_000, 500), (100_000, 50_000), (2_000_000, 1_000_000))
BY_ROWS = ((1_000, 500), (100_000, 500), (5_000_000, 500))

Size = tuple[int, int]


def measure_status(
    server: Server,
    directory: Path,
    report: Report,
    *,
    by_day: Sequence[Size],
    by_rows: Sequence[Size],
    rounds: int,
) -> dict[str, list[Figures]]:
    """Compare the two systems' status functions, in turns, on tables of several sizes."""
    pairs: dict[Size, tuple[Subject, Subject]] = {}
    for number, size in enumerate(dict.fromkeys([*by_day, *by_rows])):
        earlier = subjects.earlier(server, directory / f"earlier-{number}", f"earlier_{number}")
        pairs[size] = earlier, subjects.ours(server, directory / f"status-{number}", f"status_{number}")
    known = compare_status(pairs, report, rounds)
    return {"by_day": [known[size] for size in by_day], "by_rows": [known[size] for size in by_rows]}


def compare_status(
    pairs: Mapping[Size, tuple[Subject, Subject]], report: Report, rounds: int
) -> dict[Size, Figures]:
    """Fill the tables of pairs of systems, and compare their status functions in turns."""
    for (rows, per_day), pair in pairs.items():
        report(f"Filling two tables with {rows:,} orders, {per_day:,} a day")
        for subject in pair:
            fill(subject, rows, per_day)
    figures: dict[Size, Figures] = {
        size: {"rows": size[0], "per_day": size[1], "earlier": {"seconds": []}, "ours": {"seconds": []}}
        for size in pairs
    }
    with ExitStack() as stack:
        children: list[tuple[Figures, Child]] = []
        for size, pair in pairs.items():
            for name, subject in zip(("earlier", "ours"), pair, strict=True):
                (child,) = stack.enter_context(subject.processes(subject.status))
                child.do("invoke", events=[{}] * 3)
                children.append((figures[size][name], child))
        for turn in range(rounds):
            report(f"Order status on tables of {len(pairs)} sizes, round {turn + 1}")
            for found, child in children:
                _add(found, child.do("invoke", events=[{}] * TIMES, most_seconds=SECONDS))
    return {size: _summarized(found) for size, found in figures.items()}


def fill(subject: Subject, rows: int, per_day: int) -> None:
    """Fill the tables with orders, and count them."""
    subject.empty()
    database.fill(subject.server, subject.database, rows, per_day)
    subject.server.execute("ANALYZE TABLE orders", database=subject.database)
    if subject.is_ours:
        with subject.processes("reconcile_orders") as (child,):
            child.do("invoke", events=[{"command": "full"}])
    else:
        _put_total(subject, rows)


def _put_total(subject: Subject, rows: int) -> None:
    """Put the earlier system's only metric, which its status scans."""
    item = {"metric": {"S": "TOTAL_ORDERS"}, "count": {"N": str(rows)}}
    shared = subject.shared
    with shared.locked():
        shared.put("CafeOrderMetrics/TOTAL_ORDERS", item)


def _add(found: Figures, measured: Figures) -> None:
    """Add a round."""
    found["seconds"].append(measured["seconds"])
    found |= {name: measured[name] / measured["invocations"] for name in PER_REQUEST}


def _summarized(size: Figures) -> Figures:
    for name in ("earlier", "ours"):
        rounds = size[name].pop("seconds")
        ordered = sorted(each for seconds in rounds for each in seconds)
        size[name] |= {
            "p50_ms": 1000 * statistics.median(ordered),
            "p95_ms": 1000 * ordered[int(len(ordered) * 0.95)],
            "p50_ms_by_round": [1000 * statistics.median(seconds) for seconds in rounds],
            "requests": len(ordered),
        }
    return size
