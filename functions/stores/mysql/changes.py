"""Orders with their changes in MySQL, for staff."""

from __future__ import annotations

from datetime import UTC

from pymysql.cursors import Cursor

from orders import states
from orders.change import ChangeRequest, Found
from orders.order import Order
from orders.states import Change
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

        `key_hash` is that of an idempotency key, whose change is looked for.
        """
        return self._mysql.read(lambda cursor: _find(cursor, order_id, key_hash))

    def change(self, found: Found, event: Change, request: ChangeRequest) -> bool:
        """Move an order if it still has the version that was found; return whether it did.

        False also if the change was committed and its confirmation lost: find the order again.
        """
        row_id, seen = found.order.row_id, found.order.progress
        if row_id is None or seen is None:
            return False
        moved = states.after(seen, event)
        hashes = (request.key_hash, request.request_hash)
        return self._mysql.run(lambda cursor: events.move(cursor, row_id, seen, moved, event, *hashes))


def _find(cursor: Cursor, order_id: str, key_hash: bytes | None) -> Found | None:
    cursor.execute(
        f"SELECT UTC_TIMESTAMP(6), {COLUMNS} FROM orders WHERE order_id = %s AND recorded_in IS NOT NULL",  # noqa: S608
        (order_id,),
    )
    found = cursor.fetchone()
    if found is None:
        return None
    now, *row = found
    order = order_in(row)
    if not isinstance(order, Order):
        return None
    cursor.execute(
        f"SELECT key_hash, request_hash, {events.CHANGE} FROM order_events"  # noqa: S608
        " WHERE order_row = %s ORDER BY version",
        (order.row_id,),
    )
    changes, repeated = list[Change](), None
    for its_key, its_request, *change in cursor:
        changes.append(events.change_of(change))
        if key_hash is not None and its_key == key_hash:
            repeated = (changes[-1].version, bytes(its_request))
    return Found(order, changes, now.replace(tzinfo=UTC), repeated)
