"""Progress and result of a run, for people and as JSON."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from chaos import figures
from chaos.run import ChaosRun
from cli.checks import Check
from cli.plurals import counted, messages, were
from cli.progress import bar
from cli.terminal import err, is_live, note, say
from cli.traffic.plan import Entrance


def screen(progress: figures.Progress) -> AbstractContextManager[object]:
    """Show a bar and the current fault; in a file, a line for each phase and fault."""
    if not is_live(err):
        began = time.monotonic()
        progress.on_change = lambda sentence: note(
            f"{time.monotonic() - began:7.1f} s  {progress.sent:,} sent: {sentence}"
        )
        return nullcontext()
    sent = bar("Sent")
    task = sent.add_task("Sent", total=None)

    def picture() -> RenderableType:
        sent.update(task, completed=progress.sent, total=progress.messages or None)
        broken = Text("Broken now: ", style="bold")
        broken.append(progress.broken or "nothing", style="red" if progress.broken else "green")
        state = f"{progress.phase}; {progress.waiting:,} in the queue, {progress.dead:,} dead-lettered"
        return Group(sent, broken, Text(state))

    return Live(get_renderable=picture, console=err, transient=True)


def report(run: ChaosRun, checks: Sequence[Check], seconds: float) -> None:
    """Print the figures, the checks and the result."""
    for line in _figures(run):
        say(line)
    for check in checks:
        say(check.line, style=check.style)
    if failed := sum(not check.ok for check in checks):
        say(f"{failed} of {counted(len(checks), 'check')} failed, after {seconds:.1f} s.", style="bold red")
    else:
        say(f"Nothing lost, nothing counted twice: {seconds:.1f} s.", style="bold green")


def _figures(run: ChaosRun) -> Iterator[str]:
    seen, expected, sent = run.figures, run.expected, run.progress.sent
    yield (
        f"{counted(run.plan.orders, 'order')}, {expected['malformed'] + expected['refused']:,} of them "
        f"malformed; with {counted(expected['duplicates'], 'duplicate')} {messages(sent)}: "
        f"{seen.sent_to[Entrance.TOPIC]:,} by the topic, {seen.sent_to[Entrance.QUEUE]:,} straight to the "
        f"queue, {seen.sent_to[Entrance.HTTP]:,} over HTTP"
    )
    yield (
        f"Sent in {seen.sending_seconds:.1f} s ({sent / seen.sending_seconds:.0f} per second), quiet "
        f"{seen.settling_seconds:.1f} s later, audited in {seen.audit_seconds:.1f} s, "
        f"with at most {seen.memory:.0f} MiB of memory"
    )
    for name, times in sorted(seen.faults.items()):
        noun = "time, " if times == 1 else "times,"
        yield f"  {name:<30} {times:>4} {noun} {seen.broken_seconds[name]:6.1f} s"
    yield (
        f"Killed: the database {counted(seen.databases_killed, 'time')}, workers "
        f"{counted(seen.workers_killed, 'time')}. DynamoDB: "
        f"{counted(seen.calls_refused, 'call')} refused, {counted(seen.answers_lost, 'response')} lost"
    )
    yield (
        f"Staff: {counted(seen.moves_made, 'move')} made, {seen.moves_confirmed:,} confirmed, "
        f"{seen.moves_refused:,} refused, "
        f"{seen.moves_unconfirmed:,} without a response and sent again, "
        f"{seen.moves_given_up:,} of those without one again"
    )
    if (dead := seen.dead_in_outage) is not None:
        yield f"When the database came back, {messages(dead)} {were(dead)} dead-lettered"
    yield (
        f"Dead letters at most: {seen.dead_at_most:,}. "
        f"ReconcileOrders, in {counted(seen.reconciliations, 'run')}, recorded "
        f"{counted(seen.brought_back, 'good order')} from there and repaired {seen.repaired:,}; "
        "none needed a human"
    )


def document(run: ChaosRun, checks: Sequence[Check] | None, seconds: float) -> dict[str, object]:
    """Return the output of `--json`; without checks, the run was interrupted."""
    return {
        "ok": checks is not None and all(check.ok for check in checks),
        "interrupted": checks is None,
        **asdict(run.settings),
        "expected": run.expected,
        "messages": run.progress.sent,
        "seconds": round(seconds, 3),
        "figures": _rounded(run.figures.document()),
        "checks": [check.document() for check in checks or []],
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(element) for key, element in value.items()}
    return value
