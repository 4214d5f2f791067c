"""`cafe dlq redrive`: send messages to the worker again."""

from functools import partial
from typing import Annotated

import typer

from cli import plurals
from cli.commands.dlq.options import OneMessage, QueueName, Rate, WhichQueue, opened
from cli.dlq import render
from cli.dlq.dead_letters import Moved
from cli.dlq.states import conflicts
from cli.options import Target, stack_command
from cli.progress import counting
from cli.terminal import note, plain, print_json, say

app = typer.Typer()


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
                conflicts=partial(conflicts, target.stack, target.clients),
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
