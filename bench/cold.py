"""Measure cold starts: the time in which a new process imports a function."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from bench.batches import Figures, Report
from bench.subjects import ENVIRONMENT, FUNCTION_NAME, MeasurementError, Subject

# As on Lambda, without bytecode of the function's modules.
PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
began = time.perf_counter()
__import__(sys.argv[2])
print(time.perf_counter() - began)
"""


def measure_cold_starts(earlier: Subject, ours: Subject, report: Report, times: int) -> list[Figures]:
    """Import each function in new processes, in turns with the earlier system's.

    Our modules create clients on Lambda alone, the earlier system's always.
    """
    functions = {"worker": (earlier.worker, ours.worker), "order status": (earlier.status, ours.status)}
    rows = []
    for name, (old, new) in functions.items():
        report(f"Cold start of the {name}, {times} processes each")
        turns = [
            (
                _import(earlier, old, on_lambda=True),
                _import(ours, new, on_lambda=False),
                _import(ours, new, on_lambda=True),
            )
            for _ in range(times)
        ]
        rows.append(
            {
                "function": name,
                "earlier_ms": 1000 * statistics.median(before for before, _, _ in turns),
                "ours_ms": 1000 * statistics.median(now for _, now, _ in turns),
                "ready_ms": 1000 * statistics.median(ready for _, _, ready in turns),
                "ratio": statistics.median(now / before for before, now, _ in turns),
                "ready_ratio": statistics.median(ready / before for before, _, ready in turns),
            }
        )
    return rows


def _import(subject: Subject, module: str, *, on_lambda: bool) -> float:
    command = [sys.executable, "-I", "-B", "-c", PROGRAM, str(subject.code), module]
    environment = {"PATH": os.environ["PATH"], **ENVIRONMENT}
    if not on_lambda:
        del environment[FUNCTION_NAME]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise MeasurementError(f"{module} cannot be imported: {ran.stderr.strip().splitlines()[-1]}")
    return float(ran.stdout)
