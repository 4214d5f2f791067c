"""Queries of the order status: a bounded number of index reads, however many orders there are."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from pymysql.cursors import Cursor

from orders.counters import ITEM_HOUR, item_hours
from orders.names import MAX_NAME
from orders.screens import Cutoffs
from orders.states import OPEN
from stores.mysql import counters
from stores.mysql.connection import MySql, naive
from stores.mysql.screens import Screens

# Counters of items and hours that are read. Any text may be ordered, so there may be more of them than a menu
# has items; then the latest hours count.
MAX_ITEM_HOURS = 10_000
ITEM_STARTS = len(f"{ITEM_HOUR}2026-11-22T14#") + 1  # in such a counter's name, as SQL counts
MAX_ITEM = 4 * MAX_NAME  # bytes; the server groups by a short text five times as fast as by any name


class StatusDatabase:
    """The latest orders, and sums of counters.

    Every method raises StoreUnavailableError if the database does not answer.
    """

    def __init__(self, mysql: MySql) -> None:
        self._mysql = mysql

    def recent(self, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Read the latest orders that were sent until a moment; rows without a time come last.

        Legacy rows may lack any value.
        """

        def select(cursor: Cursor) -> list[dict[str, Any]]:
            # In the order of the index, so that `limit` rows are read; left to itself, the server sorts all.
            cursor.execute(
                "SELECT order_id, customer_name, item, quantity, created_at"
                " FROM orders FORCE INDEX (orders_created_at)"
                " WHERE created_at <= %s OR created_at IS NULL"
                " ORDER BY created_at DESC, id DESC LIMIT %s",
                (naive(until), limit),
            )
            # PyMySQL returns 0000-00-00 as text.
            return [
                {
                    "order_id": order_id,
                    "customer_name": customer_name,
                    "item": item,
                    "quantity": quantity,
                    "created_at": created_at.replace(tzinfo=UTC)
                    if isinstance(created_at, datetime)
                    else None,
                }
                for order_id, customer_name, item, quantity, created_at in cursor
            ]

        return self._mysql.read(select)

    def top_items(self, now: datetime, limit: int) -> list[dict[str, Any]]:
        """Read the items of which most were ordered in the current hour and the 23 before."""

        def select(cursor: Cursor) -> list[dict[str, Any]]:
            first, end = item_hours(now)
            cursor.execute(
                "SELECT item, SUM(value) AS quantity"  # noqa: S608
                f" FROM (SELECT SUBSTRING(name, {ITEM_STARTS}, {MAX_ITEM}) AS item, value FROM counters"
                f" WHERE name >= %s AND name < %s ORDER BY name DESC LIMIT {MAX_ITEM_HOURS}) AS latest"
                " GROUP BY item HAVING quantity > 0 ORDER BY quantity DESC, item LIMIT %s",
                (first.encode(), end.encode(), limit),
            )
            return [
                {"item": bytes(item).decode(errors="ignore"), "quantity": int(quantity)}
                for item, quantity in cursor
            ]

        return self._mysql.read(select)

    def values(self, names: Collection[str]) -> dict[str, int]:
        """Read counters by name; one that never counted is missing."""
        found = self._mysql.read(lambda cursor: counters.read(cursor, names))
        return {name: counted.value for name, counted in found.items()}

    def open_orders(self, since: Cutoffs) -> dict[str, int]:
        """Count the orders that wait, are prepared and are ready, as the kitchen sees them."""
        found = Screens(self._mysql).totals(since)
        return {str(state): found[state] for state in OPEN}
