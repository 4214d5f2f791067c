"""`cafe dlq edit`: correct the order in a message."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli import text_files
from cli.commands.dlq.letters import end
from cli.commands.dlq.options import MessageId, QueueName, WhichQueue, opened
from cli.dlq import editor, render
from cli.dlq.correction import Correction
from cli.dlq.states import recorded, states
from cli.errors import OperationError
from cli.messages import Message
from cli.options import Target, Yes, stack_command
from cli.terminal import confirm, note, plain, plain_lines, print_json, say
from cli.times import local_time
from orders.order import InvalidOrderError

app = typer.Typer()


@stack_command(
    app,
    "edit",
    "cafe dlq edit 8f14e45f",
    "cafe dlq edit 8f14e45f --file corrected.json --yes",
    "cafe dlq edit 8f14e45f --order-id 17.2026-11-22",
)
def edit_command(
    target: Target,
    message_id: MessageId,
    file: Annotated[
        Path | None, typer.Option(help="Read the corrected order from this file, and open no editor.")
    ] = None,
    order_id: Annotated[
        str | None, typer.Option("--order-id", help="Give the order this id, and open no editor.")
    ] = None,
    queue: WhichQueue = QueueName.ORDERS,
    yes: Yes = False,
) -> None:
    """Correct the order in a message in your editor, and send it again with the same time.

    Its id stays the same, unless it belongs to another order: then give it one that is not in use. The order
    is checked by the worker's rules before it is sent. Exit code 1: it still cannot be recorded, or the
    message is gone; nothing was changed then.
    """
    with opened(target, queue) as letters:
        message = letters.find(message_id)
    state = states(target.clients, [message])[message.message_id]
    correction = Correction(message=message, state=state, recorded=partial(recorded, target.clients))
    try:
        if file is not None or order_id is not None:
            text = text_files.read(file) if file else message.editable()
            corrected = correction.apply(text, order_id)
        else:
            note(f"Message {message.message_id}: {plain(state.sentence)}")
            corrected = _edited(correction, yes=yes)
    except InvalidOrderError as error:
        raise OperationError(f"{error} Nothing was sent.") from error
    note(f"Order {plain(corrected.identity)} of {local_time(corrected.ordered_at)}:")
    if message.ignored_time is not None:
        note(plain(render.ignored(message.ignored_time, message)))
    note(plain_lines(corrected.editable().rstrip("\n")))
    confirm("Send it to the worker, and delete the message here?", yes=yes)
    with opened(target, queue) as letters:
        moved = letters.replace(message.message_id, corrected)
    if target.as_json:
        print_json({"order_id": corrected.identity} | render.moved_document(moved))
    elif moved.sent:
        say(f"Sent: order {corrected.identity}.")
    if moved.undeleted or moved.failures:
        end(moved, must_send=True)


def _edited(correction: Correction, *, yes: bool) -> Message:
    """Open the editor until the order is valid, or the text stays the same; with `yes`, once.

    It raises InvalidOrderError if the order is still invalid, and OperationError if the text stayed the same,
    or the user does not want to correct it again.
    """
    before, text = "", correction.message.editable()
    while True:
        before, text = text, editor.edit(text)
        try:
            return correction.apply(text)
        except InvalidOrderError as error:
            if text == before:
                raise OperationError("Nothing was changed, and nothing was sent.") from error
            if yes:
                raise
            note(plain(error), style="red")
        confirm("Correct it again?", yes=False)
