"""`cafe backup`: its options and output."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import stack, times
from cli.options import DEFAULT_STACK, MOST, AsJson, Debug, Directory, SentenceGroup, StackName, examples
from cli.plurals import counted, orders
from cli.progress import waiting
from cli.terminal import note, out, print_json, say

if TYPE_CHECKING:
    from cli.copies import Copy

SHOWN = 14  # days
KILOBYTE = 1000

app = typer.Typer(
    cls=SentenceGroup,
    no_args_is_help=True,
    help="List the backups of the orders, and copy the orders now.",
    epilog=examples("cafe backup list", "cafe backup now --stack prod"),
)


@app.command("list", epilog=examples("cafe backup list", "cafe backup list --limit 365 --stack prod --json"))
def list_command(
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many days, the latest first.")] = SHOWN,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the copies of the orders, each day's with its rows, and the database's backups.

    Days are in UTC. docs/runbook.md describes how to read the copies without this system. Exit code 1:
    something could not be read.
    """
    from cli import aws, copies
    from cli.restore.backups import Backups, sentences

    target = stack.load(stack_name, directory)
    clients = aws.Clients(target)
    bucket = target.output("backup_bucket")
    with aws.asking():
        found = copies.Copies(clients.s3, bucket)
        last, (count, files) = found.last_at(), found.files(limit)
    document: dict[str, Any] = {
        "stack": target.name,
        "bucket": bucket,
        "last_copy_at": _time(last),
        "days": count,
        "copies": [asdict(each) | {"written_at": _time(each.written_at)} for each in files],
    }
    if not as_json:
        _say_copies(bucket, last, count, files)
    if target.endpoint is None:
        database = Backups(clients.rds, target.output("database_identifier"))
        automated, snapshots = database.automated(), database.manual()
        document["snapshots"] = [each.document() for each in snapshots]
        document["automated_backups"] = [each.document() for each in automated]
        if not as_json:
            for sentence in sentences(automated, snapshots):
                say(sentence)
    if as_json:
        print_json(document)


@app.command("now", epilog=examples("cafe backup now", "cafe backup now --all --stack prod"))
def now_command(
    everything: Annotated[
        bool,
        typer.Option("--all", help="Write the files of all days again, also where no change is known."),
    ] = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Copy the orders now; the schedule does so every six hours.

    It writes the missing files, and those of days whose orders were recorded or moved since. Rows that were
    edited or deleted by SQL leave no trace: they need `--all`. Exit code 1: not all could be copied.
    """
    from cli import aws, copies
    from cli.functions import Function

    target = stack.load(stack_name, directory)
    function = Function(functions=aws.Clients(target).functions, name=target.output("backup_function"))
    with waiting("Copying") as tell:
        copied = copies.copy_now(
            function, everything=everything, tell=lambda left: tell(f"Copying; {counted(left, 'file')} left")
        )
    if as_json:
        print_json({"stack": target.name, "as_of": _time(copied.as_of), "rows": copied.rows})
    else:
        total = sum(copied.rows.values())
        say(f"{counted(len(copied.rows), 'file')} written, with {orders(total)}; all days have a copy.")


def _say_copies(bucket: str, last: datetime | None, count: int, files: "list[Copy]") -> None:
    from cli.tables import Column, Kind, Table

    columns = (
        Column("Day (UTC)", Kind.WHOLE),
        Column("Rows", Kind.NUMBER),
        Column("KB", Kind.NUMBER),
        Column("Written", Kind.WHOLE),
    )
    table = Table("Copies of the orders", columns)
    for each in files:
        rows = "?" if each.rows is None else f"{each.rows:,}"
        table.add_row(each.day, rows, f"{each.bytes / KILOBYTE:,.1f}", times.spoken(each.written_at))
    if files:
        out.print(table)
    say(f"{counted(count, 'day')} in bucket {bucket}.")
    if last is None:
        note("There is no complete copy yet: `cafe backup now` writes the missing files.", style="yellow")
    else:
        say(f"Complete as of {times.spoken(last)}.")


def _time(moment: datetime | None) -> str | None:
    return times.iso(moment) if moment else None
