"""`cafe dlq export` and `import`: dead letters in a file."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli import aws, plurals, queues
from cli.commands.dlq.options import QueueName, Rate, WhichQueue, opened
from cli.dlq import files, render
from cli.errors import CafeError, SetUpError
from cli.options import Target, Yes, stack_command
from cli.progress import counting
from cli.queues import Outgoing
from cli.stopping import Pace, stopping
from cli.terminal import confirm, failed, note, plain, print_json, say, stopped

MAX_LINES = 20  # that are printed of each kind

File = Annotated[Path, typer.Argument(metavar="FILE")]

app = typer.Typer()


@stack_command(app, "export", "cafe dlq export letters.jsonl", "cafe dlq export letters.jsonl --stack prod")
def export_command(
    target: Target, file: File, queue: WhichQueue = QueueName.ORDERS, yes: Yes = False
) -> None:
    """Write all messages to a file, one JSON object per line, and leave them in the queue.

    Only you may read the file, because it contains customers' names. It is written completely or not at all.
    """
    if file.exists():
        if not file.is_file():
            raise SetUpError(f"{file} is not a regular file; `cafe dlq list --json` prints the messages.")
        confirm(f"Overwrite {plain(file)}?", yes=yes)
    with opened(target, queue) as letters:
        with counting("Read", letters.depth().total) as advance:
            listing = letters.listed(None, advance)
        if letters.stop.is_set():
            raise CafeError(
                f"Stopped: {file} was not written, and all messages are visible again.", exit_code=130
            )
        files.write(file, listing.messages)
    count, held = len(listing.messages), listing.held_by_others
    target.print_result(
        {"file": str(file), "exported": count, "held_by_others": held},
        f"{plurals.messages(count)} written to {plain(file)}.",
    )
    if held:
        note(render.held_by_others(held, "not in the file"), style="yellow")


@stack_command(
    app, "import", "cafe dlq import letters.jsonl", "cafe dlq import letters.jsonl --skip-bad --rate 50"
)
@aws.translated_errors()
def import_command(
    target: Target,
    file: File,
    rate: Rate = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Send the good lines, even if there are bad ones.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Send the orders of an exported, perhaps corrected, file to the worker, each with its id and time.

    Every line is checked before the first is sent; if lines are bad, nothing is sent without `--skip-bad`.
    Orders that were sent already may be sent again: they are counted once. Exit code 1: not all lines were
    sent.
    """
    url = target.output("queue_url")
    contents = files.read(file, queues.max_message_size(target.clients.sqs, url))
    _note_lines([f"Line {line}: {reason}" for line, reason in contents.bad.items()], "red")
    if contents.bad and not skip_bad:
        if target.as_json:
            print_json({"sent": 0, "bad_lines": contents.bad})
        raise failed(
            f"Nothing was sent, because {plurals.counted(len(contents.bad), 'line')} of {plain(file)} cannot "
            "be: correct them, or send the others with `--skip-bad`."
        )
    ignored = [
        f"Line {line}: {render.ignored(time, contents.messages[line])}"
        for line, time in contents.ignored_times.items()
    ]
    _note_lines(ignored, "yellow")
    count = len(contents.messages)
    if count:
        confirm(f"Send {plurals.orders(count)} to the worker of stack {target.name}?", yes=yes)
    messages = ((line, Outgoing.of(message)) for line, message in contents.messages.items())
    send = partial(queues.send, target.clients.sqs, url)
    started = time.monotonic()
    with stopping() as stop, counting("Sent", count) as advance:
        imported = queues.deliver(messages, send, Pace(rate, stop), advance)
    seconds = time.monotonic() - started
    last_line = [0, *contents.messages][imported.sent + len(imported.failures)]
    if target.as_json:
        document = asdict(imported) | {"last_line": last_line, "seconds": round(seconds, 3)}
        print_json(document | {"bad_lines": contents.bad, "ignored_times": contents.ignored_times})
    sent = f"{imported.sent:,} of {plurals.orders(count)}"
    if imported.interrupted:
        raise stopped(
            f"Stopped after line {last_line}: {sent} {plurals.were(count)} sent. "
            "Import the file again for the rest; an order that is sent twice is counted once."
        )
    if not target.as_json:
        say(f"{sent} sent, in {seconds:.1f} s.")
    _note_lines([f"Line {line} was not sent: {reason}" for line, reason in imported.failures.items()], "red")
    if imported.failures or contents.bad:
        raise typer.Exit(1)


def _note_lines(sentences: Sequence[str], style: str) -> None:
    """Print sentences about lines, and the number of those that are left out."""
    for sentence in sentences[:MAX_LINES]:
        note(plain(sentence), style=style)
    if len(sentences) > MAX_LINES:
        note(f"and {len(sentences) - MAX_LINES:,} more.", style=style)
