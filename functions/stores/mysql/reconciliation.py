"""Queries of the table `orders` for comparing, replaying and checking."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymysql.cursors import Cursor

from orders.counters import tally
from orders.failures import StoreUnavailableError
from orders.order import Order
from orders.reconciliation import Behind, Position, Rows
from orders.replay import Row
from orders.states import State
from stores.mysql import counters
from stores.mysql.connection import naive
from stores.mysql.orders import (
    COLUMNS,
    HOLDS_ID,
    IS_COUNTED,
    NUMBER_BITS,
    OrdersDatabase,
    first_number,
    order_in,
    recording_number,
)
from stores.parallel import batches

ATTRIBUTES = COLUMNS.split(", ").index("attributes")
WITHOUT_ATTRIBUTES = COLUMNS.replace("attributes", "NULL")
MAX_ROWS = 500  # that a transaction counts, or a statement reads
# True for a row of a release without states; legacy rows have version 0.
LACKS_STATE = "state IS NULL AND state_version = 1"
MAX_BYTES = 4 * 1024 * 1024  # of attributes that a statement reads, unless one order has more


class ReconciliationDatabase(OrdersDatabase):
    """Orders and counters, also for comparing and replaying."""

    def count_uncounted(self) -> Rows:
        """Count some uncounted rows in one transaction; `after` is set if there may be more.

        They were inserted without counters, by the earlier system, an earlier release or a person. Each gets
        an order id and its first state if it lacks them. Rows without a valid order are marked and not
        counted.
        """
        return self._mysql.run(self._count_uncounted)

    def names(self) -> set[str]:
        """Return the names of all counters."""
        return {bytes(name).decode() for (name,) in self._mysql.select("SELECT name FROM counters")}

    def create_counters(self, names: Collection[str]) -> None:
        """Create missing counters with the value 0."""
        self._mysql.run(lambda cursor: counters.add(cursor, dict.fromkeys(names, 0)))

    def recorded(self, since: datetime, until: datetime, after: Position, limit: int) -> Rows:
        """Read a page of the orders that were recorded in a period, sorted by that time, without attributes.

        `after` is the position where the last page ended, (0, 0) for the first page.
        """
        number, row_id = after
        found = self._mysql.select(
            f"SELECT recorded_in, id, {WITHOUT_ATTRIBUTES} FROM orders FORCE INDEX (orders_recorded_in)"  # noqa: S608
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

    def changed(self, since: datetime, until: datetime, after: Position, limit: int) -> Rows:
        """Read a page of the orders that were moved in a period, sorted by row id, without attributes."""
        found = self._mysql.select(
            f"SELECT id, {WITHOUT_ATTRIBUTES} FROM"  # noqa: S608
            " (SELECT DISTINCT order_row FROM order_events WHERE at >= %s AND at < %s AND order_row > %s"
            " ORDER BY order_row LIMIT %s) AS changed STRAIGHT_JOIN orders ON id = order_row ORDER BY id",
            naive(since),
            naive(until),
            after[1],
            limit,
        )
        orders, bad = _parsed((row_id, columns) for row_id, *columns in found)
        return Rows(orders, bad, (0, found[-1][0]) if len(found) == limit else None)

    def set_first_states(self, order_ids: Collection[str]) -> list[str]:
        """Set the first state of orders that a release without states recorded; return their ids.

        Legacy orders get no state.
        """

        def set_states(cursor: Cursor) -> list[str]:
            cursor.execute(
                f"SELECT id, LENGTH(attributes) FROM orders WHERE order_id IN %s AND {LACKS_STATE}",  # noqa: S608
                (ids,),
            )
            chunks = _chunks(list(cursor.fetchall()))
            return [
                order.order_id for some in chunks for order in _parsed(_set_first_states(cursor, some))[0]
            ]

        ids = sorted(order_ids)
        return self._mysql.run(set_states) if ids else []

    def behind(self, versions: Mapping[str, int]) -> Behind:
        """Return the ids of orders that are missing or have an older version than in `versions`."""
        # MySQL refuses to compare the ASCII column with other text.
        ids = [order_id for order_id in versions if order_id.isascii()]
        sql = f"SELECT order_id, state_version FROM orders WHERE order_id IN %s AND NOT {HOLDS_ID}"  # noqa: S608
        # The unique index pads: a legacy row may have the id with trailing spaces.
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
        for some in batches(sorted(order_ids), MAX_ROWS):
            sizes = self._mysql.select("SELECT id, LENGTH(attributes) FROM orders WHERE order_id IN %s", some)
            yield from map(self._whole, _chunks(sizes))

    def by_id(self, after: int, limit: int) -> Rows:
        """Read a page of whole orders after a row, sorted by id, a few megabytes at most."""
        sizes = self._mysql.select(
            f"SELECT id, LENGTH(attributes) FROM orders WHERE id > %s AND NOT {HOLDS_ID}"  # noqa: S608
            " ORDER BY id LIMIT %s",
            after,
            limit,
        )
        some = next(_chunks(sizes), [])
        rows = self._whole(some)
        is_last = len(some) == len(sizes) < limit
        return Rows(rows.orders, rows.bad, None if is_last else (0, some[-1]))

    def period(self, start: datetime, end: datetime, after: int, limit: int) -> list[Row]:
        """Read a page of the orders from `start` to before `end`, sorted by time, after a row id, or 0."""
        condition, values = "", list[object]((naive(start), naive(end)))
        if after:
            found = self._mysql.select("SELECT created_at FROM orders WHERE id = %s", after)
            if not found:
                return []
            (last,) = found[0]
            condition = " AND created_at >= %s AND (created_at > %s OR id > %s)"
            values += [last, last, after]
        rows = self._mysql.select(
            f"SELECT id, {COLUMNS} FROM orders FORCE INDEX (orders_created_at)"  # noqa: S608
            f" WHERE created_at >= %s AND created_at < %s{condition} AND {IS_COUNTED}"
            " ORDER BY created_at, id LIMIT %s",
            *values,
            limit,
        )
        return [Row(row_id, order_in(columns)) for row_id, *columns in rows]

    def schema(self) -> int | None:
        """Return the number of the last migration, None before the first."""
        try:
            number = self._mysql.select("SELECT MAX(number) FROM schema_migrations")[0][0]
        except StoreUnavailableError:
            # The table is missing, unless this statement fails, too.
            self._mysql.select("SELECT 1")
            return None
        return None if number is None else int(number)

    def last_order_at(self, until: datetime) -> datetime | None:
        """Return when the latest order up to a moment was sent."""
        moment: datetime | None = self._mysql.select(
            "SELECT MAX(created_at) FROM orders WHERE created_at <= %s", naive(until)
        )[0][0]
        return moment.replace(tzinfo=UTC) if moment else None

    def count_after(self, moment: datetime) -> int:
        """Count the orders with a time after a moment."""
        sql = "SELECT COUNT(*) FROM orders WHERE created_at > %s"
        return int(self._mysql.select(sql, naive(moment))[0][0])

    def try_to_write(self) -> None:
        """Insert a row and roll back; raise StoreUnavailableError if the database refuses writes."""

        def insert(cursor: Cursor) -> None:
            # All columns of an order, since each may be NOT NULL in a table from an earlier system.
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
            (MAX_ROWS,),
        )
        sizes = list(cursor.fetchall())
        if not sizes:
            return Rows([])
        ids = next(_chunks(sizes))
        _set_order_ids(cursor, ids)
        found = _set_first_states(cursor, ids)
        cursor.execute("UPDATE orders SET recorded_in = %s WHERE id IN %s", (recording_number(), ids))
        # An order with invalid attributes counts, as it does in the audit.
        counted, _ = _parsed(
            (row_id, [*columns[:ATTRIBUTES], None, *columns[ATTRIBUTES + 1 :]]) for row_id, columns in found
        )
        counters.add(cursor, tally(counted, self._zone, datetime.now(UTC)))
        is_last = len(ids) == len(sizes) < MAX_ROWS
        return Rows(*_parsed(found), None if is_last else (0, 0))

    def _whole(self, ids: Sequence[int]) -> Rows:
        return Rows(*_parsed(self._mysql.read(lambda cursor: _select(cursor, ids)))) if ids else Rows([])


def _set_order_ids(cursor: Cursor, ids: Sequence[int]) -> None:
    """Set missing order ids as the migration does, with a random suffix if a publisher used the same id."""
    which = "WHERE order_id IS NULL AND id IN %s"
    # S608: the text is made of constants and placeholders.
    if cursor.execute(f"SELECT 1 FROM orders {which} LIMIT 1", (ids,)):  # noqa: S608
        cursor.execute(f"UPDATE IGNORE orders SET order_id = CONCAT('row-', id) {which}", (ids,))  # noqa: S608
        name = "CONCAT('row-', id, '-', LEFT(UUID(), 8))"
        cursor.execute(f"UPDATE orders SET order_id = {name} {which}", (ids,))  # noqa: S608


def _set_first_states(cursor: Cursor, ids: Sequence[int]) -> list[tuple[int, Sequence[Any]]]:
    """Set the first state of orders that a release without states recorded; return all rows."""
    found = _select(cursor, ids)
    orders, _ = _parsed(found)
    for is_test, at in ((False, "COALESCE(created_at, UTC_TIMESTAMP(3))"), (True, "NULL")):
        which = [order.row_id for order in orders if order.progress is None and order.is_test is is_test]
        if which:
            cursor.execute(
                f"UPDATE orders SET state = '{State.RECEIVED}', state_at = {at}"  # noqa: S608
                f" WHERE id IN %s AND {LACKS_STATE}",
                (which,),
            )
    return _select(cursor, ids) if any(order.progress is None for order in orders) else found


def _select(cursor: Cursor, ids: Sequence[int]) -> list[tuple[int, Sequence[Any]]]:
    cursor.execute(f"SELECT id, {COLUMNS} FROM orders WHERE id IN %s ORDER BY id", (ids,))  # noqa: S608
    return [(row_id, columns) for row_id, *columns in cursor]


def _parsed(rows: Iterable[tuple[int, Sequence[Any]]]) -> tuple[list[Order], dict[int, str]]:
    """Return the valid orders in rows of `COLUMNS`, and the reasons for the others, by row id."""
    orders, bad = list[Order](), dict[int, str]()
    for row_id, columns in rows:
        order = order_in(columns)
        if isinstance(order, str):
            bad[row_id] = order
        else:
            orders.append(order)
    return orders, bad


def _chunks(sizes: Iterable[tuple[int, int | None]]) -> Iterator[list[int]]:
    """Yield groups of ids of rows with a few megabytes of attributes in total, at least one row each."""
    ids, total = list[int](), 0
    for row_id, size in sizes:
        total += size or 0
        if ids and total > MAX_BYTES:
            yield ids
            ids, total = [], size or 0
        ids.append(row_id)
    if ids:
        yield ids
