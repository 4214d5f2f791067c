"""Orders with their changes in MySQL."""

from __future__ import annotations

from datetime import UTC

from orders import states
from orders.change import ChangeRequest, Found
from orders.order import Order
from orders.states import Change
from stores.mysql import events
from stores.mysql.connection import MySql
from stores.mysql.orders import COLUMNS, order_in


class OrderChanges:
    """Reads and moves orders for staff."""

    def __init__(self, mysql: MySql) -> None:
        self._mysql = mysql

    def find(self, order_id: str, key_hash: bytes | None = None) -> Found | None:
        """Read an order with its changes, and that of an idempotency key; None if it is not recorded."""
        rows = self._mysql.select(
            f"SELECT UTC_TIMESTAMP(6), {COLUMNS} FROM orders WHERE order_id = %s AND recorded_in IS NOT NULL",  # noqa: S608
            order_id,
        )
        order = order_in(rows[0][1:]) if rows else None
        if not isinstance(order, Order):
            return None
        changes, repeated = list[Change](), None
        for its_key, its_request, *change in self._mysql.select(
            f"SELECT key_hash, request_hash, {events.CHANGE} FROM order_events"  # noqa: S608
            " WHERE order_row = %s ORDER BY version",
            order.row_id,
        ):
            changes.append(events.change_of(change))
            if key_hash is not None and its_key == key_hash:
                repeated = (changes[-1].version, bytes(its_request))
        return Found(order, changes, rows[0][0].replace(tzinfo=UTC), repeated)

    def change(self, found: Found, event: Change, request: ChangeRequest) -> bool:
        """Move an order if it still has the version that was found; return whether it was moved.

        After a commit without confirmation the result is False, too: find the order again.
        """
        row_id, seen = found.order.row_id, found.order.progress
        if row_id is None or seen is None:
            return False
        moved = states.after(seen, event)
        hashes = (request.key_hash, request.request_hash)
        return self._mysql.run(lambda cursor: events.move(cursor, row_id, seen, moved, event, *hashes))
