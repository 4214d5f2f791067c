"""`cafe orders`: what can be typed about orders in the kitchen, and what is then printed."""

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import stack
from cli.errors import AnswerError
from cli.options import DEFAULT_STACK, AsJson, Debug, Directory, SentenceGroup, StackName, examples, text
from cli.tables import Column, Kind, Table
from cli.terminal import note, out, plain, print_exact_json, say
from cli.times import duration, spoken

# boto3 takes longer to import than most commands run, so each command imports its own.
if TYPE_CHECKING:
    from cli.kitchen import Kitchen, Order

app = typer.Typer(
    cls=SentenceGroup,
    no_args_is_help=True,
    help="See and move orders in the kitchen, by your AWS credentials.",
    epilog=examples("cafe orders list", "cafe orders ready K42", 'cafe orders cancel K42 --reason "No milk"'),
)

Reference = Annotated[
    str,
    typer.Argument(
        metavar="ORDER",
        callback=text,
        help="A pickup number such as K42, or an order's id.",
        show_default=False,
    ),
]
MADE_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
COLUMNS = (
    Column("Number", Kind.WHOLE),
    Column("State", Kind.WHOLE),
    Column("For", Kind.WHOLE),
    Column("Customer"),
    Column("Item"),
    Column("Quantity", Kind.NUMBER),
    Column("Order", Kind.ID),
)


@app.command("list", epilog=examples("cafe orders list", "cafe orders list --stack prod --json"))
def list_command(
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the open orders, the oldest first, and what was moved in the last 30 minutes."""
    board = _kitchen(stack_name, directory).board()
    if as_json:
        print_exact_json(board.document)
        return
    for title, orders in (
        ("Open", board.orders),
        ("Delayed: check first", board.delayed),
        ("Moved in the last 30 minutes", [order for order in board.recent if order not in board.orders]),
    ):
        if orders:
            out.print(_table(title, orders, board.now))
    to_make, making, ready = (board.totals[state] for state in ("received", "preparing", "ready"))
    say(f"{to_make:,} to make, {making:,} being made, {ready:,} ready.")
    left_out = to_make + making + ready - len(board.orders)
    if left_out > 0:
        note(f"{left_out:,} more are open than are listed.", style="yellow")


@app.command("show", epilog=examples("cafe orders show K42", "cafe orders show O1234 --json"))
def show_command(
    reference: Reference,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show an order with all that its publisher said, and who moved it when."""
    from cli import aws
    from cli.kitchen import Kitchen
    from cli.users import People

    target = stack.load(stack_name, directory)
    clients = aws.Clients(target)
    order = Kitchen.of(target, clients).find(reference)
    if as_json:
        print_exact_json(order.document)
        return
    people: dict[str, str] = {}
    # Tokens have the name that the user pool made, a UUID.
    if any(MADE_NAME.fullmatch(change.actor) for change in order.history):
        people = {person.name: person.email for person in People(target, clients).all()}
    facts: dict[str, object] = {
        "Number": order.number,
        "Order": order.order_id,
        "State": order.state or "none: it was recorded before orders had states",
        "Since": spoken(order.state_at) if order.state_at else "a test order: no screen shows it",
        "Sent": spoken(order.created_at) if order.created_at else "unknown",
        "Ordered": order.goods,
        **order.attributes,
    }
    for name, value in facts.items():
        say(f"{plain(name) + ':':<12} {plain(value)}")
    for change in order.history:
        because = f": {change.reason}" if change.reason else ""
        who = people.get(change.actor, change.actor)
        say(f"{spoken(change.at)}  {change.came_from} → {change.to} by {plain(who + because)}")


def _add_move(name: str, target: str, sentence: str) -> None:
    """Add the command that moves an order forward."""

    @app.command(
        name,
        help=f"{sentence}. Exit code 1: it cannot be, or somebody else has just moved it.",
        epilog=examples(f"cafe orders {name} K42"),
    )
    def move_command(
        reference: Reference,
        stack_name: StackName = DEFAULT_STACK,
        directory: Directory = None,
        as_json: AsJson = False,
        debug: Debug = False,
    ) -> None:
        _move(reference, target, stack_name, directory, as_json=as_json)


_add_move("prepare", "preparing", "Mark an order as being made")
_add_move("ready", "ready", "Mark an order as ready")
_add_move("collect", "collected", "Mark an order as collected")


@app.command(
    "cancel", epilog=examples("cafe orders cancel K42", 'cafe orders cancel K42 --reason "Out of oat milk"')
)
def cancel_command(
    reference: Reference,
    reason: Annotated[
        str | None,
        typer.Option(callback=text, help="Why; needed once the order is being made.", show_default=False),
    ] = None,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Cancel an order. Exit code 1: it cannot be, or somebody else has just moved it."""
    _move(reference, "cancelled", stack_name, directory, as_json=as_json, reason=reason)


@app.command("recall", epilog=examples("cafe orders recall K42"))
def recall_command(
    reference: Reference,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Take back an order's latest move, for up to 30 minutes. Exit code 1: it cannot be taken back."""
    kitchen = _kitchen(stack_name, directory)
    order = kitchen.find(reference)
    if order.recall_to is None:
        raise AnswerError(
            f"Order {order.number} was not moved in the last 30 minutes, or a move was taken back."
        )
    _say_moved(kitchen.move(order, order.recall_to), as_json=as_json)


def _kitchen(stack_name: str, directory: Path | None) -> "Kitchen":
    from cli import aws
    from cli.kitchen import Kitchen

    target = stack.load(stack_name, directory)
    return Kitchen.of(target, aws.Clients(target))


def _move(
    reference: str,
    target: str,
    stack_name: str,
    directory: Path | None,
    *,
    as_json: bool,
    reason: str | None = None,
) -> None:
    from orders.states import State

    kitchen = _kitchen(stack_name, directory)
    _say_moved(kitchen.move(kitchen.find(reference), State(target), reason), as_json=as_json)


def _say_moved(order: "Order", *, as_json: bool) -> None:
    if as_json:
        print_exact_json(order.document)
    else:
        state = {"received": "to be made", "preparing": "being made"}.get(str(order.state), order.state)
        say(f"{order.number} is {state}: {plain(order.goods)}.")


def _table(title: str, orders: "list[Order]", now: datetime) -> Table:
    table = Table(title, COLUMNS)
    for order in orders:
        age = duration((now - order.state_at).total_seconds()) if order.state_at else ""
        table.add_row(
            order.number,
            str(order.state),
            age,
            plain(order.customer_name or ""),
            plain(order.item),
            f"{order.quantity:,}",
            plain(order.order_id),
        )
    return table
