"""`cafe backup`: list the backups, and copy the orders now."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from cli import aws, copies, times
from cli.copies import Copy
from cli.functions import Function
from cli.options import MOST, Target, command_group, stack_command
from cli.plurals import counted, orders
from cli.progress import waiting
from cli.restore.backups import Backups, sentences
from cli.tables import Kind, Table
from cli.terminal import note, out, print_json, say

DAYS = 14  # that are listed
KILOBYTE = 1000

app = command_group("backup", "cafe backup list", "cafe backup now --stack prod")


@stack_command(app, "list", "cafe backup list", "cafe backup list --limit 365 --stack prod --json")
@aws.translated_errors()
def list_command(
    target: Target,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many days, the latest first.")] = DAYS,
) -> None:
    """List the copies of the orders, each day's with its rows, and the database's backups.

    Days are in UTC. docs/runbook.md describes how to read the copies without this system. Exit code 1:
    something could not be read.
    """
    bucket = target.output("backup_bucket")
    last = copies.last_at(target.clients.s3, bucket)
    count, files = copies.files(target.clients.s3, bucket, limit)
    document: dict[str, Any] = {
        "stack": target.name,
        "bucket": bucket,
        "last_copy_at": last,
        "days": count,
        "copies": [asdict(each) for each in files],
    }
    if not target.as_json:
        _say_copies(bucket, last, count, files)
    if target.stack.endpoint is None:
        database = Backups(target.clients.rds, target.output("database_identifier"))
        automated, snapshots = database.automated(), database.manual()
        document["snapshots"] = [each.model_dump() for each in snapshots]
        document["automated_backups"] = [each.document() for each in automated]
        if not target.as_json:
            for sentence in sentences(automated, snapshots):
                say(sentence)
    if target.as_json:
        print_json(document)


@stack_command(app, "now", "cafe backup now", "cafe backup now --all --stack prod")
def now_command(
    target: Target,
    everything: Annotated[
        bool, typer.Option("--all", help="Write the files of all days again, even if no change is known.")
    ] = False,
) -> None:
    """Copy the orders now; the schedule does so every six hours.

    It writes missing files, and the files of days whose orders were recorded or moved since the last copy.
    Rows that were edited or deleted by SQL leave no trace: they need `--all`. Exit code 1: not all could be
    copied.
    """
    function = Function(functions=target.clients.functions, name=target.output("backup_function"))
    with waiting("Copying") as update:
        copied = copies.copy_now(
            function,
            everything=everything,
            on_step=lambda left: update(f"Copying; {counted(left, 'file')} left"),
        )
    total = orders(sum(copied.rows.values()))
    target.print_result(
        {"stack": target.name, "as_of": copied.as_of, "rows": copied.rows},
        f"{counted(len(copied.rows), 'file')} written, with {total}; all days have a copy.",
    )


def _say_copies(bucket: str, last: datetime | None, count: int, files: list[Copy]) -> None:
    columns = {"Day (UTC)": Kind.WHOLE, "Rows": Kind.NUMBER, "KB": Kind.NUMBER, "Written": Kind.WHOLE}
    table = Table("Copies of the orders", columns)
    for each in files:
        rows = "?" if each.rows is None else f"{each.rows:,}"
        table.add_row(each.day, rows, f"{each.bytes / KILOBYTE:,.1f}", times.local_time(each.written_at))
    if files:
        out.print(table)
    say(f"{counted(count, 'day')} in bucket {bucket}.")
    if last is None:
        note("No copy is complete yet: `cafe backup now` writes the missing files.", style="yellow")
    else:
        say(f"Complete as of {times.local_time(last)}.")
