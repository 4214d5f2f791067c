"""Queries of the screens: open orders, and orders that were moved recently, by the index `orders_open`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from orders.order import Order
from orders.screens import DELAYED_AFTER, MAX_LISTED, MEDIAN_OF, Cutoffs, Listed, Tracked
from orders.states import CLOSED, OPEN, State
from stores.mysql.connection import MySql, naive
from stores.mysql.events import CHANGE, change_of
from stores.mysql.orders import COLUMNS, NUMBER_BITS, order_in

MAX_ATTRIBUTES = 2000  # bytes of an order's attributes in a list; larger ones are left out
MAX_BEFORE = 1000  # orders that are counted before a customer's
OF_ORDER = len(COLUMNS.split(", "))
ORDERS = "orders FORCE INDEX (orders_open)"
# Recorded long after the time in a column.
WAS_LATE = (
    f"recorded_in >> {NUMBER_BITS}"
    f" > TIMESTAMPDIFF(SECOND, '1970-01-01', {{}}) + {DELAYED_AFTER // timedelta(seconds=1)}"
)
# Never moved since, so that `state_at` is the time of sending.
IS_DELAYED = f"(state = 'received' AND state_version = 1 AND {WAS_LATE.format('state_at')})"


class Screens:
    """Orders on the screens."""

    def __init__(self, mysql: MySql) -> None:
        self._mysql = mysql

    def kitchen(self, cutoffs: Cutoffs) -> tuple[dict[str, list[Listed]], dict[str, int]]:
        """Read the unsorted lists `open`, `delayed` and `recent`, and the totals.

        The lists have the oldest open orders of each state, and the latest moved orders.
        """
        members = self._list_members(cutoffs)
        lists: dict[str, list[Listed]] = {"open": [], "delayed": [], "recent": []}
        for order, latest in self._listed(sorted({row_id for row_id, _ in members})):
            is_open = order.progress is not None and order.progress.state in OPEN
            for name, listed in lists.items():
                # The order may have been closed since the first statement.
                if (order.row_id, name) in members and (is_open or name == "recent"):
                    listed.append((order, latest))
        return lists, self.totals(cutoffs)

    def totals(self, cutoffs: Cutoffs) -> dict[str, int]:
        """Count open orders by state, delayed ones separately, from the index alone."""
        rows = self._mysql.select(
            f"SELECT IF({IS_DELAYED}, 'delayed', state) AS list, COUNT(*) FROM {ORDERS}"  # noqa: S608
            " WHERE (state IN ('received', 'preparing') AND state_at > %s)"
            " OR (state = 'ready' AND state_at > %s) GROUP BY list",
            naive(cutoffs.open),
            naive(cutoffs.ready),
        )
        found = {name: int(count) for name, count in rows}
        return {name: found.get(name, 0) for name in (*OPEN, "delayed")}

    def oldest_waiting(self, cutoffs: Cutoffs) -> datetime | None:
        """Return when the oldest order was sent that is not ready, None without one."""
        ((sent_at,),) = self._mysql.select(
            f"SELECT MIN(created_at) FROM {ORDERS} WHERE state IN ('received', 'preparing')"  # noqa: S608
            f" AND state_at > %s AND NOT {IS_DELAYED}",
            naive(cutoffs.open),
        )
        return sent_at.replace(tzinfo=UTC) if sent_at else None

    def numbers(self, cutoffs: Cutoffs) -> dict[State, list[tuple[int, datetime]]]:
        """Read the row ids and times of orders that are being prepared or ready."""
        return {
            State.PREPARING: self._numbers(State.PREPARING, cutoffs.open, "ASC"),
            State.READY: self._numbers(State.READY, cutoffs.ready, "DESC"),
        }

    def track(self, order_id: str, cutoffs: Cutoffs) -> Tracked | None:
        """Read a customer's order, the number of orders before it, and how long the latest ones took."""
        rows = self._mysql.select(f"SELECT {COLUMNS} FROM orders WHERE order_id = %s", order_id)  # noqa: S608
        order = order_in(rows[0]) if rows else None
        if not isinstance(order, Order):
            return None
        return Tracked(order, self._before(order, cutoffs), self._seconds_to_ready(cutoffs))

    def _list_members(self, cutoffs: Cutoffs) -> set[tuple[int, str]]:
        """Read the ids of rows with the names of their lists, from the index alone."""
        parts: list[tuple[str, str, State, datetime, str]] = [
            ("open", f"NOT {IS_DELAYED}", State.RECEIVED, cutoffs.open, "ASC"),
            ("open", "TRUE", State.PREPARING, cutoffs.open, "ASC"),
            ("open", "TRUE", State.READY, cutoffs.ready, "ASC"),
            ("delayed", IS_DELAYED, State.RECEIVED, cutoffs.open, "ASC"),
            *(("recent", "state_version > 1", state, cutoffs.recent, "DESC") for state in State),
        ]
        selects, values = [], list[object]()
        for name, condition, state, at, direction in parts:
            selects.append(
                f"(SELECT id, '{name}' FROM {ORDERS} WHERE state = %s AND state_at > %s AND {condition}"  # noqa: S608
                f" ORDER BY state_at {direction} LIMIT %s)"
            )
            values += [state, naive(at), MAX_LISTED]
        return {(row_id, name) for row_id, name in self._mysql.select(" UNION ALL ".join(selects), *values)}

    def _listed(self, ids: Sequence[int]) -> list[Listed]:
        if not ids:
            return []
        attributes = f"IF(LENGTH(attributes) <= {MAX_ATTRIBUTES}, attributes, NULL)"
        rows = self._mysql.select(
            f"SELECT {COLUMNS.replace('attributes', attributes)}, {CHANGE} FROM orders"  # noqa: S608
            " LEFT JOIN order_events ON order_row = id AND version = state_version WHERE id IN %s",
            ids,
        )
        orders = ((order_in(row[:OF_ORDER]), row[OF_ORDER:]) for row in rows)
        return [
            (order, change_of(change) if change[0] else None)
            for order, change in orders
            if isinstance(order, Order)
        ]

    def _numbers(self, state: State, after: datetime, direction: str) -> list[tuple[int, datetime]]:
        rows = self._mysql.select(
            f"SELECT id, state_at FROM {ORDERS} WHERE state = %s AND state_at > %s"  # noqa: S608
            f" ORDER BY state_at {direction} LIMIT %s",
            state,
            naive(after),
            MAX_LISTED,
        )
        return [(row_id, at.replace(tzinfo=UTC)) for row_id, at in rows]

    def _before(self, order: Order, cutoffs: Cutoffs) -> int | None:
        """Count earlier orders that are received or being prepared; None if no order was moved."""
        is_used = self._mysql.select(
            f"SELECT EXISTS (SELECT 1 FROM {ORDERS} WHERE state IN %s AND state_at > %s)",  # noqa: S608
            (State.PREPARING, State.READY, *CLOSED),
            naive(cutoffs.open),
        )
        if is_used != [(1,)] or order.created_at is None:
            return None
        ((count,),) = self._mysql.select(
            f"SELECT COUNT(*) FROM (SELECT 1 FROM {ORDERS} WHERE state IN ('received', 'preparing')"  # noqa: S608
            f" AND state_at > %s AND created_at < %s AND NOT {IS_DELAYED} LIMIT %s) AS earlier",
            naive(cutoffs.open),
            naive(order.created_at),
            MAX_BEFORE,
        )
        return int(count)

    def _seconds_to_ready(self, cutoffs: Cutoffs) -> list[int]:
        """Read how long the latest ready orders took, except delayed ones."""
        latest = (
            f"(SELECT TIMESTAMPDIFF(SECOND, created_at, ready_at) AS seconds, ready_at FROM {ORDERS}"  # noqa: S608
            " WHERE state = %s AND state_at > %s AND ready_at IS NOT NULL"
            f" AND NOT {WAS_LATE.format('created_at')} ORDER BY state_at DESC LIMIT %s)"
        )
        since = naive(cutoffs.open)
        rows = self._mysql.select(
            f"SELECT seconds FROM ({latest} UNION ALL {latest}) AS latest ORDER BY ready_at DESC LIMIT %s",  # noqa: S608
            *(State.READY, since, MEDIAN_OF),
            *(State.COLLECTED, since, MEDIAN_OF),
            MEDIAN_OF,
        )
        return [max(0, int(seconds)) for (seconds,) in rows if seconds is not None]
