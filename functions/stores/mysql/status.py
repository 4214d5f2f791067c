"""Queries of the order status: a bounded number of index reads, however many orders there are."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from orders.counters import ITEM_HOUR, item_hours
from orders.names import MAX_NAME
from orders.screens import Cutoffs
from orders.states import OPEN
from stores.mysql import counters
from stores.mysql.connection import naive
from stores.mysql.orders import HOLDS_ID
from stores.mysql.screens import Screens

# Counters of items and hours that are read, the latest hours first: there may be more items than on the menu.
MAX_ITEM_HOURS = 10_000
ITEM_STARTS = len(f"{ITEM_HOUR}2026-11-22T14#") + 1  # position of the item in such a counter's name, in SQL
MAX_ITEM = 4 * MAX_NAME  # bytes; the server groups by a short text five times as fast as by any name


class StatusDatabase(Screens):
    """The latest orders, sums of counters, and the totals of the screens."""

    def recent(self, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Read the latest orders that were sent until a moment; rows without a time come last.

        Legacy rows may lack any value.
        """
        names = ("order_id", "customer_name", "item", "quantity", "created_at")
        # In the order of the index, which is read up to `limit`; otherwise the server sorts all rows.
        rows = self._mysql.select(
            f"SELECT {', '.join(names)} FROM orders FORCE INDEX (orders_created_at)"  # noqa: S608
            f" WHERE (created_at <= %s OR created_at IS NULL) AND NOT {HOLDS_ID}"
            " ORDER BY created_at DESC, id DESC LIMIT %s",
            naive(until),
            limit,
        )
        found = [dict(zip(names, row, strict=True)) for row in rows]
        for order in found:
            at = order["created_at"]
            # PyMySQL returns 0000-00-00 as text.
            order["created_at"] = at.replace(tzinfo=UTC) if isinstance(at, datetime) else None
        return found

    def top_items(self, now: datetime, limit: int) -> list[dict[str, Any]]:
        """Read the most ordered items of the current hour and the 23 before."""
        first, end = item_hours(now)
        rows = self._mysql.select(
            "SELECT item, SUM(value) AS quantity"  # noqa: S608
            f" FROM (SELECT SUBSTRING(name, {ITEM_STARTS}, {MAX_ITEM}) AS item, value FROM counters"
            f" WHERE name >= %s AND name < %s ORDER BY name DESC LIMIT {MAX_ITEM_HOURS}) AS latest"
            " GROUP BY item HAVING quantity > 0 ORDER BY quantity DESC, item LIMIT %s",
            first.encode(),
            end.encode(),
            limit,
        )
        return [
            {"item": bytes(item).decode(errors="ignore"), "quantity": int(quantity)}
            for item, quantity in rows
        ]

    def values(self, names: Collection[str]) -> dict[str, int]:
        """Read existing counters by name."""
        found = self._mysql.read(lambda cursor: counters.read(cursor, names))
        return {name: counted.value for name, counted in found.items()}

    def open_orders(self, cutoffs: Cutoffs) -> dict[str, int]:
        """Count open orders by state, as the kitchen does."""
        found = self.totals(cutoffs)
        return {str(state): found[state] for state in OPEN}
