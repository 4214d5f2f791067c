"""Rows of the table `orders`: reading costs what is read, not what is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from pymysql.cursors import Cursor

from orders.counters import Counted, tally
from orders.errors import StoreUnavailableError
from orders.order import Order
from orders.reconciliation import Behind, Place, Rows
from orders.replay import Row
from orders.states import Progress, State
from stores.mysql import counters, events
from stores.mysql.connection import MySql, naive
from stores.mysql.orders import (
    COLUMNS,
    IS_COUNTED,
    NUMBER_BITS,
    first_number,
    order_in,
    recording_number,
)

ATTRIBUTES = COLUMNS.split(", ").index("attributes")
LIGHT = COLUMNS.replace("attributes", "NULL")
AT_ONCE = 500  # rows that are counted in one transaction
# Of a row that a worker of an earlier release recorded; version 0 is from before there were states.
KNOWS_NO_STATES = "state IS NULL AND state_version = 1"
MOST_BYTES = 4 * 1024 * 1024  # of attributes that are read at once, unless one order has more


class ReconciliationDatabase:
    """Rows of the table, for comparing and replaying; days are those of the cafe's time zone.

    Every method raises StoreUnavailableError if the database does not answer.
    """

    def __init__(self, mysql: MySql, zone: tzinfo) -> None:
        self._mysql = mysql
        self._zone = zone

    def count_uncounted(self) -> Rows:
        """Name, count and mark some rows that nobody has counted, in one transaction.

        They come from a worker that knows no counters: the earlier system's, the previous release's, a
        person. They get their first state. A row that holds no order is marked and not counted. `after`
        says that there may be more.
        """
        return self._mysql.run(self._count_uncounted)

    def counted(self, names: Collection[str]) -> dict[str, Counted]:
        """Read counters."""
        return self._mysql.read(lambda cursor: counters.read(cursor, names))

    def names(self) -> set[str]:
        """Return the names of all counters."""
        return {bytes(name).decode() for (name,) in self._mysql.select("SELECT name FROM counters")}

    def begin(self, names: Collection[str]) -> None:
        """Make counters of 0; one that is there stays as it is."""
        self._mysql.run(lambda cursor: counters.add(cursor, dict.fromkeys(names, 0)))

    def recorded(self, since: datetime, until: datetime, after: Place, limit: int) -> Rows:
        """Read what was recorded in a period, in that order, without the orders' attributes.

        The last page ended `after` a place; (0, 0) for the first.
        """
        number, row_id = after
        found = self._mysql.select(
            f"SELECT recorded_in, id, {LIGHT} FROM orders FORCE INDEX (orders_recorded_in)"  # noqa: S608
            " WHERE recorded_in >= %s AND recorded_in < %s AND (recorded_in > %s OR id > %s)"
            " ORDER BY recorded_in, id LIMIT %s",
            max(first_number(since.timestamp()), number),
            first_number(until.timestamp()),
            number,
            row_id,
            limit,
        )
        orders, bad = _parsed((row_id, columns) for _, row_id, *columns in found)
        if len(found) < limit:
            return Rows(orders, bad)
        number, row_id, *_ = found[-1]
        return Rows(orders, bad, (number, row_id), datetime.fromtimestamp(number >> NUMBER_BITS, UTC))

    def changed(self, since: datetime, until: datetime, after: Place, limit: int) -> Rows:
        """Read the orders that were moved in a period, without their attributes, by their rows' ids."""
        found = self._mysql.select(
            f"SELECT id, {LIGHT} FROM"  # noqa: S608
            " (SELECT DISTINCT order_row FROM order_events WHERE at >= %s AND at < %s AND order_row > %s"
            " ORDER BY order_row LIMIT %s) AS changed STRAIGHT_JOIN orders ON id = order_row ORDER BY id",
            naive(since),
            naive(until),
            after[1],
            limit,
        )
        orders, bad = _parsed((row_id, columns) for row_id, *columns in found)
        return Rows(orders, bad, (0, found[-1][0]) if len(found) == limit else None)

    def begin_states(self, order_ids: Collection[str]) -> list[str]:
        """Give orders their first state, if a worker that knows no states recorded them; return their ids.

        An order from before there were states gets none.
        """

        def begin(cursor: Cursor) -> list[str]:
            cursor.execute(
                f"SELECT id, LENGTH(attributes) FROM orders WHERE order_id IN %s AND {KNOWS_NO_STATES}",  # noqa: S608
                (ids,),
            )
            chunks = _chunks(list(cursor.fetchall()))
            return [order.order_id for some in chunks for order in _parsed(_begin_states(cursor, some))[0]]

        ids = sorted(order_ids)
        return self._mysql.run(begin) if ids else []

    def adopt(self, newer: Mapping[str, Progress]) -> None:
        """Take over states that DynamoDB has and the database lost: it was restored from a backup."""
        self._mysql.run(lambda cursor: events.adopt(cursor, newer))

    def behind(self, versions: Mapping[str, int]) -> Behind:
        """Return which orders, of those with these versions, are not there or have an older one."""
        # The column is ASCII, and MySQL refuses to compare it with anything else.
        ids = [order_id for order_id in versions if order_id.isascii()]
        sql = "SELECT order_id, state_version FROM orders WHERE order_id IN %s"
        # The unique index pads with spaces: a legacy row may have the id with spaces behind it.
        rows = self._mysql.select(sql, ids) if ids else []
        found = {order_id.rstrip(" "): version for order_id, version in rows}
        return Behind(
            missing=[order_id for order_id in versions if order_id.rstrip(" ") not in found],
            older=[
                order_id for order_id in ids if found.get(order_id, versions[order_id]) < versions[order_id]
            ],
        )

    def orders(self, order_ids: Collection[str]) -> Iterator[Rows]:
        """Read whole orders, a few megabytes at a time."""
        ordered = sorted(order_ids)
        for start in range(0, len(ordered), AT_ONCE):
            some = ordered[start : start + AT_ONCE]
            sizes = self._mysql.select("SELECT id, LENGTH(attributes) FROM orders WHERE order_id IN %s", some)
            yield from map(self._whole, _chunks(sizes))

    def by_id(self, after: int, limit: int) -> Rows:
        """Read whole orders after a row, a few megabytes at most; `after` holds the last row's id."""
        sizes = self._mysql.select(
            "SELECT id, LENGTH(attributes) FROM orders WHERE id > %s ORDER BY id LIMIT %s", after, limit
        )
        some = next(_chunks(sizes), [])
        rows = self._whole(some)
        is_last = len(some) == len(sizes) < limit
        return Rows(rows.orders, rows.bad, None if is_last else (0, some[-1]))

    def period(self, start: datetime, end: datetime, after: int, limit: int) -> list[Row]:
        """Read the orders from `start` on and before `end`, in the order of their times.

        `after` is the id of the last row that was read before, 0 for none.
        """
        place, values = "", list[object]((naive(start), naive(end)))
        if after:
            found = self._mysql.select("SELECT created_at FROM orders WHERE id = %s", after)
            if not found:
                return []
            (last,) = found[0]
            place = " AND created_at >= %s AND (created_at > %s OR id > %s)"
            values += [last, last, after]
        rows = self._mysql.select(
            f"SELECT id, {COLUMNS} FROM orders FORCE INDEX (orders_created_at)"  # noqa: S608
            f" WHERE created_at >= %s AND created_at < %s{place} AND {IS_COUNTED}"
            " ORDER BY created_at, id LIMIT %s",
            *values,
            limit,
        )
        return [Row(row_id, order_in(columns)) for row_id, *columns in rows]

    def schema(self) -> int | None:
        """Return the number of the last migration, None if there was none."""
        try:
            number = self._mysql.select("SELECT MAX(number) FROM schema_migrations")[0][0]
        except StoreUnavailableError:
            # The table may be missing; if it is the database that is away, this says so.
            self._mysql.select("SELECT 1")
            return None
        return None if number is None else int(number)

    def last_order_at(self, until: datetime) -> datetime | None:
        """Return when the latest order was sent, of those until a moment."""
        moment: datetime | None = self._mysql.select(
            "SELECT MAX(created_at) FROM orders WHERE created_at <= %s", naive(until)
        )[0][0]
        return moment.replace(tzinfo=UTC) if moment else None

    def count_after(self, moment: datetime) -> int:
        """Count the rows that are dated after a moment."""
        sql = "SELECT COUNT(*) FROM orders WHERE created_at > %s"
        return int(self._mysql.select(sql, naive(moment))[0][0])

    def try_to_write(self) -> None:
        """Insert a row that is not committed.

        Raises StoreUnavailableError if the database refuses writes: it is read-only, full, or a lock does not
        end.
        """

        def insert(cursor: Cursor) -> None:
            # All columns of an order: in a table that was taken over each may be NOT NULL.
            cursor.execute(
                "INSERT INTO orders (order_id, customer_name, item, quantity)"
                " VALUES (CONCAT('?', UUID()), '', '', 0)"
            )
            cursor.connection.rollback()

        self._mysql.run(insert)

    def _count_uncounted(self, cursor: Cursor) -> Rows:
        cursor.execute(
            "SELECT id, LENGTH(attributes) FROM orders WHERE recorded_in IS NULL LIMIT %s"
            " FOR UPDATE SKIP LOCKED",
            (AT_ONCE,),
        )
        sizes = list(cursor.fetchall())
        if not sizes:
            return Rows([])
        ids = next(_chunks(sizes))
        _name(cursor, ids)
        found = _begin_states(cursor, ids)
        cursor.execute("UPDATE orders SET recorded_in = %s WHERE id IN %s", (recording_number(), ids))
        # An order whose attributes are broken counts, too: the audit looks at none.
        counted, _ = _parsed(
            (row_id, [*columns[:ATTRIBUTES], None, *columns[ATTRIBUTES + 1 :]]) for row_id, columns in found
        )
        counters.add(cursor, tally(counted, self._zone, datetime.now(UTC)))
        is_last = len(ids) == len(sizes) < AT_ONCE
        return Rows(*_parsed(found), None if is_last else (0, 0))

    def _whole(self, ids: Sequence[int]) -> Rows:
        return Rows(*_parsed(self._mysql.read(lambda cursor: _select(cursor, ids)))) if ids else Rows([])


def _name(cursor: Cursor, ids: Sequence[int]) -> None:
    """Give rows without an identity the one of the migration.

    A publisher may have used that very name for an order of its own: then something is appended.
    """
    which = "WHERE order_id IS NULL AND id IN %s"
    # S608: the text is made of constants and placeholders.
    if cursor.execute(f"SELECT 1 FROM orders {which} LIMIT 1", (ids,)):  # noqa: S608
        cursor.execute(f"UPDATE IGNORE orders SET order_id = CONCAT('row-', id) {which}", (ids,))  # noqa: S608
        name = "CONCAT('row-', id, '-', LEFT(UUID(), 8))"
        cursor.execute(f"UPDATE orders SET order_id = {name} {which}", (ids,))  # noqa: S608


def _begin_states(cursor: Cursor, ids: Sequence[int]) -> list[tuple[int, Sequence[Any]]]:
    """Give orders their first state if a worker that knows no states recorded them; return all rows."""
    found = _select(cursor, ids)
    orders, _ = _parsed(found)
    for is_test, at in ((False, "COALESCE(created_at, UTC_TIMESTAMP(3))"), (True, "NULL")):
        which = [order.row_id for order in orders if order.progress is None and order.is_test is is_test]
        if which:
            cursor.execute(
                f"UPDATE orders SET state = '{State.RECEIVED}', state_at = {at}"  # noqa: S608
                f" WHERE id IN %s AND {KNOWS_NO_STATES}",
                (which,),
            )
    return _select(cursor, ids) if any(order.progress is None for order in orders) else found


def _select(cursor: Cursor, ids: Sequence[int]) -> list[tuple[int, Sequence[Any]]]:
    cursor.execute(f"SELECT id, {COLUMNS} FROM orders WHERE id IN %s ORDER BY id", (ids,))  # noqa: S608
    return [(row_id, columns) for row_id, *columns in cursor]


def _parsed(rows: Iterable[tuple[int, Sequence[Any]]]) -> tuple[list[Order], dict[int, str]]:
    """Return the orders in rows of `COLUMNS`, and why there is none in the others, by their ids."""
    orders, bad = list[Order](), dict[int, str]()
    for row_id, columns in rows:
        order = order_in(columns)
        if isinstance(order, str):
            bad[row_id] = order
        else:
            orders.append(order)
    return orders, bad


def _chunks(sizes: Iterable[tuple[int, int | None]]) -> Iterator[list[int]]:
    """Yield the ids of rows whose attributes are a few megabytes together: at least one."""
    ids, total = list[int](), 0
    for row_id, size in sizes:
        total += size or 0
        if ids and total > MOST_BYTES:
            yield ids
            ids, total = [], size or 0
        ids.append(row_id)
    if ids:
        yield ids
