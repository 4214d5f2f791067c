"""Compare the work tree with another revision, in turns on the same server."""

from __future__ import annotations

from collections.abc import Sequence

from bench.batches import LATENCIES, OUR_BATCHES, OUR_ORDERS, Effort, Figures, Report, compared, run
from bench.status import compare_status
from bench.subjects import Subject

SIZES = (1, 10, 88, 1000)
STATUS_SIZE = (100_000, 50_000)


def compare_workers(
    before: Subject, now: Subject, effort: Effort, report: Report, sizes: Sequence[int] = SIZES
) -> list[Figures]:
    """Compare a worker of each, and check the counts of both."""
    rows = []
    with before.processes(before.worker) as (old,), now.processes(now.worker) as (new,):
        for name, (call, transaction) in LATENCIES.items():
            for child in (old, new):
                child.do("latency", call=call, transaction=transaction)
                child.do("batches", prefix=f"warm-{name[0]}", first=0, orders=20, batch=10)
            for size in sizes:
                report(f"Batches of {size}, DynamoDB at {name}")
                orders = effort.orders(max(OUR_ORDERS, size * OUR_BATCHES), size)
                rounds = [
                    {"earlier": run(before, [old], orders, size), "ours": run(now, [new], orders, size)}
                    for _ in range(effort.rounds)
                ]
                rows.append({"latency": name, "batch": size, **compared(rounds)})
    return rows


def compare_pages(before: Subject, now: Subject, effort: Effort, report: Report) -> Figures:
    """Compare the order status of both on the same orders."""
    (found,) = compare_status({STATUS_SIZE: (before, now)}, report, effort.rounds).values()
    return found
