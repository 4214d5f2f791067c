"""`cafe replay`: send the orders of a period again."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from cli import queues, replay, times
from cli.options import Target, Yes, commands, parse_time, rate_option, stack_command
from cli.plurals import are, orders, were
from cli.progress import counting, waiting
from cli.queues import Send
from cli.reconciler import Reconciler
from cli.stopping import stopping
from cli.terminal import confirm, failed, note, plain, print_json, say, stopped


class Source(StrEnum):
    """The store from which a replay reads the orders."""

    RDS = "rds"
    DYNAMODB = "dynamodb"


@stack_command(
    commands,
    "replay",
    "cafe replay --from 2026-11-22 --to 2026-11-23",
    "cafe replay --from 2026-11-22T14:00Z --to 2026-11-22T15:00Z --rate 50 --stack prod",
    "cafe replay --from 2026-11-22T09:00Z --source dynamodb",
    "cafe replay --from 2026-11-22 --send-to https://sqs.eu-central-1.amazonaws.com/123456789012/other",
)
def replay_command(
    target: Target,
    start: Annotated[str, typer.Option("--from", help="Date or time, by default in your time zone.")],
    end: Annotated[str | None, typer.Option("--to", help="Date or time, not included; default: now.")] = None,
    rate: Annotated[float | None, rate_option("Orders")] = None,
    source: Annotated[
        Source, typer.Option(help="`dynamodb` scans the whole table Orders instead of the database.")
    ] = Source.RDS,
    send_to: Annotated[
        str,
        typer.Option(
            help="`queue`: our worker. `topic`: all its subscribers. A queue's URL: only that queue."
        ),
    ] = "queue",
    yes: Yes = False,
) -> None:
    """Send the orders of a period again, each with its own id and time; none is counted twice.

    Use it to rebuild another consumer of the orders, or to repair data after a bug; `--source dynamodb`
    restores rows that a restored database lacks. Exit code 1: not all could be sent.
    """
    since, until = parse_time(start, "--from"), parse_time(end, "--to") if end else datetime.now(UTC)
    if since >= until:
        raise typer.BadParameter("It must be before --to.", param_hint="--from")
    bad_rows: dict[str, str] = {}
    read = _reader(target, source, since, until, bad_rows)
    send, body = _destination(target, send_to)
    with waiting("Counting"):
        count, future = replay.count(read())
    where = {"queue": "the worker", "topic": "all subscribers"}.get(send_to, plain(send_to))
    period = f"{times.local_time(since)} to {times.local_time(until)}"
    if future:
        note(
            f"{orders(future)} {are(future)} dated in the future: "
            "a row that does not exist yet gets the time of this replay.",
            style="yellow",
        )
    if count:
        confirm(f"Send {orders(count)} of {period} to {where} of stack {target.name} again?", yes=yes)
    with stopping() as stop, counting("Sent again", count) as advance:
        pages = read() if count else []
        replayed = replay.replay(pages, body, send, stop=stop, rate=rate, advance=advance)
    replayed.failures |= {f"row {row_id}": reason for row_id, reason in bad_rows.items()}
    if target.as_json:
        print_json(asdict(replayed) | {"found": count, "dated_in_the_future": future})
    if replayed.interrupted:
        raise stopped(
            f"Stopped: {replayed.sent:,} of {orders(count)} {were(count)} sent again; none is counted twice."
        )
    if not target.as_json:
        say(f"{replayed.sent:,} of {orders(count)} of {period} sent again.")
    if unsent := len(replayed.failures):
        order_id, reason = next(iter(replayed.failures.items()))
        raise failed(f"{unsent:,} {were(unsent)} not sent; {plain(order_id)}: {plain(reason)}")


def _reader(
    target: Target, source: Source, since: datetime, until: datetime, bad_rows: dict[str, str]
) -> Callable[[], Iterator[list[dict[str, Any]]]]:
    """Return the function that reads the orders of a period, in pages."""
    if source is Source.RDS:
        return partial(Reconciler.of(target.clients).orders, since, until, bad_rows)
    return partial(replay.from_dynamodb, target.clients.dynamodb, target.output("orders_table"), since, until)


def _destination(target: Target, send_to: str) -> tuple[Send, Callable[[dict[str, Any]], str]]:
    """Return the function that sends messages, and the one that makes them of orders."""
    if send_to == "topic":
        return partial(queues.publish, target.clients.sns, target.output("topic_arn")), replay.bare
    if send_to != "queue" and not send_to.startswith(("http://", "https://")):
        raise typer.BadParameter("It is `queue`, `topic` or a queue's URL.", param_hint="--send-to")
    url = target.output("queue_url") if send_to == "queue" else send_to
    return partial(queues.send, target.clients.sqs, url), replay.in_envelope
