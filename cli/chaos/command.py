"""`cafe chaos`: break the local stack while orders come in, and prove that each is counted exactly once."""

import random
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli import stack
from cli.errors import SetUpError
from cli.options import DEFAULT_STACK, MOST, AsJson, Debug, Directory, SentenceGroup, StackName, examples
from cli.plurals import counted, messages, were
from cli.progress import RateColumn
from cli.terminal import err, is_live, note, plain, print_json, say

if TYPE_CHECKING:
    from cli.chaos.books import Check
    from cli.chaos.faults import Breakables
    from cli.chaos.figures import Figures
    from cli.chaos.run import ChaosRun

REFRESH = 0.2  # seconds
SEEDS = 2**32

app = typer.Typer(cls=SentenceGroup)


@app.command(
    "chaos",
    epilog=examples(
        "cafe chaos", "cafe chaos --outage", "cafe chaos --orders 100000 --seed 7", "cafe chaos --mend"
    ),
)
def chaos_command(
    orders: Annotated[
        int,
        typer.Option(
            min=100, max=MOST, help="How many orders; of each hundred, one is malformed and ten come twice."
        ),
    ] = 500,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Repeats the orders and faults of an earlier run.", show_default=False),
    ] = None,
    outage: Annotated[
        bool,
        typer.Option(
            "--outage", help="One long outage of the database instead, until every order is dead-lettered."
        ),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the run's malformed orders in the dead-letter queue.")
    ] = False,
    mend: Annotated[
        bool, typer.Option("--mend", help="Only mend what a killed run has left broken.")
    ] = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Break the local stack while orders come in, and check that nothing is lost or counted twice.

    The database is killed and restarted, refuses logins and runs out of connections; worker processes are
    killed in the middle of a batch; DynamoDB throttles and its responses get lost. Meanwhile staff move the
    orders. Ctrl-C repairs what is broken. The orders stay in the stack's counts. Exit code 1: an order is
    missing, was counted twice, or has another state than was confirmed.
    """
    if stack_name != stack.LOCAL:
        raise SetUpError(
            f"`cafe chaos` breaks things on purpose: it works on the local stack only, not on {stack_name}."
        )
    from cli import aws
    from cli.chaos import faults as chaos_faults
    from cli.chaos import run as chaos_run

    target = stack.load(stack_name, directory)
    clients = aws.Clients(target)
    where = directory or stack.REPOSITORY / ".local"
    if mend:
        breakables = chaos_faults.Breakables(target, clients, where, random.Random(0))  # noqa: S311
        _mend(breakables, as_json=as_json)
        return
    settings = chaos_run.Settings(
        orders=orders,
        seed=secrets.randbelow(SEEDS) if seed is None else seed,
        run=secrets.token_hex(4),
        outage=outage,
        keep=keep,
    )
    note(f"Seed {settings.seed}: with --seed {settings.seed} the same is sent and broken again.")
    run = chaos_run.ChaosRun(target, clients, where, settings)
    began = time.monotonic()
    checks = _watched(run)
    seconds = time.monotonic() - began
    ok = checks is not None and all(check.ok for check in checks)
    if as_json:
        print_json(_document(run, settings, checks, seconds))
    elif checks is not None:
        _report(run, checks, seconds)
    if checks is None:
        note(f"Stopped after {messages(run.progress.sent)}; everything is mended.")
        raise typer.Exit(130)
    if not ok:
        raise typer.Exit(1)


def _mend(breakables: "Breakables", *, as_json: bool) -> None:
    found = ["a killed run had left it broken"] if breakables.mend_after_killed_run() else []
    found += breakables.mend_by_hand()
    if as_json:
        print_json({"mended": bool(found)})
    else:
        say(f"Mended: {'; '.join(found)}." if found else "Nothing that `cafe chaos` breaks is broken.")


def _watched(run: "ChaosRun") -> "list[Check] | None":
    """Run in another thread and show what goes on, until the end or until Ctrl-C has been obeyed: `None`."""
    from cli.chaos.schedule import StoppedError

    ended: list[list[Check] | BaseException] = []

    def work() -> None:
        try:
            ended.append(run.run())
        except BaseException as error:  # noqa: BLE001  # raised again below
            ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    with _interrupts(run.stop), _screen(run) as show:
        thread.start()
        try:
            while thread.is_alive():
                show()
                thread.join(REFRESH)
            show()
        finally:
            # When the display fails: nothing is sent any more, and what is broken is repaired first.
            run.stop()
            thread.join()
    match ended[0]:
        case StoppedError():
            return None
        case BaseException() as error:
            raise error
        case checks:
            return checks


@contextmanager
def _interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """Have Ctrl-C and its like end the run as soon as everything is mended, however often it is typed."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _screen(run: "ChaosRun") -> Iterator[Callable[[], None]]:
    """Show a bar and what is broken just now; where nobody sees them, a line for each new state."""
    progress = run.progress
    if not is_live(err):
        began = time.monotonic()
        written: list[str] = []

        def write() -> None:
            for sentence in progress.states[len(written) :]:
                written.append(sentence)
                note(f"{time.monotonic() - began:7.1f} s  {progress.sent:,} sent: {sentence}")

        yield write
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        console=err,
    )
    task = bar.add_task("Sent", total=None)

    def picture() -> RenderableType:
        bar.update(task, completed=progress.sent, total=progress.messages or None)
        broken = Text("Broken just now: ", style="bold")
        broken.append(progress.broken or "nothing", style="red" if progress.broken else "green")
        way = Text(f"{progress.phase}; {progress.waiting:,} on the way, {progress.dead:,} dead-lettered")
        return Group(bar, broken, way)

    with Live(picture(), console=err, auto_refresh=False, transient=True) as live:
        yield lambda: live.update(picture(), refresh=True)


def _report(run: "ChaosRun", checks: "list[Check]", seconds: float) -> None:
    for line in _figures(run):
        say(line)
    for check in checks:
        say(
            f"{'✓' if check.ok else '✗'} {check.title:<45} {plain(check.detail)}",
            style=None if check.ok else "red",
        )
    failed = sum(not check.ok for check in checks)
    if failed:
        say(f"{failed} of {counted(len(checks), 'check')} failed, after {seconds:.1f} s.", style="bold red")
    else:
        say(f"Nothing lost, nothing counted twice: {seconds:.1f} s.", style="bold green")


def _figures(run: "ChaosRun") -> Iterator[str]:
    figures: Figures = run.figures
    expected, doors = run.expected, figures.doors
    malformed = expected["malformed"] + expected["refused"]
    yield (
        f"{counted(run.plan.orders, 'order')}, {malformed:,} of them malformed; "
        f"with {counted(expected['duplicates'], 'duplicate')} {messages(run.progress.sent)}: "
        f"{doors['topic']:,} by the topic, {doors['queue']:,} straight on the queue, "
        f"{doors['http']:,} by HTTP"
    )
    sending = figures.sending_seconds
    yield (
        f"Sent in {sending:.1f} s ({run.progress.sent / sending:.0f} per second), quiet "
        f"{figures.settling_seconds:.1f} s later, audited in {figures.audit_seconds:.1f} s, "
        f"with at most {figures.memory:.0f} MiB of memory"
    )
    for name, times in sorted(figures.faults.items()):
        noun = "time, " if times == 1 else "times,"
        yield f"  {name:<30} {times:>4} {noun} {figures.broken_seconds[name]:6.1f} s"
    yield (
        f"Killed: the database {counted(figures.databases_killed, 'time')}, workers "
        f"{counted(figures.workers_killed, 'time')}. DynamoDB: "
        f"{counted(figures.calls_refused, 'call')} refused, {counted(figures.answers_lost, 'answer')} lost"
    )
    yield (
        f"Staff: {counted(figures.moves_confirmed, 'move')} confirmed, {figures.moves_refused:,} refused, "
        f"{figures.moves_unconfirmed:,} without a response and sent again, "
        f"{figures.moves_given_up:,} of those without one again"
    )
    if figures.dead_in_outage is not None:
        count = figures.dead_in_outage
        yield f"When the database came back, {messages(count)} {were(count)} dead-lettered"
    yield (
        f"Dead letters at most: {figures.dead_at_most:,}. "
        f"ReconcileOrders, in {counted(figures.reconciliations, 'run')}, recorded "
        f"{counted(figures.brought_back, 'good order')} from there and repaired {figures.repaired:,}; "
        "none needed a human"
    )


def _document(
    run: "ChaosRun", settings: Any, checks: "list[Check] | None", seconds: float
) -> dict[str, object]:
    return {
        "ok": checks is not None and all(check.ok for check in checks),
        "interrupted": checks is None,
        **asdict(settings),
        "expected": run.expected,
        "messages": run.progress.sent,
        "seconds": round(seconds, 3),
        "figures": _rounded(asdict(run.figures)),
        "checks": [asdict(check) for check in checks or []],
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(element) for key, element in value.items()}
    return value
