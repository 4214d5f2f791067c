"""Measure the kitchen's list and a change, by rows."""

from __future__ import annotations

import statistics
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import database, subjects
from bench.batches import Figures, Report
from bench.database import Server
from bench.subjects import Child, MeasurementError

OPEN = 40  # orders on the screen
TIMES, SECONDS = 100, 3.0  # maximum number and duration of the requests of a measurement
PER_DAY = 500
ROWS = (100, 100_000, 5_000_000)  # the first two with --quick
CALL, TRANSACTION = 0.004, 0.02  # seconds of DynamoDB's latency
LIST = {"httpMethod": "GET", "resource": "/kitchen", "headers": {}, "actor": "bench"}


def measure_kitchen(
    server: Server, directory: Path, report: Report, *, sizes: Sequence[int], rounds: int
) -> list[Figures]:
    """Measure responses of `StaffOrders`, in turns, on tables of several sizes."""
    with ExitStack() as stack:
        pairs: list[tuple[Figures, Child, Child]] = []
        for rows in sizes:
            report(f"Filling a table with {rows:,} orders")
            subject = subjects.ours(server, directory / f"kitchen-{rows}", f"kitchen_{rows}")
            database.fill(server, subject.database, rows, PER_DAY)
            server.execute("ANALYZE TABLE orders", database=subject.database)
            (worker,) = stack.enter_context(subject.processes(subject.worker))
            (staff,) = stack.enter_context(subject.processes("staff_orders"))
            worker.do("batches", prefix="open", first=0, orders=OPEN, batch=OPEN)
            staff.do("invoke", events=[LIST] * 3)
            pairs.append(({"rows": rows, "list": [], "commit": [], "response": []}, worker, staff))
        for turn in range(rounds):
            report(f"Kitchen on tables of {len(sizes)} sizes, round {turn + 1}")
            for figures, worker, staff in pairs:
                listed = staff.do("invoke", events=[LIST] * TIMES, most_seconds=SECONDS)
                figures["list"].append(_p50(listed))
                figures["list_statements"] = listed["statements"] / listed["invocations"]
                # Without DynamoDB's latency, most of a change's time is its commit.
                for name, call in (("commit", 0.0), ("response", CALL)):
                    staff.do("latency", call=call, transaction=TRANSACTION if call else 0.0)
                    changed = _change(worker, staff, f"{name}-{turn}")
                    figures[name].append(_p50(changed))
                    figures["change_statements"] = changed["statements"] / changed["invocations"]
    return [figures for figures, _, _ in pairs]


def _change(worker: Child, staff: Child, prefix: str) -> dict[str, Any]:
    """Record orders and close each, so that the screen has as many orders as before."""
    worker.do("batches", prefix=prefix, first=0, orders=TIMES, batch=TIMES)
    changes = [_patch(f"{prefix}-{number}") for number in range(TIMES)]
    found = staff.do("invoke", events=changes, most_seconds=10 * SECONDS)
    if found["response"]["statusCode"] != 200:
        raise MeasurementError(f"A change was refused: {found['response']['body']}")
    return found


def _patch(order_id: str) -> dict[str, Any]:
    return {
        "httpMethod": "PATCH",
        "resource": "/orders/{id}",
        "pathParameters": {"id": order_id},
        "headers": {"If-Match": '"1"', "Idempotency-Key": str(uuid.uuid4())},
        "body": '{"state": "collected"}',
        "actor": "bench",
    }


def _p50(found: dict[str, Any]) -> float:
    return float(1000 * statistics.median(found["seconds"]))
