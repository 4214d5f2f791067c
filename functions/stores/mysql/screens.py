"""Queries of the screens: open orders and those that were moved lately, by the index `orders_open`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pymysql.cursors import Cursor

from orders.order import Order
from orders.screens import DELAYED_AFTER, MEDIAN_OF, MOST, Cutoffs, Listed, Tracked
from orders.states import CLOSED, OPEN, State
from stores.mysql.connection import MySql, naive
from stores.mysql.events import CHANGE, change_of
from stores.mysql.orders import COLUMNS, NUMBER_BITS, order_in

# Bytes of an order's attributes in a list, which has hundreds of orders; a single one has all of them.
MOST_ATTRIBUTES = 2000
MOST_BEFORE = 1000  # orders that are counted before a customer's
OF_ORDER = len(COLUMNS.split(", "))
ORDERS = "orders FORCE INDEX (orders_open)"
# Recorded long after a time: a column of the row.
WAS_LATE = (
    f"recorded_in >> {NUMBER_BITS}"
    f" > TIMESTAMPDIFF(SECOND, '1970-01-01', {{}}) + {DELAYED_AFTER // timedelta(seconds=1)}"
)
# Not moved since: then `state_at` is the time of sending.
IS_DELAYED = f"(state = 'received' AND state_version = 1 AND {WAS_LATE.format('state_at')})"


class Screens:
    """What the screens read. Every method raises StoreUnavailableError if the database does not answer."""

    def __init__(self, mysql: MySql) -> None:
        self._mysql = mysql

    def kitchen(self, since: Cutoffs) -> tuple[dict[str, list[Listed]], dict[str, int]]:
        """Read the lists `open`, `delayed` and `recent`, each in any order, and the totals.

        Of each state the oldest open orders, of `recent` the latest.
        """
        return self._mysql.read(lambda cursor: (_lists(cursor, since), totals(cursor, since)))

    def totals(self, since: Cutoffs) -> dict[str, int]:
        """Count open orders, and those of them apart that are delayed."""
        return self._mysql.read(lambda cursor: totals(cursor, since))

    def oldest_waiting(self, since: Cutoffs) -> datetime | None:
        """Return when the oldest order that waits or is being prepared was sent; None without one."""
        return self._mysql.read(lambda cursor: _oldest_waiting(cursor, since))

    def numbers(self, since: Cutoffs) -> dict[State, list[tuple[int, datetime]]]:
        """Read the rows' ids and times of the orders that are prepared and ready."""

        def select(cursor: Cursor) -> dict[State, list[tuple[int, datetime]]]:
            found = {}
            for state, at, direction in (
                (State.PREPARING, since.open, "ASC"),
                (State.READY, since.ready, "DESC"),
            ):
                cursor.execute(
                    f"SELECT id, state_at FROM {ORDERS} WHERE state = %s AND state_at > %s"  # noqa: S608
                    f" ORDER BY state_at {direction} LIMIT %s",
                    (state, naive(at), MOST),
                )
                found[state] = [(row_id, moment.replace(tzinfo=UTC)) for row_id, moment in cursor]
            return found

        return self._mysql.read(select)

    def track(self, order_id: str, since: Cutoffs) -> Tracked | None:
        """Read a customer's order, how many are before it, and how long the latest ones took."""

        def select(cursor: Cursor) -> Tracked | None:
            cursor.execute(f"SELECT {COLUMNS} FROM orders WHERE order_id = %s", (order_id,))  # noqa: S608
            row = cursor.fetchone()
            order = order_in(row) if row else None
            if not isinstance(order, Order):
                return None
            return Tracked(order, _before(cursor, order, since), _seconds_to_ready(cursor, since))

        return self._mysql.read(select)


def totals(cursor: Cursor, since: Cutoffs) -> dict[str, int]:
    """Count open orders, and those of them apart that are delayed, from the index alone."""
    cursor.execute(
        f"SELECT IF({IS_DELAYED}, 'delayed', state) AS list, COUNT(*) FROM {ORDERS}"  # noqa: S608
        " WHERE (state IN ('received', 'preparing') AND state_at > %s) OR (state = 'ready' AND state_at > %s)"
        " GROUP BY list",
        (naive(since.open), naive(since.ready)),
    )
    found = {name: int(count) for name, count in cursor}
    return {name: found.get(name, 0) for name in (*OPEN, "delayed")}


def _oldest_waiting(cursor: Cursor, since: Cutoffs) -> datetime | None:
    cursor.execute(
        f"SELECT MIN(created_at) FROM {ORDERS} WHERE state IN ('received', 'preparing')"  # noqa: S608
        f" AND state_at > %s AND NOT {IS_DELAYED}",
        (naive(since.open),),
    )
    ((sent_at,),) = cursor.fetchall()
    return sent_at.replace(tzinfo=UTC) if sent_at else None


def _lists(cursor: Cursor, since: Cutoffs) -> dict[str, list[Listed]]:
    places = _places(cursor, since)
    lists: dict[str, list[Listed]] = {"open": [], "delayed": [], "recent": []}
    for order, latest in _listed(cursor, sorted({row_id for row_id, _ in places})):
        is_open = order.progress is not None and order.progress.state in OPEN
        for name, listed in lists.items():
            # It may have been closed a moment ago.
            if (order.row_id, name) in places and (is_open or name == "recent"):
                listed.append((order, latest))
    return lists


def _places(cursor: Cursor, since: Cutoffs) -> set[tuple[int, str]]:
    """Read which rows are in which lists, from the index alone."""
    parts: list[tuple[str, str, State, datetime, str]] = [
        ("open", f"NOT {IS_DELAYED}", State.RECEIVED, since.open, "ASC"),
        ("open", "TRUE", State.PREPARING, since.open, "ASC"),
        ("open", "TRUE", State.READY, since.ready, "ASC"),
        ("delayed", IS_DELAYED, State.RECEIVED, since.open, "ASC"),
        *(("recent", "state_version > 1", state, since.recent, "DESC") for state in State),
    ]
    selects, values = [], list[object]()
    for name, which, state, at, direction in parts:
        selects.append(
            f"(SELECT id, '{name}' FROM {ORDERS} WHERE state = %s AND state_at > %s AND {which}"  # noqa: S608
            f" ORDER BY state_at {direction} LIMIT %s)"
        )
        values += [state, naive(at), MOST]
    cursor.execute(" UNION ALL ".join(selects), values)
    return set(cursor.fetchall())


def _listed(cursor: Cursor, ids: Sequence[int]) -> list[Listed]:
    if not ids:
        return []
    columns = COLUMNS.replace("attributes", f"IF(LENGTH(attributes) <= {MOST_ATTRIBUTES}, attributes, NULL)")
    cursor.execute(
        f"SELECT {columns}, {CHANGE} FROM orders"  # noqa: S608
        " LEFT JOIN order_events ON order_row = id AND version = state_version WHERE id IN %s",
        (ids,),
    )
    rows = [(order_in(row[:OF_ORDER]), row[OF_ORDER:]) for row in cursor]
    return [
        (order, change_of(change) if change[0] else None)
        for order, change in rows
        if isinstance(order, Order)
    ]


def _before(cursor: Cursor, order: Order, since: Cutoffs) -> int | None:
    """Count the orders that wait or are prepared and were sent before an order; None if nobody moves any."""
    cursor.execute(
        f"SELECT EXISTS (SELECT 1 FROM {ORDERS} WHERE state IN (%s, %s, %s, %s) AND state_at > %s)",  # noqa: S608
        (State.PREPARING, State.READY, *CLOSED, naive(since.open)),
    )
    if cursor.fetchone() != (1,) or order.created_at is None:
        return None
    cursor.execute(
        f"SELECT COUNT(*) FROM (SELECT 1 FROM {ORDERS} WHERE state IN ('received', 'preparing')"  # noqa: S608
        f" AND state_at > %s AND created_at < %s AND NOT {IS_DELAYED} LIMIT %s) AS earlier",
        (naive(since.open), naive(order.created_at), MOST_BEFORE),
    )
    ((count,),) = cursor.fetchall()
    return int(count)


def _seconds_to_ready(cursor: Cursor, since: Cutoffs) -> list[int]:
    """Read how long the orders took that became ready last, without those that were delayed."""
    latest = (
        f"(SELECT TIMESTAMPDIFF(SECOND, created_at, ready_at) AS seconds, ready_at FROM {ORDERS}"  # noqa: S608
        " WHERE state = %s AND state_at > %s AND ready_at IS NOT NULL"
        f" AND NOT {WAS_LATE.format('created_at')} ORDER BY state_at DESC LIMIT %s)"
    )
    at = naive(since.open)
    cursor.execute(
        f"SELECT seconds FROM ({latest} UNION ALL {latest}) AS latest ORDER BY ready_at DESC LIMIT %s",  # noqa: S608
        (State.READY, at, MEDIAN_OF, State.COLLECTED, at, MEDIAN_OF, MEDIAN_OF),
    )
    return [max(0, int(seconds)) for (seconds,) in cursor if seconds is not None]
