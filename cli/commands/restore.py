"""`cafe restore`: bring the database back from a backup, and the orders that it lacks from DynamoDB."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli import stack, times
from cli.errors import AnswerError, CafeError, SetUpError
from cli.options import (
    DEFAULT_STACK,
    AsJson,
    Debug,
    Directory,
    SentenceGroup,
    StackName,
    Yes,
    examples,
    moment,
)
from cli.plurals import counted
from cli.terminal import confirm, note, plain, print_json, say

if TYPE_CHECKING:
    from cli.restore.backups import Backups
    from cli.restore.record import Record
    from cli.restore.steps import Restore

app = typer.Typer(cls=SentenceGroup)


@app.command(
    "restore",
    epilog=examples(
        "cafe restore --stack prod",
        "cafe restore --to 2026-11-22T14:00 --stack prod",
        "cafe restore --snapshot cafe-2026-11-01 --stack prod",
        "cafe restore --cancel --stack prod",
    ),
)
def restore_command(
    to: Annotated[
        str | None,
        typer.Option(
            help="Date or time, in your time zone unless it names one, within the automated backups.",
            show_default=False,
        ),
    ] = None,
    snapshot: Annotated[
        str | None,
        typer.Option(help="Name of a manual snapshot, or the ARN of a shared one.", show_default=False),
    ] = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Give up a restore that has not replaced the database yet.")
    ] = False,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Bring the database of a stack on AWS back from a backup.

    It makes a snapshot as of the time, pauses the worker, deploys a database made from the snapshot,
    resumes, brings back from DynamoDB what that lacks, and audits. Orders that come in meanwhile wait.

    Without --to and --snapshot it continues a restore after a break, or lists the backups. Exit code 1: it
    stopped, or not everything came back.
    """
    if (to is not None) + (snapshot is not None) + cancel > 1:
        raise typer.BadParameter("Give one of --to, --snapshot and --cancel.", param_hint="--to")
    as_of = moment(to, "--to").replace(microsecond=0) if to else None
    if stack_name == stack.LOCAL:
        raise SetUpError("The local stack has no backups and keeps nothing: name a stack on AWS by --stack.")
    target = stack.load(stack_name, directory)
    parts = _Parts(target, yes=yes, as_json=as_json)
    parts.check_account()
    record = parts.records.load()
    if cancel:
        _cancel(parts, record)
    elif record is None and as_of is None and not snapshot:
        _list(parts)
    elif record is None:
        _run(parts, _begin(parts, as_of, snapshot, yes=yes))
    elif (as_of is not None and as_of != record.to) or (snapshot and snapshot != record.snapshot):
        name = target.name
        raise AnswerError(f"Another restore, {record.what}, is under way. {how_to_continue(name, record)}")
    else:
        note(f"Continuing the restore {record.what}.")
        _run(parts, record)


class _Parts:
    """The parts of a restore of one stack."""

    def __init__(self, target: stack.Stack, *, yes: bool, as_json: bool) -> None:
        from cli import aws
        from cli.restore.deploys import Deploys
        from cli.restore.record import Records

        self.as_json = as_json
        self.say = note if as_json else say
        self.clients = aws.Clients(target)
        self.deploys = Deploys(target, yes=yes, quiet=as_json)
        self.records = Records(self.clients.dynamodb, target)

    @property
    def name(self) -> str:
        return self.deploys.stack.name

    def check_account(self) -> None:
        """Raise a SetUpError if the credentials are of another account than the stack's."""
        from cli import aws

        with aws.asking():
            mine = self.clients.sts.get_caller_identity()["Account"]
        account = self.deploys.stack.output("topic_arn").split(":")[4]
        if mine != account:
            raise SetUpError(
                f"The credentials are of account {mine}, and stack {self.name} is in account {account}: "
                "set AWS_PROFILE."
            )

    def backups(self, source: str | None = None) -> Backups:
        """Return the backups of a database, of the running one unless another is named."""
        from cli.restore.backups import Backups

        identifier = source or self.deploys.stack.output("database_identifier")
        return Backups(self.clients.rds, identifier)

    def restore(self, record: Record) -> Restore:
        """Return the steps."""
        from cli import queues
        from cli.reconciler import Reconciler
        from cli.restore.lost import Lost
        from cli.restore.steps import Restore
        from cli.schedule import Schedule

        target, clients = self.deploys.stack, self.clients
        reconciler = Reconciler(functions=clients.functions, name=target.output("reconcile_function"))
        url = target.output("queue_url")
        return Restore(
            functions=clients.functions,
            deploys=self.deploys,
            backups=self.backups(record.source),
            records=self.records,
            schedule=Schedule(clients.events, target),
            lost=Lost(
                dynamodb=clients.dynamodb,
                table=target.output("orders_table"),
                reconciler=reconciler,
                send=lambda messages: queues.send(clients.sqs, url, messages),
            ),
            reconciler=reconciler,
            record=record,
            say=self.say,
        )


def how_to_continue(stack_name: str, record: Record) -> str:
    """Return what is paused, and the command that continues the restore."""
    paused = (
        "The worker and the schedule of ReconcileOrders are paused: orders wait in the queue, for up to "
        "14 days. "
        if record.is_pausing
        else ""
    )
    return f"{paused}Continue with `cafe restore --stack {stack_name}`."


def _run(parts: _Parts, record: Record) -> None:
    from cli import aws

    name = parts.name
    try:
        with aws.asking():
            problem = parts.restore(record).run()
    except KeyboardInterrupt:
        raise CafeError(f"Stopped.\n{how_to_continue(name, record)}", exit_code=130) from None
    except CafeError as error:
        raise CafeError(f"{error}\n{how_to_continue(name, record)}", exit_code=error.exit_code) from error
    lost = record.lost or []
    seconds = (datetime.now(UTC) - record.started_at).total_seconds()
    if parts.as_json:
        print_json(
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
            }
        )
    else:
        say(
            f"Restored {record.what} in {times.duration(seconds)}, of which the worker was paused for "
            f"{times.duration(record.paused_seconds)}. Keep Pulumi.{name}.yaml, which names the snapshot."
        )
    if lost:
        some = ", ".join(plain(order_id) for order_id in lost[:5])
        note(
            f"{counted(len(lost), 'order')} of DynamoDB's did not come back, such as {some}: "
            f"`cafe dlq list --stack {name}` names the reasons of those that were sent.",
            style="red",
        )
    if problem is not None:
        note(f"The audit: {plain(problem)}. Repeat it: `cafe reconcile --full --stack {name}`.", style="red")
    if lost or problem is not None:
        raise typer.Exit(1)


def _begin(parts: _Parts, as_of: datetime | None, snapshot: str | None, *, yes: bool) -> Record:
    """Check what can be checked before anything is changed, ask, and store the new restore."""
    from cli.restore.deploys import PROTECTION, SNAPSHOT, changes
    from cli.restore.record import Record

    target, before, backups = parts.deploys.stack, parts.deploys.deployed, parts.backups()
    if as_of is not None:
        snapshot = backups.name_of(as_of)
        if backups.snapshot(snapshot) is None:
            backups.at(as_of)
    found = backups.snapshot(str(snapshot))
    if as_of is None and (found is None or found.status != "available"):
        state = f"is {found.status}" if found else "does not exist in this account and region"
        raise AnswerError(
            f"Snapshot {snapshot} {state}. `cafe restore --stack {target.name}` lists the backups."
        )
    if before[SNAPSHOT] == snapshot:
        raise AnswerError(
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
    parts.deploys.refuse(changes(found, parts.deploys.settings()) if found else {})
    deploys = "three deploys, because it is protected" if record.protected else "a deploy"
    beside = "a database is restored beside the running one, for a snapshot; then " if as_of else ""
    confirm(
        f"Restore the database of stack {target.name} {record.what}? First {beside}the worker is paused, and "
        f"orders wait. Then {deploys}, each of which Pulumi shows before, for about an hour.",
        yes=yes,
    )
    parts.records.begin(record)
    return record


def _cancel(parts: _Parts, record: Record | None) -> None:
    if record is None:
        raise AnswerError(f"No restore of stack {parts.name} is under way.")
    parts.restore(record).cancel()
    if parts.as_json:
        print_json({"stack": parts.name, "cancelled": True})
    else:
        say("Cancelled; the worker takes orders, and the database is unchanged.")


def _list(parts: _Parts) -> None:
    from cli.restore.backups import sentences

    automated, manual = parts.backups().automated(), parts.backups().manual()
    if parts.as_json:
        print_json(
            {
                "stack": parts.name,
                "automated": [each.document() for each in automated],
                "snapshots": [each.document() for each in manual],
            }
        )
        return
    for sentence in sentences(automated, manual):
        say(sentence)
    if automated or manual:
        note("Restore a time of the automated backups with --to, or a snapshot with --snapshot.")
