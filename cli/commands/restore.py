"""`cafe restore`: restore the database from a backup, and the orders that it lacks from DynamoDB."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from cli import aws, queues, stack, times
from cli.errors import CafeError, OperationError, SetUpError
from cli.options import Target, Yes, commands, parse_time, stack_command
from cli.plurals import counted
from cli.reconciler import Reconciler
from cli.restore.backups import Backups, sentences
from cli.restore.deploys import PROTECTION, SNAPSHOT, Deploys
from cli.restore.lost import Lost
from cli.restore.record import Record, Records
from cli.restore.steps import Restore
from cli.schedule import Schedule
from cli.terminal import confirm, note, plain, print_json, say


@stack_command(
    commands,
    "restore",
    "cafe restore --stack prod",
    "cafe restore --to 2026-11-22T14:00 --stack prod",
    "cafe restore --snapshot cafe-2026-11-01 --stack prod",
    "cafe restore --cancel --stack prod",
)
@aws.translated_errors()
def restore_command(
    target: Target,
    to: Annotated[
        str | None,
        typer.Option(help="Date or time within the automated backups, by default in your time zone."),
    ] = None,
    snapshot: Annotated[
        str | None, typer.Option(help="Name of a manual snapshot, or the ARN of a shared one.")
    ] = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel a restore that has not replaced the database yet.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Restore the database of a stack on AWS from a backup.

    It makes a snapshot as of the time, pauses the worker, deploys a database made from the snapshot,
    resumes, restores from DynamoDB what the database lacks, and audits. New orders wait meanwhile.

    Without --to and --snapshot it continues an interrupted restore, or lists the backups. Exit code 1: it
    stopped, or not everything was restored.
    """
    if (to is not None) + (snapshot is not None) + cancel > 1:
        raise typer.BadParameter("Use one of --to, --snapshot and --cancel.", param_hint="--to")
    as_of = parse_time(to, "--to").replace(microsecond=0) if to else None
    if target.name == stack.LOCAL:
        raise SetUpError("The local stack has no backups and keeps nothing: name a stack on AWS by --stack.")
    _check_account(target)
    deploys = Deploys(target.stack, yes=yes, quiet=target.as_json)
    records = Records(target.clients.dynamodb, target.stack)
    record = records.load()
    if cancel:
        _cancel(target, deploys, record)
    elif record is None and as_of is None and not snapshot:
        _list(target)
    elif record is None:
        record = _checked(target, deploys, as_of, snapshot)
        records.begin(record)
        _run(target, deploys, record)
    elif (as_of is not None and as_of != record.to) or (snapshot and snapshot != record.snapshot):
        name = target.name
        raise OperationError(f"Another restore, {record.what}, is under way. {how_to_continue(name, record)}")
    else:
        note(f"Continuing the restore {record.what}.")
        _run(target, deploys, record)


def _check_account(target: Target) -> None:
    """Raise SetUpError if the credentials are of another account than the stack's."""
    account = target.clients.account()
    if account != target.stack.account:
        raise SetUpError(
            f"The credentials are of account {account}, and stack {target.name} is in account "
            f"{target.stack.account}: set AWS_PROFILE."
        )


def _backups(target: Target) -> Backups:
    return Backups(target.clients.rds, target.output("database_identifier"))


def _steps(target: Target, deploys: Deploys, record: Record) -> Restore:
    clients = target.clients
    reconciler = Reconciler.of(clients)
    return Restore(
        functions=clients.functions,
        deploys=deploys,
        backups=Backups(clients.rds, record.source),
        records=Records(clients.dynamodb, target.stack),
        schedule=Schedule(clients.events, target.stack),
        lost=Lost(
            dynamodb=clients.dynamodb,
            table=target.output("orders_table"),
            reconciler=reconciler,
            send=partial(queues.send, clients.sqs, target.output("queue_url")),
        ),
        reconciler=reconciler,
        record=record,
        say=target.say,
    )


def how_to_continue(stack_name: str, record: Record) -> str:
    """Return the command that continues the restore, and a note if the worker is paused."""
    command = f"Continue with `cafe restore --stack {stack_name}`."
    if record.paused_at is None or record.resumed_at is not None:
        return command
    wait = "orders wait in the queue, for up to 14 days"
    return f"The worker and the schedule of ReconcileOrders are paused: {wait}. {command}"


def _run(target: Target, deploys: Deploys, record: Record) -> None:
    name = target.name
    try:
        with aws.translated_errors():
            problem = _steps(target, deploys, record).run()
    except KeyboardInterrupt:
        raise CafeError(f"Stopped.\n{how_to_continue(name, record)}", exit_code=130) from None
    except CafeError as error:
        raise CafeError(f"{error}\n{how_to_continue(name, record)}", exit_code=error.exit_code) from error
    lost = record.lost or []
    seconds = (datetime.now(UTC) - record.started_at).total_seconds()
    target.print_result(
        {
            "stack": name,
            "snapshot": record.snapshot,
            "ok": not lost and problem is None,
            "orders_brought_back": record.orders,
            "states_brought_back": record.states,
            "not_brought_back": lost,
            "audit": problem,
            "paused_seconds": round(record.paused_seconds),
            "seconds": round(seconds),
        },
        f"Restored {record.what} in {times.duration(seconds)}; the worker was paused for "
        f"{times.duration(record.paused_seconds)} of it. Keep Pulumi.{name}.yaml, which names the snapshot.",
    )
    if lost:
        some = ", ".join(plain(order_id) for order_id in lost[:5])
        note(
            f"{counted(len(lost), 'order')} of DynamoDB's could not be restored, such as {some}: "
            f"`cafe dlq list --stack {name}` shows why those that were sent failed.",
            style="red",
        )
    if problem is not None:
        note(
            f"The audit failed: {plain(problem)}. Repeat it: `cafe reconcile --full --stack {name}`.",
            style="red",
        )
    if lost or problem is not None:
        raise typer.Exit(1)


def _checked(target: Target, deploys: Deploys, as_of: datetime | None, snapshot: str | None) -> Record:
    """Check a new restore, and let the user confirm it; return its record."""
    name, backups = target.name, _backups(target)
    if as_of is not None:
        snapshot = backups.name_of(as_of)
        if backups.snapshot(snapshot) is None:
            backups.at(as_of)
    found = backups.snapshot(str(snapshot))
    if as_of is None and (found is None or found.status != "available"):
        state = f"is {found.status}" if found else "does not exist in this account and region"
        raise OperationError(f"Snapshot {snapshot} {state}. `cafe restore --stack {name}` lists the backups.")
    before = deploys.deployed
    if before[SNAPSHOT] == snapshot:
        raise OperationError(
            f"The database was made from snapshot {snapshot}, so a deploy would change nothing: copy it "
            "under another name (`aws rds copy-db-snapshot`), and restore that."
        )
    record = Record(
        snapshot=str(snapshot),
        to=as_of,
        source=target.output("database_identifier"),
        protected=bool(before[PROTECTION]),
        started_at=datetime.now(UTC),
    )
    deploys.refuse(deploys.changes(found) if found else {})
    number = "three deploys, because it is protected" if record.protected else "a deploy"
    beside = "a database is restored beside the running one, for a snapshot; then " if as_of else ""
    confirm(
        f"Restore the database of stack {name} {record.what}? First {beside}the worker is paused, and "
        f"orders wait. Then {number}, each of which Pulumi shows before, for about an hour.",
        yes=deploys.yes,
    )
    return record


def _cancel(target: Target, deploys: Deploys, record: Record | None) -> None:
    if record is None:
        raise OperationError(f"No restore of stack {target.name} is under way.")
    _steps(target, deploys, record).cancel()
    target.print_result(
        {"stack": target.name, "cancelled": True},
        "Cancelled; the worker takes orders, and the database is unchanged.",
    )


def _list(target: Target) -> None:
    automated, manual = _backups(target).automated(), _backups(target).manual()
    if target.as_json:
        periods = [each.document() for each in automated]
        snapshots = [each.model_dump() for each in manual]
        print_json({"stack": target.name, "automated": periods, "snapshots": snapshots})
        return
    for sentence in sentences(automated, manual):
        say(sentence)
    if automated or manual:
        note("Restore a time of the automated backups with --to, or a snapshot with --snapshot.")
