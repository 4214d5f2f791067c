"""`cafe dlq export` and `import`: dead letters in a file."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import plurals, stack
from cli.commands.dlq.options import QueueName, Rate, WhichQueue, opened
from cli.dlq import render
from cli.errors import CafeError
from cli.options import DEFAULT_STACK, AsJson, Debug, Directory, SentenceGroup, StackName, Yes, examples
from cli.progress import counting
from cli.terminal import confirm, note, plain, print_json, say

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from cli.dlq.files import Contents, Imported

BAD_LINES = 20  # how many are named

app = typer.Typer(cls=SentenceGroup)


@app.command(
    "export", epilog=examples("cafe dlq export letters.jsonl", "cafe dlq export letters.jsonl --stack prod")
)
def export_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    queue: WhichQueue = QueueName.ORDERS,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write all messages to a file, one JSON object per line, and leave them where they are.

    Only you may read the file, because customers' names are in it. It appears whole or not at all.
    """
    from cli.dlq import files
    from cli.queues import PASS

    files.check(file)
    if file.exists():
        confirm(f"Overwrite {plain(file)}?", yes=yes)
    with opened(stack_name, directory, queue) as letters:
        with counting("Read", letters.depth().total) as advance:
            listing = letters.listed(None, hold=PASS, advance=advance)
        if letters.stop.is_set():
            raise CafeError(
                f"Stopped: {file} was not written, and all messages are visible again.", exit_code=130
            )
        files.write(file, listing.messages)
    if as_json:
        print_json(
            {"file": str(file), "exported": len(listing.messages), "held_by_others": listing.held_by_others}
        )
    else:
        say(f"{plurals.messages(len(listing.messages))} written to {plain(file)}.")
    if listing.held_by_others:
        note(render.held_by_others(listing.held_by_others, "not in the file"), style="yellow")


@app.command(
    "import",
    epilog=examples("cafe dlq import letters.jsonl", "cafe dlq import letters.jsonl --skip-bad --rate 50"),
)
def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    rate: Rate = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Send the good lines, even if there are bad ones.")
    ] = False,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Send the orders of an exported, perhaps corrected, file to the worker, each under its id and time.

    Every line is checked before the first is sent; bad lines are named, and then nothing is sent unless you
    say so. What was sent already may be sent again: it is counted once. Exit code 1: not all lines were sent.
    """
    from cli import aws
    from cli.dlq import files
    from cli.stopping import stopping

    target = stack.load(stack_name, directory)
    sqs, url = aws.Clients(target).sqs, target.output("queue_url")
    contents = _read(file, sqs, url)
    _name_bad_lines(contents)
    if contents.bad and not skip_bad:
        note(
            f"Nothing was sent, because {plurals.lines(len(contents.bad))} of {plain(file)} cannot be: "
            "correct them, or send the others with `--skip-bad`.",
            style="red",
        )
        if as_json:
            print_json({"sent": 0, "bad_lines": contents.bad})
        raise typer.Exit(1)
    for line, ignored in list(contents.ignored_times.items())[:BAD_LINES]:
        note(f"Line {line}: {plain(render.ignored(ignored, contents.messages[line]))}", style="yellow")
    if len(contents.ignored_times) > BAD_LINES:
        note(f"and {plurals.lines(len(contents.ignored_times) - BAD_LINES)} more with a time in the future.")
    count = len(contents.messages)
    if count:
        confirm(f"Send {plurals.orders(count)} to the worker of stack {target.name}?", yes=yes)
    with stopping() as stop, counting("Sent", count) as advance:
        imported = files.send(sqs, url, contents.messages, stop=stop, rate=rate, advance=advance)
    if as_json:
        seconds = round(imported.seconds, 3)
        print_json(
            asdict(imported)
            | {"seconds": seconds, "bad_lines": contents.bad, "ignored_times": contents.ignored_times}
        )
    _end_import(imported, count, quiet=as_json)
    if contents.bad:
        raise typer.Exit(1)


def _read(file: Path, sqs: "SQSClient", url: str) -> "Contents":
    """Read a file of messages; lines with more bytes than the queue takes are bad ones."""
    from cli import aws, queues
    from cli.dlq import files

    contents = files.read(file)
    if contents.messages:
        with aws.asking():
            contents.refuse_larger_than(queues.room(sqs, url))
    return contents


def _end_import(imported: "Imported", count: int, *, quiet: bool) -> None:
    if imported.interrupted:
        note(
            f"Stopped after line {imported.last_line}: "
            f"{imported.sent:,} of {plurals.orders(count)} {plurals.were(count)} sent. "
            "Import the file again for the rest; what was sent is counted once all the same."
        )
        raise typer.Exit(130)
    if not quiet:
        say(f"{imported.sent:,} of {plurals.orders(count)} sent, in {imported.seconds:.1f} s.")
    for line, reason in list(imported.failures.items())[:BAD_LINES]:
        note(f"Line {line} was not sent: {plain(reason)}", style="red")
    if imported.failures:
        raise typer.Exit(1)


def _name_bad_lines(contents: "Contents") -> None:
    for line, reason in list(contents.bad.items())[:BAD_LINES]:
        note(f"Line {line}: {plain(reason)}", style="red")
    if len(contents.bad) > BAD_LINES:
        note(f"and {plurals.counted(len(contents.bad) - BAD_LINES, 'more bad line')}.", style="red")
