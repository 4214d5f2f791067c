"""`cafe dlq purge`: delete messages."""

from dataclasses import asdict
from typing import Annotated

import typer

from cli import plurals
from cli.commands.dlq.options import OneMessage, QueueName, WhichQueue, opened
from cli.dlq import render
from cli.dlq.states import conflicts
from cli.messages import Message
from cli.options import Target, Yes, stack_command
from cli.progress import counting
from cli.queues import LONG_HOLD
from cli.terminal import confirm, failed, note, plain, stopped

app = typer.Typer()


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
        clashes = conflicts(target.stack, target.clients, chosen) if conflicting else {}
        chosen = [m for m in chosen if (invalid and m.order is None) or m.message_id in clashes]
    if held:
        note(render.held_by_others(held, "not deleted"), style="yellow")
    if chosen:
        confirm(render.purge_question(chosen, queue.value), yes=yes)
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
        raise failed(
            f"{plurals.messages(len(purged.failures))} not deleted: {plain(render.first(purged.failures))}"
        )


def _find(target: Target, queue: QueueName, message_id: str | None) -> tuple[list[Message], int]:
    """Return one or all messages, and the number of those that others hold."""
    with opened(target, queue) as letters:
        if message_id:
            return [letters.find(message_id)], 0
        with counting("Read", letters.depth().total) as advance:
            listing = letters.listed(None, hold=LONG_HOLD, advance=advance)
        if letters.stop.is_set():
            raise KeyboardInterrupt
    return listing.messages, listing.held_by_others
