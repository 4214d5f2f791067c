"""`cafe dlq`: what can be typed for the dead-letter queues, and what is then printed."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import plurals, stack, text_files
from cli.commands.dlq import files as file_commands
from cli.commands.dlq.options import MessageId, QueueName, Rate, WhichQueue, opened
from cli.dlq import render
from cli.errors import AnswerError
from cli.options import DEFAULT_STACK, MOST, AsJson, Debug, Directory, SentenceGroup, StackName, Yes, examples
from cli.progress import counting
from cli.terminal import confirm, note, out, plain, plain_lines, print_json, say

# boto3 takes longer to import than most commands run, so each command imports its own.
if TYPE_CHECKING:
    from cli.dlq.correction import Correction
    from cli.dlq.dead_letters import Listing, Moved, Purged
    from cli.messages import Message

app = typer.Typer(
    cls=SentenceGroup,
    no_args_is_help=True,
    help="Look after the messages that were given up on: look, correct, send again, delete, keep.",
    epilog=examples("cafe dlq list", "cafe dlq edit 8f14e45f", "cafe dlq redrive --rate 50"),
)
app.add_typer(file_commands.app)


@app.command("list", epilog=examples("cafe dlq list", "cafe dlq list --limit 1000 --stack prod --json"))
def list_command(
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many messages to show, at most.")] = 100,
    queue: WhichQueue = QueueName.ORDERS,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the messages, the oldest first: age, how often received, what became of it, and the body.

    A message holds no order, or one that is recorded, whose id belongs to another order, or that could not
    be recorded.

    Looking takes nothing away: the messages are visible to others again at the end. SQS counts each look as
    a receive.
    """
    from cli import aws
    from cli.dlq.states import states

    with opened(stack_name, directory, queue) as letters:
        depth = letters.depth()
        with counting("Read", min(limit, depth.total)) as advance:
            listing = letters.listed(limit, advance=advance)
        stopped = letters.stop.is_set()
    target = stack.load(stack_name, directory)
    found = states(target, aws.Clients(target), listing.messages)
    if as_json:
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
    if stopped:
        note(f"Stopped: {plurals.messages(len(listing.messages))} read, and all are visible again.")
        raise typer.Exit(130)
    if not as_json:
        _say_what_is_missing(listing, depth.total, queue)


def _say_what_is_missing(listing: "Listing", total: int, queue: QueueName) -> None:
    seen = len(listing.messages)
    if listing.held_by_others:
        note(render.held_by_others(listing.held_by_others, "not listed"), style="yellow")
    if not listing.complete:
        say(f"These are {seen} of about {max(total, seen)}: `--limit` shows more.")
    elif seen:
        say(f"{plurals.messages(seen)}. `cafe dlq show ID` shows one, `cafe dlq edit ID` corrects it.")
    elif not listing.held_by_others:
        say(f"Nothing is in the dead-letter queue “{queue.value}”.")


@app.command("show", epilog=examples("cafe dlq show 8f14e45f"))
def show_command(
    message_id: MessageId,
    queue: WhichQueue = QueueName.ORDERS,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show one message with all that is known of it, and what the worker said about it in its log."""
    from cli import aws
    from cli.dlq.dead_letters import workers_reason
    from cli.dlq.states import states

    with opened(stack_name, directory, queue) as letters:
        message = letters.find(message_id)
    target = stack.load(stack_name, directory)
    clients = aws.Clients(target)
    logged = workers_reason(clients.logs, target.output("worker_log_group"), message)
    state = states(target, clients, [message])[message.message_id]
    if as_json:
        print_json(render.document(message, state) | {"logged": logged})
        return
    for name, value in render.facts(message, state, logged):
        say(f"{name + ':':<12} {plain(value)}")
    say("")
    say(plain_lines(message.editable().rstrip("\n")))


@app.command(
    "redrive",
    epilog=examples(
        "cafe dlq redrive", "cafe dlq redrive --rate 50 --stack prod", "cafe dlq redrive --id 8f14e45f"
    ),
)
def redrive_command(
    rate: Rate = None,
    message_id: Annotated[
        str | None,
        typer.Option("--id", help="Only the message with this id, or beginning.", show_default=False),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what cannot be recorded, and will come back.")
    ] = False,
    new_ids: Annotated[
        bool,
        typer.Option(
            "--new-ids",
            help="Give an order whose id belongs to another order the id ID.DATE, and send it, too.",
        ),
    ] = False,
    queue: WhichQueue = QueueName.ORDERS,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Send the orders in the dead-letter queue to the worker again, each under its own id and time.

    A message is deleted here once the queue has it; an order that comes twice is counted once, so Ctrl-C and
    a second run are safe. What holds no order, or one whose id belongs to another order, stays. Exit code 1:
    something could not be sent.
    """
    from cli import aws
    from cli.dlq.states import conflicts

    target = stack.load(stack_name, directory)
    clients = aws.Clients(target)
    with opened(stack_name, directory, queue) as letters:
        depth = letters.depth()
        with counting("Sent again", 1 if message_id else depth.total) as advance:
            moved = letters.redrive(
                rate=rate,
                name=message_id,
                everything=everything,
                conflicts=partial(conflicts, target, clients),
                new_ids=new_ids,
                advance=advance,
            )
    held = moved.held_by_others
    if as_json:
        print_json(render.moved_document(moved) | {"held_by_others": held})
    if held:
        note(render.held_by_others(held, "not sent, unless they came back meanwhile"), style="yellow")
    _end(moved, quiet=as_json, chosen=message_id is not None)


@app.command(
    "edit",
    epilog=examples(
        "cafe dlq edit 8f14e45f",
        "cafe dlq edit 8f14e45f --file corrected.json --yes",
        "cafe dlq edit 8f14e45f --order-id 17.2026-11-22",
    ),
)
def edit_command(
    message_id: MessageId,
    file: Annotated[
        Path | None,
        typer.Option(help="Take the corrected order from this file, and open no editor.", show_default=False),
    ] = None,
    order_id: Annotated[
        str | None,
        typer.Option("--order-id", help="Give the order this id, and open no editor.", show_default=False),
    ] = None,
    queue: WhichQueue = QueueName.ORDERS,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Correct the order in a message in your editor, and send it again under the same time.

    Its id stays the same, unless it belongs to another order: then give it one that is not taken. It is
    checked as the worker would before anything is sent. Exit code 1: it still cannot be recorded, or the
    message is gone; nothing was changed then.
    """
    from cli import aws
    from cli.dlq import editor
    from cli.dlq.correction import Correction
    from cli.dlq.states import recorded, states

    with opened(stack_name, directory, queue) as letters:
        message = letters.find(message_id)
    target = stack.load(stack_name, directory)
    clients = aws.Clients(target)
    state = states(target, clients, [message])[message.message_id]
    correction = Correction(message=message, state=state, recorded=partial(recorded, target, clients))
    before = message.editable()
    if file is not None or order_id is not None:
        corrected = _corrected(correction, text_files.read(file) if file else before, order_id)
    else:
        note(f"Message {message.message_id}: {plain(state.sentence)}")
        offered, text = before, editor.edit(before)
        while isinstance(corrected := _corrected(correction, text), str) and text != offered and not yes:
            note(plain(corrected), style="red")
            confirm("Correct it again?", yes=False)
            offered, text = text, editor.edit(text)
        if isinstance(corrected, str) and text == offered:
            raise AnswerError("Nothing was changed, and nothing was sent.")
    if isinstance(corrected, str):
        raise AnswerError(f"{corrected} Nothing was sent.")
    order = corrected.order
    assert order is not None  # noqa: S101 - `corrected` has one
    note(plain_lines("\n".join(render.before_sending(message, corrected))))
    confirm("Send it to the worker, and delete the message here?", yes=yes)
    with opened(stack_name, directory, queue) as letters:
        moved = letters.replace(message.message_id, corrected)
    if as_json:
        print_json({"order_id": order.order_id} | render.moved_document(moved))
    elif moved.sent:
        say(f"Sent: order {order.order_id}.")
    if moved.undeleted or moved.failures:
        _end(moved, quiet=True, chosen=True)


def _end(moved: "Moved", *, quiet: bool, chosen: bool) -> None:
    """Say what was done and what not, and choose the exit code."""
    if not quiet and not moved.interrupted:
        say(f"{plurals.messages(moved.sent)} sent again, in {moved.seconds:.1f} s.")
    for sentence, style in render.troubles(moved):
        note(plain(sentence), style=style)
    if moved.interrupted:
        raise typer.Exit(130)
    if moved.failures or moved.problem or (chosen and not moved.sent):
        raise typer.Exit(1)


def _corrected(correction: "Correction", text: str, order_id: str | None = None) -> "Message | str":
    """Return the corrected message, or why the text is no correction."""
    from orders.order import InvalidOrderError

    try:
        return correction.of(text, order_id)
    except InvalidOrderError as error:
        return str(error)


@app.command(
    "purge", epilog=examples("cafe dlq purge", "cafe dlq purge --invalid", "cafe dlq purge --id 8f14e45f")
)
def purge_command(
    message_id: Annotated[
        str | None,
        typer.Option("--id", help="Only the message with this id, or beginning.", show_default=False),
    ] = None,
    invalid: Annotated[bool, typer.Option("--invalid", help="Only what holds no order.")] = False,
    conflicting: Annotated[
        bool, typer.Option("--conflicting", help="Only orders whose id belongs to another order.")
    ] = False,
    queue: WhichQueue = QueueName.ORDERS,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Delete messages for good, after a question that says how many and how many hold an order.

    Only what the question counted is deleted, not what comes later. `cafe dlq export` keeps a copy.
    Exit code 1: something could not be deleted.
    """
    from cli import aws
    from cli.dlq.states import conflicts
    from cli.queues import PASS

    with opened(stack_name, directory, queue) as letters:
        if message_id:
            found, held = [letters.find(message_id)], 0
        else:
            with counting("Read", letters.depth().total) as advance:
                listing = letters.listed(None, hold=PASS, advance=advance)
            found, held = listing.messages, listing.held_by_others
        if letters.stop.is_set():
            raise KeyboardInterrupt
    chosen = found
    if invalid or conflicting:
        target = stack.load(stack_name, directory)
        clashes = conflicts(target, aws.Clients(target), found) if conflicting else {}
        chosen = [m for m in found if (invalid and m.order is None) or m.message_id in clashes]
    if held:
        note(render.held_by_others(held, "not deleted"), style="yellow")
    if chosen:
        confirm(render.purge_question(chosen, queue.value), yes=yes)
    with opened(stack_name, directory, queue) as letters, counting("Deleted", len(chosen)) as advance:
        purged = letters.purge({message.message_id for message in chosen}, advance=advance)
    if as_json:
        print_json(asdict(purged) | {"held_by_others": held})
    _end_purge(purged, len(chosen), quiet=as_json)


def _end_purge(purged: "Purged", chosen: int, *, quiet: bool) -> None:
    if purged.interrupted:
        note(f"Stopped: {plurals.messages(purged.deleted)} deleted; the others are where they were.")
        raise typer.Exit(130)
    if not quiet:
        say(f"{plurals.messages(purged.deleted)} deleted.")
    if missed := chosen - purged.deleted - len(purged.failures):
        note(f"{plurals.messages(missed)} not met again: held by somebody else, or gone.", style="yellow")
    if purged.failures:
        reason = plain(render.first(purged.failures))
        note(f"{plurals.messages(len(purged.failures))} not deleted: {reason}", style="red")
        raise typer.Exit(1)
