"""`cafe dlq list`, `show`, `redrive` and `purge`: the messages and their states."""

from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from cli import logs, plurals
from cli.commands.dlq.options import MessageId, OneMessage, QueueName, Rate, WhichQueue, opened
from cli.dlq import render
from cli.dlq.dead_letters import Listing, Moved
from cli.dlq.states import conflicts, states
from cli.errors import OperationError
from cli.messages import Message
from cli.options import MOST, Target, Yes, stack_command
from cli.progress import counting
from cli.terminal import confirm, failed, note, out, plain, plain_lines, print_json, say, stopped

app = typer.Typer()


@stack_command(app, "list", "cafe dlq list", "cafe dlq list --limit 1000 --stack prod --json")
def list_command(
    target: Target,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many messages to show, at most.")] = 100,
    queue: WhichQueue = QueueName.ORDERS,
) -> None:
    """List the messages, the oldest first: age, number of receives, state of the order, and body.

    The state is that the order is recorded, has the id of another order, or could not be recorded, or that
    the message has no valid order.

    The messages stay in the queue, and are visible to others again at the end. SQS counts each listing as a
    receive.
    """
    with opened(target, queue) as letters:
        depth = letters.depth()
        with counting("Read", min(limit, depth.total)) as advance:
            listing = letters.listed(limit, advance)
        interrupted = letters.stop.is_set()
    found = states(target.clients, listing.messages)
    if target.as_json:
        print_json(
            {
                "queue": queue.value,
                "messages_in_queue": depth.total,
                "complete": listing.complete,
                "messages": [render.document(m, found[m.message_id]) for m in listing.messages],
            }
        )
    elif listing.messages:
        out.print(render.table(listing.messages, out.width, found))
    if interrupted:
        raise stopped(f"Stopped: {plurals.messages(len(listing.messages))} read, and all are visible again.")
    if not target.as_json:
        _say_how_many(listing, depth.total, queue)


def _say_how_many(listing: Listing, total: int, queue: QueueName) -> None:
    count = len(listing.messages)
    if listing.held_by_others:
        note(render.held_by_others(listing.held_by_others, "not listed"), style="yellow")
    if not listing.complete:
        say(f"These are {count} of about {max(total, count)}: `--limit` shows more.")
    elif count:
        say(f"{plurals.messages(count)}. `cafe dlq show ID` shows one, `cafe dlq edit ID` corrects it.")
    elif not listing.held_by_others:
        say(f"The dead-letter queue “{queue.value}” is empty.")


@stack_command(app, "show", "cafe dlq show 8f14e45f")
def show_command(target: Target, message_id: MessageId, queue: WhichQueue = QueueName.ORDERS) -> None:
    """Show a message, the state of its order, and the reason in the worker's log."""
    with opened(target, queue) as letters:
        message = letters.find(message_id)
    group = target.output("worker_log_group")
    try:
        lines = logs.read(target.clients.logs, {group: group}, message.sent, about=message.message_id)
        reasons = [line.reason for line in lines if "reason" in line.fields]
        logged = reasons[-1] if reasons else None
    except OperationError as error:
        logged = f"unknown, because the worker's log could not be read: {error}"
    state = states(target.clients, [message])[message.message_id]
    if target.as_json:
        print_json(render.document(message, state) | {"logged": logged})
        return
    for name, value in render.facts(message, state, logged):
        say(f"{name + ':':<12} {plain(value)}")
    say("")
    say(plain_lines(message.editable().rstrip("\n")))


@stack_command(
    app,
    "redrive",
    "cafe dlq redrive",
    "cafe dlq redrive --rate 50 --stack prod",
    "cafe dlq redrive --id 8f14e45f",
)
def redrive_command(
    target: Target,
    rate: Rate = None,
    message_id: OneMessage = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also messages that cannot be recorded, and will come back.")
    ] = False,
    new_ids: Annotated[
        bool,
        typer.Option(
            "--new-ids",
            help="Give an order whose id belongs to another order the id ID.DATE, and send it, too.",
        ),
    ] = False,
    queue: WhichQueue = QueueName.ORDERS,
) -> None:
    """Send the orders in the dead-letter queue to the worker again, each with its own id and time.

    A message is deleted here once the queue has it; an order that arrives twice is counted once, so Ctrl-C
    and a second run are safe. Messages without a valid order, or with the id of another order, stay. Exit
    code 1: something could not be sent.
    """
    with opened(target, queue) as letters:
        depth = letters.depth()
        with counting("Sent again", 1 if message_id else depth.total) as advance:
            moved = letters.redrive(
                rate=rate,
                name=message_id,
                everything=everything,
                conflicts=partial(conflicts, target.clients),
                new_ids=new_ids,
                advance=advance,
            )
    held = moved.held_by_others
    if target.as_json:
        print_json(render.moved_document(moved) | {"held_by_others": held})
    elif not moved.interrupted:
        say(f"{plurals.messages(moved.sent)} sent again, in {moved.seconds:.1f} s.")
    if held:
        note(render.held_by_others(held, "not sent, unless they came back meanwhile"), style="yellow")
    end(moved, must_send=message_id is not None)


def end(moved: Moved, *, must_send: bool) -> None:
    """Print the problems, and end with the exit code for them."""
    for sentence, style in render.problems(moved):
        note(plain(sentence), style=style)
    if moved.interrupted:
        raise typer.Exit(130)
    if moved.failures or moved.problem or (must_send and not moved.sent):
        raise typer.Exit(1)


@stack_command(app, "purge", "cafe dlq purge", "cafe dlq purge --invalid", "cafe dlq purge --id 8f14e45f")
def purge_command(
    target: Target,
    message_id: OneMessage = None,
    invalid: Annotated[bool, typer.Option("--invalid", help="Only messages without a valid order.")] = False,
    conflicting: Annotated[
        bool, typer.Option("--conflicting", help="Only orders whose id belongs to another order.")
    ] = False,
    queue: WhichQueue = QueueName.ORDERS,
    yes: Yes = False,
) -> None:
    """Delete messages for good, after a question with their number and the number of orders among them.

    Messages that arrive after the question stay. `cafe dlq export` keeps a copy. Exit code 1: something could
    not be deleted.
    """
    chosen, held = _find(target, queue, message_id)
    if invalid or conflicting:
        clashes = conflicts(target.clients, chosen) if conflicting else {}
        chosen = [m for m in chosen if (invalid and m.order is None) or m.message_id in clashes]
    if held:
        note(render.held_by_others(held, "not deleted"), style="yellow")
    if chosen:
        orders = sum(message.order is not None for message in chosen)
        lost = f"{orders:,} of them with an order, lost unless it is recorded"
        which = f"Delete {plurals.messages(len(chosen))} from “{queue.value}” for good"
        confirm(f"{which}, {lost if orders else 'none of them an order'}?", yes=yes)
    with opened(target, queue) as letters, counting("Deleted", len(chosen)) as advance:
        purged = letters.purge({message.message_id for message in chosen}, advance=advance)
    deleted = plurals.messages(purged.deleted)
    target.print_result(asdict(purged) | {"held_by_others": held}, f"{deleted} deleted.")
    if purged.interrupted:
        raise stopped("Stopped: the other messages are unchanged.")
    if missed := len(chosen) - purged.deleted - len(purged.failures):
        note(
            f"{plurals.messages(missed)} no longer found: another receiver holds them, or they are gone.",
            style="yellow",
        )
    if purged.failures:
        count = plurals.messages(len(purged.failures))
        raise failed(f"{count} not deleted: {plain(render.first(purged.failures))}")


def _find(target: Target, queue: QueueName, message_id: str | None) -> tuple[list[Message], int]:
    """Return one or all messages, and the number of those that others hold."""
    with opened(target, queue) as letters:
        if message_id:
            return [letters.find(message_id)], 0
        with counting("Read", letters.depth().total) as advance:
            listing = letters.listed(None, advance)
        if letters.stop.is_set():
            raise KeyboardInterrupt
    return listing.messages, listing.held_by_others
