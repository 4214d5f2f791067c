"""`cafe forget`: erase personal data."""

import threading
from typing import Annotated

import typer

from cli import aws, queues
from cli.commands.dlq.options import OUTPUTS
from cli.dlq.dead_letters import DeadLetters
from cli.errors import OperationError, SetUpError
from cli.forget import plan, render
from cli.forget.backups import Backup, holding
from cli.forget.eraser import Done, Kind
from cli.forget.plan import Plan
from cli.options import Target, Yes, commands, not_blank, stack_command
from cli.plurals import orders
from cli.progress import counting, waiting
from cli.stopping import stopping
from cli.terminal import confirm, failed, note, plain, print_json, stopped
from orders.order import RECORDED_ID


@stack_command(
    commands,
    "forget",
    'cafe forget "Ada Lovelace" --stack prod',
    "cafe forget O1234 --dry-run",
    "cafe forget bo@example.com --as staff",
)
def forget_command(
    target: Target,
    name: Annotated[
        str,
        typer.Argument(
            metavar="CUSTOMER|ORDER|USER",
            callback=not_blank,
            help="A customer's whole name, an order's id, or a user's e-mail address or id.",
        ),
    ],
    kind: Annotated[Kind | None, typer.Option("--as", help="What it is, if it could be several.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be erased.")] = False,
    yes: Yes = False,
) -> None:
    """Erase a customer's or an order's name, its further fields, and who moved it and why.

    It erases in both stores and in the dead letters, and all counts stay. The name must be exact. The ids of
    erased orders are kept, so that no replay, restore or late duplicate brings a name back. A user of the
    kitchen is erased from the orders' histories. The backups that still have the data are listed, with their
    lifetimes.

    After Ctrl-C or a failure, the same command continues. Exit code 1: nothing was found, or not everything
    could be erased.
    """
    if kind is Kind.ORDER and not RECORDED_ID.fullmatch(name):
        raise typer.BadParameter("An order's id has 1 to 64 visible ASCII characters.")
    with stopping() as stop, waiting("Searching"):
        found = list(plan.plans(target, _letters(target, stop), name, kind, stop))
    chosen = _choose(found, kind)
    backups = _backups(target, chosen)
    with aws.translated_errors():
        in_queue = queues.depth(target.clients.sqs, target.output("queue_url")).total
    for sentence in render.preview(chosen, in_queue, backups):
        target.say(sentence)
    done = None
    if not dry_run:
        if chosen.has_work:
            confirm(render.question(chosen, target.name), yes=yes)
        with stopping() as stop, counting("Erased", chosen.found.orders) as advance:
            done = plan.carry_out(target, _letters(target, stop), chosen, stop, advance)
    if target.as_json:
        document = {"stack": target.name, "dry_run": dry_run} | chosen.document()
        document["messages_in_queue"] = in_queue
        document |= done.document() if done else {}
        print_json(document | {"backups": [each.document() for each in backups]})
    if done:
        _end(target, chosen, done)


def _letters(target: Target, stop: threading.Event) -> dict[str, DeadLetters]:
    return {queue.value: DeadLetters.of(target.clients, output, stop) for queue, output in OUTPUTS.items()}


def _choose(found: list[Plan], kind: Kind | None) -> Plan:
    """Return the only plan that is not empty; an order's id may be of one that is not recorded yet."""
    chosen = found if kind is Kind.ORDER else [each for each in found if not each.is_empty]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        kinds = " and ".join(f"`--as {each.subject.kind}` ({orders(each.found.orders)})" for each in chosen)
        raise SetUpError(f"Nothing was erased, because it could be {kinds}: choose one.")
    for name in sorted({name for each in found for name in each.unclear}):
        note(render.unclear(name), style="yellow")
    if any(each.has_pickup_number for each in found):
        note(render.PICKUP_NUMBER, style="yellow")
    raise OperationError(
        "Nothing was erased: no order and no dead letter has exactly this name or id. If an order with this "
        "id is still in the queue, `--as order` keeps the id, so that the order arrives without a name."
    )


def _backups(target: Target, chosen: Plan) -> list[Backup]:
    if not chosen.found.orders:
        return []
    with waiting("Listing backups"):
        return list(holding(target, chosen.subject.kind, chosen.found.days))


def _end(target: Target, chosen: Plan, done: Done) -> None:
    """Print what was erased, and end with the exit code for it."""
    if done.interrupted:
        raise stopped(f"Stopped: {render.erased(chosen, done)} The same command erases the rest.")
    if done.orders or not (done.deleted or done.sent):
        target.say(render.erased(chosen, done))
    if done.deleted or done.sent:
        target.say(f"Dead letters: {done.deleted} deleted, {done.sent} sent to the worker without the name.")
    for problem in done.problems:
        note(plain(problem), style="yellow")
    if done.problems:
        raise failed("Not everything was erased.")
