"""The report in Markdown, and the targets for the terminal."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import money
from bench.batches import Figures
from bench.recovery import RATE
from bench.targets import TARGETS, Target
from infra.prices import Prices

Results = Mapping[str, Any]
Rows = Sequence[Sequence[object]]

INTRODUCTION = """\
# Benchmarks

`make bench` measures and writes this page; `make bench ARGS=--help` lists what else it does. Absolute
figures depend on the machine, so compare figures of the same run. Counts of statements, calls and write
units do not; tests assert them.

**What is compared.** *Earlier* is a rewrite of the earlier system's worker and status: a secret and a
connection per invocation, a commit and two updates per order; a scan and a sort per status request.
*Ours* is the code in `functions/`, called as Lambda calls it. *The limit* is the SQL statements and
DynamoDB calls of our last run, repeated alone by the same clients, in the same order and with the same
parallelism. They run in turns; a ratio is the median of the ratios of the rounds.

**How.** A real database server runs on this machine, over TLS, and each worker is a process. DynamoDB is a
stand-in in the worker's process, below botocore's client: the client's work is measured, sockets are not.
*4 ms* means 4 ms for each call of DynamoDB or Secrets Manager, and 20 ms for a transaction; workers share
the counters, and conflicting transactions fail, as on AWS. Orders are of four items and of the same hour.
"""


_PAIR = ("earlier", "ours")


def markdown(results: Results, prices: Prices, plots: Sequence[str], plot_directory: str) -> str:
    """Return the report."""
    sections = [INTRODUCTION, _machine(results)]
    if rows := list(target_rows(results)):
        sections.append(_section("Targets", _table(" | target | measured | ", rows)))
    for part, (title, render) in _PARTS.items():
        if part in results:
            picture = f"![{title}]({plot_directory}/{part}.svg)\n\n" if f"{part}.svg" in plots else ""
            sections.append(_section(title, picture + render(results, prices)))
    return "\n".join(sections)


def target_rows(results: Results) -> Iterator[tuple[str, str, str, str]]:
    """Yield each target with its measured figure."""
    for target in TARGETS:
        if (figure := target.measured(results)) is not None:
            limit = f"{target.sign} {_number(target.limit)}{_unit(target)}"
            mark = "✓" if target.is_met(figure) else "✗"
            yield target.what, limit, f"{_number(figure)}{_unit(target)}", mark


def _unit(target: Target) -> str:
    return f" {target.unit}" if target.unit else ""


def _machine(results: Results) -> str:
    about = results["about"]
    return (
        f"Measured on {about['date']} at revision {about['revision']}: {about['processors']} processors, "
        f"{about['system']}, Python {about['python']}, {about['database']}; {about['rounds']} rounds, "
        f"load average {about['load']} at the start.\n"
    )


def _batches(results: Results, _prices: Prices) -> str:
    rows = [
        (
            row["latency"],
            row["batch"],
            _number(row["earlier"]["per_second"]),
            _number(row["ours"]["per_second"]),
            _number(row["limit"]["per_second"]),
            f"**{row['times_earlier']:.1f} ×**",
            f"{row['share_of_limit']:.2f}",
            f"{row['ours']['median_ms']:.1f}",
            f"{row['ours']['worst_ms']:.1f}",
            row["ours"]["failed"],
        )
        for row in results["batches"]
    ]
    head = (
        "DynamoDB | batch | earlier | ours | limit | ours / earlier | ours / limit | median ms | "
        "worst ms | failed"
    )
    return "Orders a second of one worker; milliseconds of our batches.\n\n" + _table(head, rows)


def _workers(results: Results, _prices: Prices) -> str:
    rows = [
        (
            row["latency"],
            row["batch"],
            row["workers"],
            _number(row["per_second"]),
            f"{row['ratio']:.2f} ×",
            f"{row['median_ms']:.1f}",
            f"{row['worst_ms']:.1f}",
            row["failed"],
            f"{row['write_units'] / row['orders']:.2f}",
            f"{row['conditions_failed'] / row['orders']:.2f}",
        )
        for row in results["workers"]
    ]
    head = (
        "DynamoDB | batch | workers | orders/s | / one worker | median ms | worst ms | failed | "
        "write units / order | of them outdated"
    )
    text = (
        "Workers share the machine's processors with the database server. *Outdated* updates of a counter "
        "found a later version; DynamoDB charges for them.\n\n"
    )
    return text + _table(head, rows)


def _counts(results: Results, _prices: Prices) -> str:
    rows = [
        (name, row["batch"], *_counted(row[name]))
        for row in results["batches"]
        if row["latency"] == "4 ms"
        for name in ("earlier", "ours")
    ]
    head = (
        " | batch | SQL statements | new connections | DynamoDB calls | secret reads | write units | "
        "processor ms"
    )
    text = (
        "Figures of 1,000 orders. A statement is a round trip to the server, including COMMIT and logins.\n\n"
    )
    return text + _table(head, rows)


def _counted(figures: Figures) -> tuple[str, ...]:
    scale = 1000 / figures["orders"]
    secrets = figures["calls"].get("GetSecretValue", 0)
    calls = sum(figures["calls"].values()) - secrets
    numbers = (
        figures["statements"],
        figures["connections"],
        calls,
        secrets,
        figures["write_units"],
        1000 * figures["cpu"],
    )
    return tuple(_number(number * scale) for number in numbers)


def _money(results: Results, prices: Prices) -> str:
    rows = []
    for row in results["batches"]:
        if row["latency"] == "4 ms" and row["batch"] in {1, 10, 100}:
            for name in ("earlier", "ours"):
                costs = money.per_million(row[name], row["batch"], prices)
                rows.append(
                    (
                        name,
                        row["batch"],
                        *(f"{cost:.2f}" for cost in costs.values()),
                        f"**{sum(costs.values()):.2f}**",
                    )
                )
    text = (
        f"US dollars for a million orders from the topic on, by the prices of {prices.as_of} in "
        f"{prices.region} (`infra/prices.toml`), without free tiers and a stack's fixed costs. Functions are "
        f"billed by their time here, DynamoDB at 4 ms, with {money.MEMORY} GB. Over HTTP, API Gateway adds "
        f"{1e6 * prices['api_gateway.request']:.2f}, and the function its time.\n\n"
    )
    return text + _table(" | ".join(("", "batch", *money.SERVICES, "total")), rows)


def _status(results: Results, _prices: Prices) -> str:
    found = results["status"]
    unique = {(row["rows"], row["per_day"]): row for row in [*found["by_day"], *found["by_rows"]]}
    rows = [
        (
            f"{size:,}",
            f"{per_day:,}",
            *(f"{row[name][figure]:.1f}" for name in ("earlier", "ours") for figure in ("p50_ms", "p95_ms")),
            *(f"{row[name]['statements']:.0f}" for name in ("earlier", "ours")),
        )
        for (size, per_day), row in unique.items()
    ]
    head = "orders | a day | earlier p50 ms | p95 | ours p50 ms | p95 | earlier: statements | ours"
    return "One request, DynamoDB and SQS at 0 ms.\n\n" + _table(head, rows)


def _kitchen(results: Results, _prices: Prices) -> str:
    rows = [
        (
            f"{row['rows']:,}",
            *(f"{statistics.median(row[name]):.1f}" for name in ("list", "commit", "response")),
            *(f"{row[name]:.0f}" for name in ("list_statements", "change_statements")),
        )
        for row in results["kitchen"]
    ]
    head = "orders | list p50 ms | change, DynamoDB at 0 ms | at 4 ms | list: statements | change: statements"
    text = "Responses of `StaffOrders` with 40 open orders: `GET /kitchen`, and a change.\n\n"
    return text + _table(head, rows)


def _cold(results: Results, _prices: Prices) -> str:
    rows = [
        (
            row["function"],
            *(f"{row[name]:.0f}" for name in ("earlier_ms", "ours_ms")),
            f"**{row['ratio']:.2f} ×**",
            f"{row['ready_ms']:.0f}",
            f"**{row['ready_ratio']:.2f} ×**",
        )
        for row in results["cold"]
    ]
    text = (
        "Milliseconds in which a new process imports the function, without bytecode of its archive, as on "
        "Lambda. The earlier system always creates its AWS clients meanwhile, ours on Lambda alone.\n\n"
    )
    head = " | earlier | ours, imports alone | / earlier | ours, with clients | / earlier"
    return text + _table(head, rows)


def _pipeline(results: Results, _prices: Prices) -> str:
    rows = []
    for name, title in (("burst", "at once"), ("steady", "at a rate")):
        found = results["pipeline"][name]
        memory = found["memory"]
        rows.append(
            (
                f"{found['orders']:,} {title}" + (f" of {found['rate']:.0f}/s" if found["rate"] else ""),
                _number(found["per_second"]),
                *(f"{found[each]:.2f}" for each in ("p50", "p95", "p99", "worst")),
                f"{found['after_last']:.1f}",
                found["dead_letters"],
                f"{memory[0][1]:.0f} → {memory[-1][1]:.0f}",
                f"{memory[0][2]:.0f} → {memory[-1][2]:.0f}",
            )
        )
    head = (
        "orders | a second | p50 s | p95 | p99 | worst | s after the last | dead letters | "
        "MiB, whole stack | MiB, workers"
    )
    text = "`cafe local` with four publishers to the topic; seconds from publishing to the row in MySQL.\n\n"
    return text + _table(head, rows)


def _audit(results: Results, _prices: Prices) -> str:
    found = results["audit"]
    return (
        f"The audit of {found['rows']:,} orders took {found['seconds']:.1f} s while {RATE} orders a second "
        f"came in; the slowest batch took {found['worst_ms']:.0f} ms, {found['failed']} messages failed, and "
        "in the end every order was counted once.\n"
    )


def _frozen(results: Results, _prices: Prices) -> str:
    found = results["frozen"]
    return (
        "A worker was stopped (SIGSTOP) between its counters and COMMIT, and held their rows. Another worker "
        f"recorded its next batch after {found['seconds']:.1f} s; the first one was resumed later, and every "
        "order was counted once.\n"
    )


_PARTS = {
    "batches": ("Batches", _batches),
    "counts": ("Statements and calls", _counts),
    "money": ("Cost", _money),
    "workers": ("Workers", _workers),
    "status": ("Order status", _status),
    "kitchen": ("Kitchen", _kitchen),
    "cold": ("Cold start", _cold),
    "pipeline": ("The local stack, end to end", _pipeline),
    "audit": ("Audit", _audit),
    "frozen": ("A frozen worker", _frozen),
}


def comparison(results: Results) -> str:
    """Return the comparison of two revisions."""
    before, now = results["revisions"]
    rows = [
        (
            row["latency"],
            row["batch"],
            *(_number(row[name]["per_second"]) for name in _PAIR),
            f"**{row['times_earlier']:.2f} ×**",
            " to ".join(f"{ratio:.2f}" for ratio in row["times_earlier_range"]),
            *(_number(1000 * row[name]["cpu_ms"]) for name in _PAIR),
            *(
                " → ".join(_number(1000 * row[name][figure] / row[name]["orders"]) for name in _PAIR)
                for figure in ("statements", "write_units")
            ),
        )
        for row in results["workers"]
    ]
    head = (
        f"DynamoDB | batch | {before}: orders/s | {now} | ratio | of the rounds | "
        f"{before}: processor µs / order | {now} | statements / 1,000 | write units / 1,000"
    )
    return _table(head, rows) + "\n" + _compared_pages(results)


def _compared_pages(results: Results) -> str:
    status, rows = results["status"], []
    for name, unit in (("p50_ms", "ms"), ("p95_ms", "ms"), ("statements", "statements")):
        before, now = status["earlier"][name], status["ours"][name]
        rows.append(
            (f"order status, {name.removesuffix('_ms')}", f"{before:.1f} {unit}", f"{now:.1f} {unit}")
        )
    for row in results["cold"]:
        before, now = (f"{row[name]:.0f} ms" for name in ("earlier_ms", "ready_ms"))
        rows.append((f"start of the {row['function']}", before, now))
    return _table(" | ".join(("", *results["revisions"])), rows)


def _section(title: str, content: str) -> str:
    return f"## {title}\n\n{content}"


def _table(head: str, rows: Rows) -> str:
    columns = head.split(" | ")
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _number(number: float) -> str:
    if number == 0:
        return "0"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def write(path: Path, text: str) -> None:
    """Write the report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
