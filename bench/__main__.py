"""The command: measure, print the targets, and write the report."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import batches, cold, database, kitchen, pipeline, recovery, report, status, subjects
from bench.batches import Effort
from bench.database import Server
from bench.subjects import ROOT, MeasurementError
from infra import prices
from local import signals
from local.database.engine import Engine
from local.errors import LocalError

REPORT = ROOT / "docs" / "benchmarks.md"
PARTIAL_REPORT = ROOT / "build" / "benchmarks.md"  # of runs that are not full
FIGURES = ROOT / "build" / "benchmarks.json"  # of the last run, for --from
COMPARED_SIZES = (1, 10, 88, 1000)  # of batches, with --compare
COMPARED_STATUS = (100_000, 50_000)  # rows, and orders a day
PARTS = ("batches", "workers", "status", "kitchen", "cold", "audit", "frozen", "pipeline")
EXAMPLES = """\
examples:
  make bench                                  everything, about half an hour; writes docs/benchmarks.md
  make bench ARGS=--quick                     everything on a small scale; writes build/benchmarks.md
  make bench ARGS="--only batches,cold"       some parts
  make bench ARGS="--only kitchen"            responses to the kitchen's screen, three minutes
  make bench ARGS="--compare HEAD~1"          the work tree against another revision
  make bench ARGS="--database-server mysql"   on MySQL instead of MariaDB
  make bench ARGS="--from build/benchmarks.json"   write the report of the last figures again
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    options = _parse(arguments)
    console = Console(stderr=True)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(options, console)
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running. `--from` reports the finished parts.")
        return 130
    except (MeasurementError, LocalError) as error:
        console.print(f"bench: {error}", style="red", markup=False)
        return 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measure what an order costs, compared with the earlier system and with the limit.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small tables, few orders, one round")
    parser.add_argument("--only", type=_parts, default=PARTS, metavar="PARTS", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--compare", metavar="REV", help="compare the work tree with a revision instead")
    parser.add_argument("--rounds", type=int, help="rounds of each measurement (default 5; 1 with --quick)")
    parser.add_argument(
        "--database-server",
        type=Engine,
        default=Engine.MARIADB,
        choices=list(Engine),
        metavar="SERVER",
        help="mariadb (default) or mysql",
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="measure nothing; write the report of these figures",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the report (default docs/benchmarks.md for a full run)"
    )
    options = parser.parse_args(arguments)
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.rounds = options.rounds or (1 if options.quick else 5)
    is_full = not options.quick and tuple(options.only) == PARTS
    options.output = options.output or (REPORT if is_full and not options.source else PARTIAL_REPORT)
    return options


def _parts(text: str) -> tuple[str, ...]:
    wanted = text.split(",")
    if unknown := [part for part in wanted if part not in PARTS]:
        raise argparse.ArgumentTypeError(f"unknown part {unknown[0]!r}; there are {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in wanted)


def _run(options: argparse.Namespace, console: Console) -> int:
    if options.source:
        results = json.loads(options.source.read_text(encoding="utf-8"))
    else:
        with _temporary_directory() as directory, console.status("") as line:
            began = time.monotonic()

            def progress(text: str) -> None:
                line.update(f"{text} …")
                if not console.is_terminal:
                    console.print(f"{time.monotonic() - began:6.0f} s  {text}", highlight=False)

            results = _measure(options, directory, progress)
    if options.compare:
        print(report.comparison(results))
        return 0
    return _write(results, options.output, console)


@contextmanager
def _temporary_directory() -> Iterator[Path]:
    """Make a directory, and remove it at the end, however often Ctrl-C is typed."""
    directory = Path(tempfile.mkdtemp(prefix="cafe-bench-"))
    try:
        yield directory
    finally:
        with signals.handled(lambda _number: None):
            shutil.rmtree(directory)


def _measure(options: argparse.Namespace, directory: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    effort = Effort(rounds=options.rounds, share=0.2 if options.quick else 1.0)
    about = _about(options)
    if set(options.only) == {"pipeline"}:
        return {"about": about, "pipeline": _pipeline(options, directory, progress)}
    progress("Starting a database server")
    with database.running(directory / "database", options.database_server) as server:
        about["database"] = server.product
        ours = subjects.ours(server, directory / "ours")
        if options.compare:
            return _compare(options, server, ours, directory, effort, progress)
        results = {"about": about}
        _parts_with_database(options, server, ours, directory, effort, progress, results)
    if "pipeline" in options.only:
        results["pipeline"] = _pipeline(options, directory, progress)
    return results


def _parts_with_database(
    options: argparse.Namespace,
    server: Server,
    ours: subjects.Subject,
    directory: Path,
    effort: Effort,
    progress: Callable[[str], None],
    results: dict[str, Any],
) -> None:
    """Add each part to the results, and save them after each."""
    earlier = subjects.earlier(server, directory / "earlier")
    sizes = 2 if options.quick else None
    parts: dict[str, Callable[[], Any]] = {
        "batches": lambda: batches.measure_batches(earlier, ours, effort, progress),
        "workers": lambda: batches.measure_workers(ours, effort, progress),
        "status": lambda: status.measure_status(
            server,
            directory,
            progress,
            by_day=status.BY_DAY[:sizes],
            by_rows=status.BY_ROWS[:sizes],
            rounds=options.rounds,
        ),
        "kitchen": lambda: kitchen.measure_kitchen(
            server, directory, progress, sizes=kitchen.ROWS[:sizes], rounds=options.rounds
        ),
        "cold": lambda: cold.measure_cold_starts(earlier, ours, progress, times=3 if options.quick else 15),
        "audit": lambda: recovery.measure_audit(
            ours, progress, rows=50_000 if options.quick else 2_000_000, seconds=8 if options.quick else 40
        ),
        "frozen": lambda: recovery.measure_frozen_worker(ours, progress),
    }
    for part, measure in parts.items():
        if part in options.only:
            results[part] = measure()
            if part == "batches":
                results |= {"counts": True, "money": True}  # parts of the report from the same figures
            _save(results)


def _pipeline(
    options: argparse.Namespace, directory: Path, progress: Callable[[str], None]
) -> dict[str, Any]:
    burst, orders, rate = (300, 1_000, 100) if options.quick else (3_000, 50_000, 150)
    return pipeline.measure_pipeline(
        directory / "stack", options.database_server.value, progress, burst=burst, orders=orders, rate=rate
    )


def _compare(
    options: argparse.Namespace,
    server: Server,
    ours: subjects.Subject,
    directory: Path,
    effort: Effort,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    before = subjects.ours(server, directory / "before", "before", options.compare)
    # Shorter turns, so that other load on the machine affects both equally.
    effort = Effort(rounds=2 * effort.rounds, share=effort.share / 2)
    pages = status.compare_status({COMPARED_STATUS: (before, ours)}, progress, effort.rounds)
    return {
        "revisions": (options.compare, "work tree"),
        "workers": batches.measure_batches(before, ours, effort, progress, COMPARED_SIZES),
        "status": pages[COMPARED_STATUS],
        "cold": cold.measure_cold_starts(before, ours, progress, times=3 if options.quick else 15),
    }


def _write(results: dict[str, Any], output: Path, console: Console) -> int:
    from bench import plots

    pictures = output.with_suffix("")
    drawn = plots.draw(results, pictures)
    report.write(output, report.markdown(results, prices.read(), drawn, pictures.name))
    _save(results)
    rows = [
        f"{mark} {what}: {figure} (target {limit})"
        for what, limit, figure, mark in report.target_rows(results)
    ]
    Console().print("\n".join(rows), markup=False, highlight=False, soft_wrap=True)
    console.print(f"Wrote {output} and {FIGURES}.", highlight=False, soft_wrap=True)
    return 0


def _save(results: dict[str, Any]) -> None:
    report.write(FIGURES, json.dumps(results, indent=1, default=str))


def _about(options: argparse.Namespace) -> dict[str, Any]:
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "revision": git.stdout.strip() or "unknown",
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "database": options.database_server.value,
        "rounds": options.rounds,
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
