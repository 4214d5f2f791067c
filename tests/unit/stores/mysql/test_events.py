"""The statement that moves an order: its condition, and the locks that it takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from pymysql.cursors import Cursor

from orders import states
from orders.states import Progress, State
from stores.mysql import events
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from tests.stores import BERLIN
from tests.unit.both_stores import BothStores, orders


def move(cursor: Cursor, row_id: int, version: int, state: State = State.RECEIVED) -> bool:
    seen = Progress(state, version, None)
    event = states.next_change(seen, State.COLLECTED, datetime.now(UTC), "ada")
    return events.move(cursor, row_id, seen, states.after(seen, event), event)


def test_an_order_is_moved_only_from_the_version_and_the_state_that_were_seen(both: BothStores) -> None:
    both.insert(orders(1))
    for seen in (partial(move, version=7), partial(move, version=1, state=State.PREPARING)):
        assert not both.mysql.run(partial(seen, row_id=1))
    assert both.states_in_mysql == {"o1": ("received", 1)}
    assert both.sql("SELECT * FROM order_events") == []
    assert both.mysql.run(partial(move, row_id=1, version=1))


def test_a_move_from_an_outdated_version_delays_neither_another_move_nor_a_new_order(
    both: BothStores, new_mysql: Callable[[], MySql]
) -> None:
    both.insert(orders(1))
    other = new_mysql()

    def move_while_others_work(cursor: Cursor) -> bool:
        # In REPEATABLE READ, these would lock the row and the gap after it until the commit.
        is_moved = move(cursor, 1, 7) or move(cursor, 2, 1)
        assert other.run(partial(move, row_id=1, version=1))
        OrdersDatabase(other, BERLIN).record(orders(2))
        return is_moved

    assert not both.mysql.run(move_while_others_work)
    assert both.states_in_mysql.keys() == {"o1", "o2"}
