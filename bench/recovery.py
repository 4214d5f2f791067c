"""Measure the audit of a large table, and the effect of a worker that is frozen before COMMIT."""

from __future__ import annotations

import os
import signal
import time

from bench.batches import Figures, Report, check
from bench.status import fill
from bench.subjects import MeasurementError, Subject

RATE, BATCH = 200, 10  # orders a second during the audit, and of a batch
FROZEN_BATCH = 10


def measure_audit(ours: Subject, report: Report, *, rows: int, seconds: float) -> Figures:
    """Audit a table while orders come in, and check all counters at the end.

    Parameters
    ----------
    seconds
        For how long orders come in; the audit starts after a quarter.
    """
    report(f"Filling a table with {rows:,} orders")
    fill(ours, rows, per_day=max(1, rows // 2))
    report(f"Audit of {rows:,} orders while {RATE} a second come in")
    with ours.processes(ours.worker) as (worker,), ours.processes("reconcile_orders") as (audit,):
        worker.do("batches", prefix="warm", first=0, orders=BATCH, batch=BATCH)
        orders = int(RATE * seconds) // BATCH * BATCH
        worker.start("batches", prefix="during", first=0, orders=orders, batch=BATCH, rate=RATE)
        time.sleep(seconds / 4)
        result = audit.do("invoke", events=[{"command": "full"}])
        recorded = worker.finish()
        again = audit.do("invoke", events=[{"command": "full"}])
    expected = rows + BATCH + orders - recorded["failed"]
    check(ours, expected)
    return {
        "rows": rows,
        "seconds": result["seconds"][0],
        "response": result["response"],
        "response_afterwards": again["response"],
        "worst_ms": 1000 * max(recorded["seconds"]),
        "failed": recorded["failed"],
    }


def measure_frozen_worker(ours: Subject, report: Report) -> Figures:
    """Stop a worker between its counters and COMMIT, and measure how long another one waits."""
    report("A worker that is frozen before COMMIT")
    ours.empty()
    with ours.processes(ours.worker, 2) as (frozen, other):
        for number, child in enumerate((frozen, other)):
            child.do("batches", prefix=f"warm-{number}", first=0, orders=FROZEN_BATCH, batch=FROZEN_BATCH)
        frozen.start(
            "batches",
            prefix="frozen",
            first=0,
            orders=FROZEN_BATCH,
            batch=FROZEN_BATCH,
            again=True,
            freeze=True,
        )
        wait_until_stopped(frozen.process_id)
        began = time.perf_counter()
        result = other.do(
            "batches", prefix="other", first=0, orders=10 * FROZEN_BATCH, batch=FROZEN_BATCH, again=True
        )
        os.kill(frozen.process_id, signal.SIGCONT)
        thawed = frozen.finish()
    check(ours, 13 * FROZEN_BATCH)
    return {"seconds": result["ends"][0] - began, "failed": result["failed"] + thawed["failed"]}


def wait_until_stopped(process_id: int, timeout: float = 30) -> None:
    """Wait until a signal has stopped a process."""
    import psutil

    process = psutil.Process(process_id)
    end = time.monotonic() + timeout
    while process.status() != psutil.STATUS_STOPPED:
        if time.monotonic() > end:
            raise MeasurementError("The worker did not reach its COMMIT.")
        time.sleep(0.01)
