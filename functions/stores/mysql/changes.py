"""Orders with their changes in MySQL: found, and moved by one conditional statement."""

from __future__ import annotations

from datetime import UTC

from pymysql.cursors import Cursor

from orders.change import ChangeRequest, Found
from orders.order import Order
from orders.states import Change, Progress
from stores.mysql import events
from stores.mysql.connection import MySql
from stores.mysql.orders import COLUMNS, order_in


class OrderChanges:
    """Orders with their changes.

    Every method raises StoreUnavailableError if the database does not answer.
    """

    def __init__(self, mysql: MySql) -> None:
        self._mysql = mysql

    def find(self, order_id: str, key_hash: bytes | None = None) -> Found | None:
        """Read an order with its changes, as of now by the database's clock; None if it is not recorded.

        Parameters
        ----------
        key_hash
            Of an idempotency key, whose change is looked for.
        """

        def select(cursor: Cursor) -> Found | None:
            cursor.execute(
                f"SELECT UTC_TIMESTAMP(6), {COLUMNS} FROM orders"  # noqa: S608
                " WHERE order_id = %s AND recorded_in IS NOT NULL",
                (order_id,),
            )
            found = cursor.fetchone()
            if found is None:
                return None
            now, *row = found
            order = order_in(row)
            if not isinstance(order, Order):
                return None
            changes, repeated = events.read(cursor, order.row_id or 0, key_hash)
            return Found(order, changes, now.replace(tzinfo=UTC), repeated)

        return self._mysql.read(select)

    def change(self, found: Found, event: Change, moved: Progress, request: ChangeRequest) -> bool:
        """Move an order if it still has the version that was found; return whether it did.

        False also if the change was committed and its confirmation lost: whoever called has to find the order
        again.
        """
        order = found.order

        def move(cursor: Cursor) -> bool:
            if order.row_id is None or order.progress is None:
                return False
            if not events.move(cursor, order.row_id, order.progress, moved):
                return False
            events.add(cursor, order.row_id, event, request.key_hash, request.request_hash)
            return True

        return self._mysql.run(move)
