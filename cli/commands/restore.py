"""`cafe restore`: restore the database from a backup, and the orders that it lacks from DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence
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
from cli.restore.deploys import PROTECTION, SNAPSHOT, Deploys, changes
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
def restore_command(
    target: Target,
    to: Annotated[
        str | None,
        typer.Option(
            help="Date or time within the automated backups, by default in your time zone.",
            show_default=False,
        ),
    ] = None,
    snapshot: Annotated[
        str | None,
        typer.Option(help="Name of a manual snapshot, or the ARN of a shared one.", show_default=False),
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
    session = _Session(target, yes=yes)
    session.check_account()
    record = session.records.load()
    if cancel:
        _cancel(session, record)
    elif record is None and as_of is None and not snapshot:
        _list(session)
    elif record is None:
        _run(session, _begin(session, as_of, snapshot))
    elif (as_of is not None and as_of != record.to) or (snapshot and snapshot != record.snapshot):
        name = target.name
        raise OperationError(f"Another restore, {record.what}, is under way. {how_to_continue(name, record)}")
    else:
        note(f"Continuing the restore {record.what}.")
        _run(session, record)


class _Session:
    """A stack whose database is restored, with its deploys and the record of the restore."""

    def __init__(self, target: Target, *, yes: bool) -> None:
        self.target, self.yes = target, yes
        self.deploys = Deploys(target.stack, yes=yes, quiet=target.as_json)
        self.records = Records(target.clients.dynamodb, target.stack)

    def check_account(self) -> None:
        """Raise SetUpError if the credentials are of another account than the stack's."""
        with aws.translated_errors():
            account = self.target.clients.account()
        if account != self.target.stack.account:
            raise SetUpError(
                f"The credentials are of account {account}, and stack {self.target.name} is in account "
                f"{self.target.stack.account}: set AWS_PROFILE."
            )

    def backups(self, source: str | None = None) -> Backups:
        """Return the backups of a database, by default of the running one."""
        return Backups(self.target.clients.rds, source or self.deploys.stack.output("database_identifier"))

    def restore(self, record: Record) -> Restore:
        """Return the steps."""
        target, clients = self.target, self.target.clients
        reconciler = Reconciler.of(target.stack, clients)
        return Restore(
            functions=clients.functions,
            deploys=self.deploys,
            backups=self.backups(record.source),
            records=self.records,
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
    paused = (
        "The worker and the schedule of ReconcileOrders are paused: orders wait in the queue, for up to "
        "14 days. "
        if record.is_pausing
        else ""
    )
    return f"{paused}Continue with `cafe restore --stack {stack_name}`."


def _run(session: _Session, record: Record) -> None:
    name = session.target.name
    try:
        with aws.translated_errors():
            problem = session.restore(record).run()
    except KeyboardInterrupt:
        raise CafeError(f"Stopped.\n{how_to_continue(name, record)}", exit_code=130) from None
    except CafeError as error:
        raise CafeError(f"{error}\n{how_to_continue(name, record)}", exit_code=error.exit_code) from error
    lost = record.lost or []
    seconds = (datetime.now(UTC) - record.started_at).total_seconds()
    session.target.print_result(
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
    _note_problems(name, lost, problem)
    if lost or problem is not None:
        raise typer.Exit(1)


def _note_problems(name: str, lost: Sequence[str], problem: str | None) -> None:
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


def _begin(session: _Session, as_of: datetime | None, snapshot: str | None) -> Record:
    """Check the restore, ask for confirmation, and store its record."""
    deploys, backups = session.deploys, session.backups()
    name = session.target.name
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
        source=session.target.output("database_identifier"),
        protected=bool(before[PROTECTION]),
        started_at=datetime.now(UTC),
    )
    deploys.refuse(changes(found, deploys.settings()) if found else {})
    number = "three deploys, because it is protected" if record.protected else "a deploy"
    beside = "a database is restored beside the running one, for a snapshot; then " if as_of else ""
    confirm(
        f"Restore the database of stack {name} {record.what}? First {beside}the worker is paused, and "
        f"orders wait. Then {number}, each of which Pulumi shows before, for about an hour.",
        yes=session.yes,
    )
    session.records.begin(record)
    return record


def _cancel(session: _Session, record: Record | None) -> None:
    name = session.target.name
    if record is None:
        raise OperationError(f"No restore of stack {name} is under way.")
    session.restore(record).cancel()
    session.target.print_result(
        {"stack": name, "cancelled": True},
        "Cancelled; the worker takes orders, and the database is unchanged.",
    )


def _list(session: _Session) -> None:
    automated, manual = session.backups().automated(), session.backups().manual()
    if session.target.as_json:
        print_json(
            {
                "stack": session.target.name,
                "automated": [each.document() for each in automated],
                "snapshots": [each.document() for each in manual],
            }
        )
        return
    for sentence in sentences(automated, manual):
        say(sentence)
    if automated or manual:
        note("Restore a time of the automated backups with --to, or a snapshot with --snapshot.")
