"""`cafe trace`: the path of one order."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.commands.logs import rendered
from cli.commands.orders import Reference
from cli.kitchen import Kitchen
from cli.options import Target, commands, parse_time, stack_command
from cli.progress import waiting
from cli.terminal import note, out, plain, print_json, say
from cli.times import local_time
from cli.trace.path import Hop, Outcome, Path
from cli.trace.sources import Sources, gather

SIGNS = {"yes": ("✓", None), "no": ("✗", "red"), "unknown": ("?", "yellow"), "unseen": ("-", None)}
MOST_LINES = 20  # that are printed; --json has all


@stack_command(
    commands,
    "trace",
    "cafe trace O1234",
    "cafe trace K42",
    "cafe trace O1234 --since 2026-11-22T09:00 --until 2026-11-22T12:00 --stack prod",
)
def trace_command(
    target: Target,
    reference: Reference,
    since: Annotated[
        str | None,
        typer.Option(help="Start of the log to read: how long ago, or a time; default: the order's time."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            help="End of the log to read; default: a day after the order's time, or with --since now."
        ),
    ] = None,
) -> None:
    """Show an order's path: accepted, published, received, recorded and shown, or where it stopped.

    It reads both stores, the dead-letter queues, whose messages stay, and the functions' log lines, by
    default of the day from the order's time, or else of the last day. AWS charges nothing for the log.
    Exit code 1: the order is not recorded and shown, or that could not be checked.
    """
    start, end = (
        None if given is None else parse_time(given, name, ago=True)
        for given, name in ((since, "--since"), (until, "--until"))
    )
    if start and start >= (end or datetime.now(UTC)):
        raise typer.BadParameter(f"It must be before {'--until' if end else 'now'}.", param_hint="--since")
    with waiting("Reading stores, queues and logs"):
        order_id = Kitchen.of(target.clients).id_of(reference)
        found = gather(target, order_id, start, end)
    path = Path(found)
    outcome, sentence = path.verdict()
    if target.as_json:
        print_json(_document(found, path.hops(), outcome, sentence))
    else:
        _print(found, path.hops())
        say(
            f"{plain(order_id)}: {plain(sentence)}", style="green" if outcome is Outcome.SHOWN else "bold red"
        )
    raise typer.Exit(0 if outcome is Outcome.SHOWN else 1)


def _print(found: Sources, hops: list[Hop]) -> None:
    for hop in hops:
        sign, style = SIGNS[hop.reached]
        say(
            f"{sign} {hop.name:<10} {local_time(hop.at) if hop.at else '':<19}  {plain(hop.detail)}",
            style=style,
        )
    for letter in found.letters:
        name, sent = letter.message.message_id, local_time(letter.message.sent)
        say(f"! {letter.queue}: message {name}, sent {sent}: {plain(letter.state.sentence)}", style="yellow")
    lines = [shown for line in found.lines if (shown := rendered(line))]
    for shown in lines[-MOST_LINES:]:
        out.print(shown, soft_wrap=True)
    since, until = local_time(found.since), local_time(found.until)
    note(f"The log was read from {since} to {until}, free of charge.")
    for source, reason in found.unchecked.items():
        note(f"Could not check {source}: {plain(reason)}.", style="yellow")


def _document(found: Sources, hops: list[Hop], outcome: Outcome, sentence: str) -> dict[str, object]:
    return {
        "order_id": found.order_id,
        "outcome": outcome,
        "sentence": sentence,
        "hops": [asdict(hop) for hop in hops],
        "dead_letters": [
            {
                "queue": letter.queue,
                "message_id": letter.message.message_id,
                "sent_at": letter.message.sent,
                "state": letter.state.kind,
                "reason": letter.state.reason,
            }
            for letter in found.letters
        ],
        "since": found.since,
        "until": found.until,
        "lines": [line.document() for line in found.lines],
        "unchecked": found.unchecked,
    }
