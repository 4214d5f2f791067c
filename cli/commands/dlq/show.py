"""`cafe dlq list` and `show`: messages and their states."""

from typing import Annotated

import typer

from cli import logs, plurals
from cli.commands.dlq.options import MessageId, QueueName, WhichQueue, opened
from cli.dlq import render
from cli.dlq.dead_letters import Listing
from cli.dlq.states import states
from cli.errors import OperationError
from cli.options import MOST, Target, stack_command
from cli.progress import counting
from cli.terminal import note, out, plain, plain_lines, print_json, say, stopped

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
            listing = letters.listed(limit, advance=advance)
        interrupted = letters.stop.is_set()
    found = states(target.stack, target.clients, listing.messages)
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
        reasons = [str(line.fields["reason"]) for line in lines if line.fields.get("reason")]
        logged = reasons[-1] if reasons else None
    except OperationError as error:
        logged = f"unknown, because the worker's log could not be read: {error}"
    state = states(target.stack, target.clients, [message])[message.message_id]
    if target.as_json:
        print_json(render.document(message, state) | {"logged": logged})
        return
    for name, value in render.facts(message, state, logged):
        say(f"{name + ':':<12} {plain(value)}")
    say("")
    say(plain_lines(message.editable().rstrip("\n")))
