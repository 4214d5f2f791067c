"""`cafe doctor`, `reconcile` and `replay`: what can be typed, and what is then printed."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import stack, times
from cli.error_codes import explained
from cli.errors import CafeError
from cli.options import (
    DEFAULT_STACK,
    MOST,
    AsJson,
    Debug,
    Directory,
    SentenceGroup,
    StackName,
    Yes,
    examples,
    finite,
    moment,
)
from cli.plurals import are, orders, were
from cli.progress import counting, waiting
from cli.terminal import confirm, note, plain, print_json, say

if TYPE_CHECKING:
    from cli.doctor.findings import Finding
    from cli.queues import Send
    from cli.reconciler import Report

app = typer.Typer(cls=SentenceGroup)


# --- doctor ----------------------------------------------------------------------------------------------

SIGNS = {"ok": ("✓", None), "warn": ("!", "yellow"), "bad": ("✗", "red")}


@app.command("doctor", epilog=examples("cafe doctor", "cafe doctor --stack prod --json"))
def doctor_command(
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what is wrong with the system, and what to type next.

    It changes nothing, and places no order: `cafe verify` does. Exit code 1: something is bad.
    """
    from cli import aws, http
    from cli.doctor.context import Context, State
    from cli.doctor.findings import findings

    target = stack.load(stack_name, directory)
    found: list[Finding] = []
    with http.client(target.endpoint) as client:
        for finding in findings(Context(target, aws.Clients(target), client)):
            found.append(finding)
            if not as_json:
                _say_finding(finding)
    bad = sum(finding.state is State.BAD for finding in found)
    warned = sum(finding.state is State.WARN for finding in found)
    if as_json:
        print_json({"stack": target.name, "ok": not bad, "findings": [asdict(finding) for finding in found]})
    elif bad or warned:
        say(f"{bad} bad, {warned} to look at.", style="bold red" if bad else "bold yellow")
    else:
        say("All is well.", style="bold green")
    raise typer.Exit(1 if bad else 0)


def _say_finding(finding: "Finding") -> None:
    sign, style = SIGNS[finding.state]
    say(f"{sign} {finding.title:<19} {plain(finding.detail)}", style=style)
    if finding.next:
        say(f"{'':<21} → {plain(finding.next)}", style=style)


# --- reconcile -------------------------------------------------------------------------------------------


@app.command(
    "reconcile",
    epilog=examples("cafe reconcile", "cafe reconcile --full --stack prod", "cafe reconcile --rebuild"),
)
def reconcile_command(
    full: Annotated[bool, typer.Option("--full", help="And audit every counter by the whole table.")] = False,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="And write every order to DynamoDB again; orders may keep coming."),
    ] = False,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare DynamoDB with the database, and repair what differs.

    It happens by itself: every minute for what is new, every hour for every counter. `--rebuild` is for
    the bad day. Exit code 1: something still differs, or could not be compared.
    """
    from cli import aws
    from cli.reconciler import Reconciler

    target = stack.load(stack_name, directory)
    reconciler = Reconciler(functions=aws.Clients(target).functions, name=target.output("reconcile_function"))
    if rebuild:
        confirm(f"Write every order of stack {target.name} to DynamoDB again?", yes=yes)
    command = "rebuild" if rebuild else "full" if full else None
    try:
        with waiting("Comparing") as tell:
            report = reconciler.run(command, lambda so_far: tell(f"Compared {orders(so_far.checked)}"))
    except KeyboardInterrupt:
        raise CafeError(
            "Stopped waiting; the run under way goes on to its end, and what it repaired stays repaired.",
            exit_code=130,
        ) from None
    if as_json:
        print_json(asdict(report) | {"stack": target.name, "ok": not report.remaining and not report.reason})
    else:
        _say_report(report)
    if not report.compared:
        note(f"Could not compare: {plain(explained(report.unchecked or ''))}", style="red")
    elif report.reason:
        note(f"Not all could be done: {plain(explained(report.reason))}", style="red")
    if report.remaining:
        rest = "" if rebuild or full else " `cafe reconcile --full` audits every counter."
        differ = "1 still differs" if report.remaining == 1 else f"{report.remaining:,} still differ"
        note(f"{differ}.{rest}", style="red")
    if report.remaining or report.reason:
        raise typer.Exit(1)


def _say_report(report: "Report") -> None:
    compared = orders(report.checked)
    if report.rds_orders is not None:
        compared = f"{report.checked:,} of {orders(report.rds_orders)}"
    if report.compared:
        say(f"{compared} compared: {report.drift:,} differed, {report.repaired:,} repaired.")
    if report.counted:
        say(f"{orders(report.counted)} counted that were inserted by another program.")
    for row, why in report.bad_rows.items():
        say(f"Row {row} of `orders` holds no order: {plain(why)}.")
    for counter, change in sorted(report.corrected.items()):
        say(f"  {plain(counter)}: {change:+,}")
    if report.swept or report.left:
        say(f"Dead letters: {report.swept:,} recorded, {report.left:,} left.")
    for sentence in _why_left(report):
        say(f"  {plain(sentence)}")


def _why_left(report: "Report") -> Iterator[str]:
    if report.rejected:
        why = f": {report.rejected_reason}" if report.rejected_reason else "."
        yield f"{report.rejected:,} with no order that can be recorded (`cafe dlq list`){why}"
    if report.conflicting:
        why = f": {report.conflicting_reason}" if report.conflicting_reason else ""
        count = orders(report.conflicting)
        yield f"{count} with an id that belongs to another order (`cafe dlq edit ID` gives another){why}"
    if report.waiting:
        why = f": {explained(report.waiting_reason)}" if report.waiting_reason else ""
        yield f"{orders(report.waiting)} not recorded now, and tried again every minute{why}"
    if unknown := report.left - report.rejected - report.conflicting - report.waiting:
        yield f"{unknown:,} for a reason that `cafe dlq list` shows."


class Source(StrEnum):
    """Where a replay finds the orders."""

    RDS = "rds"
    DYNAMODB = "dynamodb"


# --- replay ----------------------------------------------------------------------------------------------


@app.command(
    "replay",
    epilog=examples(
        "cafe replay --from 2026-11-22 --to 2026-11-23",
        "cafe replay --from 2026-11-22T14:00Z --to 2026-11-22T15:00Z --rate 50 --stack prod",
        "cafe replay --from 2026-11-22T09:00Z --source dynamodb",
        "cafe replay --from 2026-11-22 --send-to https://sqs.eu-central-1.amazonaws.com/123456789012/other",
    ),
)
def replay_command(
    start: Annotated[
        str,
        typer.Option(
            "--from", help="Date or time; in your time zone unless it names one.", show_default=False
        ),
    ],
    end: Annotated[
        str | None,
        typer.Option("--to", help="Date or time, not included; now unless given.", show_default=False),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=MOST, callback=finite, help="Orders a second, at most.", show_default=False
        ),
    ] = None,
    source: Annotated[
        Source,
        typer.Option(help="`dynamodb`: the orders that the table Orders has, all of which is read."),
    ] = Source.RDS,
    send_to: Annotated[
        str,
        typer.Option(
            help="`queue`: to our worker. `topic`: to all its subscribers. A queue's URL: only there."
        ),
    ] = "queue",
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Send the orders of a period again, each under its own id and time; the worker counts none twice.

    It rebuilds another consumer of the orders, or repairs after a bug; `--source dynamodb` brings rows back
    that a restored database has not. Exit code 1: not all could be sent.
    """
    from cli import aws, replay
    from cli.reconciler import Reconciler
    from cli.stopping import stopping

    since, until = moment(start, "--from"), moment(end, "--to") if end else datetime.now(UTC)
    if since >= until:
        raise typer.BadParameter("It must be before --to.", param_hint="--from")
    target = stack.load(stack_name, directory)
    clients = aws.Clients(target)
    bad_rows: dict[str, str] = {}
    if source is Source.RDS:
        reconciler = Reconciler(functions=clients.functions, name=target.output("reconcile_function"))
        read = functools.partial(reconciler.orders, since, until, bad_rows)
    else:
        table = target.output("orders_table")
        read = functools.partial(replay.from_dynamodb, clients.dynamodb, table, since, until)
    send, body = _destination(target, clients, send_to)
    with waiting("Counting"):
        count, future = replay.count(read())
    where = {"queue": "the worker", "topic": "all subscribers"}.get(send_to, plain(send_to))
    period = f"{times.spoken(since)} to {times.spoken(until)}"
    if count:
        _note_future(future)
        confirm(f"Send {orders(count)} of {period} to {where} of stack {target.name} again?", yes=yes)
    with stopping() as stop, counting("Sent again", count) as advance:
        pages = read() if count else []
        replayed = replay.replay(pages, body, send, stop=stop, rate=rate, advance=advance)
    replayed.failures |= {f"row {row_id}": reason for row_id, reason in bad_rows.items()}
    if as_json:
        print_json(asdict(replayed) | {"found": count, "dated_in_the_future": future})
    if replayed.interrupted:
        note(
            f"Stopped: {replayed.sent:,} of {orders(count)} {were(count)} sent again; none is counted twice."
        )
        raise typer.Exit(130)
    if not as_json:
        say(f"{replayed.sent:,} of {orders(count)} of {period} sent again.")
    if unsent := len(replayed.failures):
        order_id, reason = next(iter(replayed.failures.items()))
        note(f"{unsent:,} {were(unsent)} not sent; {plain(order_id)}: {plain(reason)}", style="red")
        raise typer.Exit(1)


def _note_future(count: int) -> None:
    if count:
        note(
            f"{orders(count)} {are(count)} dated in the future: "
            "a row that is not there yet gets the time of this replay.",
            style="yellow",
        )


def _destination(
    target: stack.Stack, clients: Any, send_to: str
) -> "tuple[Send, Callable[[dict[str, Any]], str]]":
    from cli import queues, replay

    if send_to == "topic":
        topic = target.output("topic_arn")
        return lambda messages: queues.publish(clients.sns, topic, messages), replay.bare
    if send_to != "queue" and not send_to.startswith(("http://", "https://")):
        raise typer.BadParameter("It is `queue`, `topic` or a queue's URL.", param_hint="--send-to")
    url = target.output("queue_url") if send_to == "queue" else send_to
    return lambda messages: queues.send(clients.sqs, url, messages), replay.in_envelope
