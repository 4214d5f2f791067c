"""`cafe orders`: orders in the kitchen."""

import re
from datetime import datetime
from typing import Annotated

import typer

from cli.errors import OperationError
from cli.kitchen import Kitchen, Order
from cli.options import Target, command_group, not_blank, stack_command, text
from cli.tables import Kind, Table
from cli.terminal import note, out, plain, print_exact_json, say
from cli.times import duration, local_time
from cli.users import Users
from orders.states import State

app = command_group(
    "orders", "cafe orders list", "cafe orders ready K42", 'cafe orders cancel K42 --reason "No milk"'
)

Reference = Annotated[
    str,
    typer.Argument(
        metavar="ORDER", callback=not_blank, help="A pickup number such as K42, or an order's id."
    ),
]
USER_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # as the user pool makes it
COLUMNS = {
    **dict.fromkeys(("Number", "State", "For"), Kind.WHOLE),
    **dict.fromkeys(("Customer", "Item"), Kind.NAME),
    "Quantity": Kind.NUMBER,
    "Order": Kind.ID,
}


@stack_command(app, "list", "cafe orders list", "cafe orders list --stack prod --json")
def list_command(target: Target) -> None:
    """List the open orders, the oldest first, and the orders that were moved in the last 30 minutes."""
    board = Kitchen.of(target.clients).board()
    if target.as_json:
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
        note(f"{left_out:,} more open orders are not listed.", style="yellow")


@stack_command(app, "show", "cafe orders show K42", "cafe orders show O1234 --json")
def show_command(target: Target, reference: Reference) -> None:
    """Show an order with all fields of its publisher, and the history of its moves."""
    order = Kitchen.of(target.clients).find(reference)
    if target.as_json:
        print_exact_json(order.document)
        return
    emails: dict[str, str] = {}
    if any(USER_NAME.fullmatch(change.actor) for change in order.history):
        emails = {user.name: user.email for user in Users(target.clients).all()}
    facts: dict[str, object] = {
        "Number": order.number,
        "Order": order.order_id,
        "State": order.state or "none: it was recorded before orders had states",
        "Since": local_time(order.state_at) if order.state_at else "a test order: no screen shows it",
        "Sent": local_time(order.created_at) if order.created_at else "unknown",
        "Ordered": order.goods,
        **order.attributes,
    }
    for name, value in facts.items():
        say(f"{plain(name) + ':':<12} {plain(value)}")
    for change in order.history:
        reason = f": {change.reason}" if change.reason else ""
        actor = emails.get(change.actor, change.actor)
        say(f"{local_time(change.at)}  {change.came_from} → {change.to} by {plain(actor + reason)}")


def _add_move(name: str, state: str, sentence: str) -> None:
    """Add the command that moves an order forward."""

    @stack_command(
        app,
        name,
        f"cafe orders {name} K42",
        help=f"{sentence}. Exit code 1: it cannot be, or somebody else has just moved it.",
    )
    def move_command(target: Target, reference: Reference) -> None:
        _move(target, reference, state)


_add_move("prepare", "preparing", "Mark an order as being made")
_add_move("ready", "ready", "Mark an order as ready")
_add_move("collect", "collected", "Mark an order as collected")


@stack_command(app, "cancel", "cafe orders cancel K42", 'cafe orders cancel K42 --reason "Out of oat milk"')
def cancel_command(
    target: Target,
    reference: Reference,
    reason: Annotated[
        str | None, typer.Option(callback=text, help="Required once the order is being made.")
    ] = None,
) -> None:
    """Cancel an order. Exit code 1: it cannot be, or somebody else has just moved it."""
    _move(target, reference, "cancelled", reason)


@stack_command(app, "recall", "cafe orders recall K42")
def recall_command(target: Target, reference: Reference) -> None:
    """Undo an order's latest move, for up to 30 minutes. Exit code 1: it cannot be undone."""
    kitchen = Kitchen.of(target.clients)
    order = kitchen.find(reference)
    if order.recall_to is None:
        raise OperationError(
            f"Order {order.number} was not moved in the last 30 minutes, or its last move was undone already."
        )
    _say_moved(target, kitchen.move(order, order.recall_to))


def _move(target: Target, reference: str, state: str, reason: str | None = None) -> None:
    kitchen = Kitchen.of(target.clients)
    _say_moved(target, kitchen.move(kitchen.find(reference), State(state), reason))


def _say_moved(target: Target, order: Order) -> None:
    if target.as_json:
        print_exact_json(order.document)
    else:
        state = {"received": "to be made", "preparing": "being made"}.get(str(order.state), order.state)
        say(f"{order.number} is {state}: {plain(order.goods)}.")


def _table(title: str, orders: list[Order], now: datetime) -> Table:
    table = Table(title, COLUMNS)
    for order in orders:
        age = duration(now - order.state_at) if order.state_at else ""
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
