"""Simulated staff who make the orders of a load at a human pace, for the screens."""

import random
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress

from cli.errors import OperationError
from cli.kitchen import Board, Kitchen, Order
from cli.stopping import repeating
from orders.states import State

BARISTAS = 4  # each makes one order at a time
INTERVAL = 2.0  # seconds between two reads of the board
# The next state, and the minimum and maximum of seconds until then.
NEXT = {
    State.RECEIVED: (State.PREPARING, 3, 15),
    State.PREPARING: (State.READY, 20, 60),
    State.READY: (State.COLLECTED, 10, 45),
}


@contextmanager
def playing(kitchen: Kitchen, order_ids: Container[str], stop: threading.Event) -> Iterator[None]:
    """Make these orders while the `with` statement lasts, and finish them at its end, until Ctrl-C."""
    with repeating(lambda: _make_some(kitchen, order_ids), every=INTERVAL):
        yield
    while not stop.is_set() and _make_some(kitchen, order_ids):
        stop.wait(INTERVAL)


def _make_some(kitchen: Kitchen, order_ids: Container[str]) -> bool:
    """Make the moves that are due; return whether there are open orders."""
    try:
        board = kitchen.board()
    except OperationError:
        return True
    mine = orders_of(board, order_ids)
    for order, target in due(mine, board):
        with suppress(OperationError):  # somebody else has moved it
            kitchen.move(order, target)
    return bool(mine)


def orders_of(board: Board, order_ids: Container[str]) -> list[Order]:
    """Return the open orders with these ids, the oldest first."""
    return [order for order in (*board.orders, *board.delayed) if order.order_id in order_ids]


def due(orders: list[Order], board: Board) -> Iterator[tuple[Order, State]]:
    """Yield the orders to move now, each with its next state."""
    free = BARISTAS - sum(order.state is State.PREPARING for order in orders)
    for order in orders:
        if order.state not in NEXT or order.state_at is None:
            continue
        target, least, most = NEXT[order.state]
        seconds = random.Random(f"{order.order_id} {order.state}").uniform(least, most)  # noqa: S311
        if (board.now - order.state_at).total_seconds() < seconds:
            continue
        if target is State.PREPARING:
            if free <= 0:
                continue
            free -= 1
        yield order, target
