"""Cold starts: how long a new process takes to import a function."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from bench.batches import Figures, Report
from bench.subjects import ENVIRONMENT, MeasurementError, Subject

# Like Lambda's: no bytecode of the function's own modules, which it cannot write there.
PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
began = time.perf_counter()
__import__(sys.argv[2])
print(time.perf_counter() - began, len(sys.modules))
"""


def measure_cold_starts(earlier: Subject, ours: Subject, report: Report, times: int) -> list[Figures]:
    """Import each function in new processes, in turns with the earlier system's."""
    functions = {
        "worker": (earlier.worker, ours.worker),
        "order status": (earlier.status, ours.status),
    }
    rows = []
    for name, (old, new) in functions.items():
        report(f"Cold start of the {name}, {times} processes each")
        pairs = [(_import(earlier, old), _import(ours, new)) for _ in range(times)]
        rows.append(
            {
                "function": name,
                "earlier_ms": 1000 * statistics.median(pair[0][0] for pair in pairs),
                "ours_ms": 1000 * statistics.median(pair[1][0] for pair in pairs),
                "ratio": statistics.median(pair[1][0] / pair[0][0] for pair in pairs),
                "earlier_modules": pairs[0][0][1],
                "ours_modules": pairs[0][1][1],
            }
        )
    return rows


def _import(subject: Subject, module: str) -> tuple[float, int]:
    command = [sys.executable, "-I", "-B", "-c", PROGRAM, str(subject.code), module]
    environment = {"PATH": os.environ["PATH"], **ENVIRONMENT}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise MeasurementError(f"{module} cannot be imported: {ran.stderr.strip().splitlines()[-1]}")
    seconds, modules = ran.stdout.split()
    return float(seconds), int(modules)
