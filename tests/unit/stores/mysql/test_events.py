"""The statement that moves an order, and the locks that it takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from pymysql.cursors import Cursor

from orders import states
from orders.states import Progress, State
from stores.mysql import events
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from tests.stores import BERLIN
from tests.unit.both_stores import BothStores, orders


def test_a_move_from_an_outdated_version_delays_neither_another_move_nor_a_new_order(
    both: BothStores, new_mysql: Callable[[], MySql]
) -> None:
    both.insert(orders(1))
    now = datetime.now(UTC)
    other = new_mysql()

    def move(cursor: Cursor, row_id: int, version: int) -> bool:
        seen = Progress(State.RECEIVED, version, now)
        event = states.next_change(seen, State.READY, now, "ada")
        return events.move(cursor, row_id, seen, states.after(seen, event), event)

    def move_and_let_others_work(cursor: Cursor) -> bool:
        # In REPEATABLE READ, these would lock the row and the gap after it until the commit.
        is_moved = move(cursor, 1, 7) or move(cursor, 2, 1)
        assert other.run(lambda cursor: move(cursor, 1, 1))
        OrdersDatabase(other, BERLIN).record(orders(2))
        return is_moved

    assert not both.mysql.run(move_and_let_others_work)
    assert both.states_in_mysql.keys() == {"o1", "o2"}
    assert both.states_in_mysql["o1"][0] == "ready"
