"""The table `orders` by ranges of its ids and of time: reading costs what is read, not what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pymysql.cursors import Cursor

from orders.counters import Group
from orders.errors import StoreUnavailableError
from orders.order import Order
from orders.replay import Row
from stores.mysql.connection import MySql
from stores.mysql.orders import COLUMNS, IS_COUNTED, naive, order_of

IS_ORDER = f"order_id <> '' AND {IS_COUNTED}"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Seconds. Time zones differ from UTC by multiples of it, so that no group is in two days or hours.
QUARTER = 900
NAMED_AT_ONCE = 500


class OrderRows:
    """Rows of the table, for comparing and replaying.

    Every method raises StoreUnavailableError if the database does not answer.
    """

    def __init__(self, mysql: MySql) -> None:
        self._mysql = mysql

    def name(self) -> None:
        """Give rows without an identity, from a worker of the time before, the one of the migration.

        A publisher may have used that very name for an order of its own: then something is appended.
        """

        def name_some(cursor: Cursor) -> int:
            cursor.execute("SELECT id FROM orders WHERE order_id IS NULL LIMIT %s", (NAMED_AT_ONCE,))
            ids = [row_id for (row_id,) in cursor.fetchall()]
            if ids:
                which = f"order_id IS NULL AND id IN ({_marks(ids)})"
                cursor.execute(f"UPDATE IGNORE orders SET order_id = CONCAT('row-', id) WHERE {which}", ids)  # noqa: S608
                cursor.execute(
                    f"UPDATE orders SET order_id = CONCAT('row-', id, '-', LEFT(UUID(), 8)) WHERE {which}",  # noqa: S608
                    ids,
                )
            return len(ids)

        while self._mysql.run(name_some) == NAMED_AT_ONCE:
            pass

    def last_id(self) -> int:
        """Tell the largest id, 0 in an empty table."""
        return int(self._read("SELECT COALESCE(MAX(id), 0) FROM orders")[0][0])

    def page(self, after: int, upto: int, limit: int) -> list[tuple[int, str]]:
        """Read the ids and order ids of the first rows of a range."""
        found = self._read(
            f"SELECT id, order_id FROM orders WHERE id > %s AND id <= %s AND {IS_ORDER} ORDER BY id LIMIT %s",  # noqa: S608
            after,
            upto,
            limit,
        )
        return [(row_id, order_id) for row_id, order_id in found]

    def orders(self, ids: Sequence[int]) -> list[Order]:
        """Read the orders of rows."""
        found = self._read(f"SELECT {COLUMNS} FROM orders WHERE id IN ({_marks(ids)})", *ids)  # noqa: S608
        return [order_of(row) for row in found]

    def recent(self, after: int, limit: int) -> list[Row]:
        """Read rows after an id: of their orders only what is counted."""
        found = self._read(
            "SELECT id, order_id, created_at, item, quantity FROM orders"  # noqa: S608
            f" WHERE id > %s AND {IS_ORDER} ORDER BY id LIMIT %s",
            after,
            limit,
        )
        return [Row(row_id, order_of((*columns, None, None))) for row_id, *columns in found]

    def count(self, after: int, upto: int) -> int:
        """Count the rows of a range."""
        sql = f"SELECT COUNT(*) FROM orders WHERE id > %s AND id <= %s AND {IS_ORDER}"  # noqa: S608
        return int(self._read(sql, after, upto)[0][0])

    def groups(self, after: int, upto: int) -> list[Group]:
        """Sum the rows of a range by item and quarter of an hour.

        The length tells items apart that differ in spaces at the end alone: the collation does not.
        """
        found = self._read(
            f"SELECT item, UNIX_TIMESTAMP(created_at) DIV {QUARTER} AS quarter, COUNT(*), SUM(quantity)"  # noqa: S608
            f" FROM orders WHERE id > %s AND id <= %s AND {IS_ORDER}"
            " GROUP BY item, CHAR_LENGTH(item), quarter",
            after,
            upto,
        )
        return [
            Group(item, None if quarter is None else _time(int(quarter)), int(orders), int(quantity))
            for item, quarter, orders, quantity in found
        ]

    def period(self, start: datetime, end: datetime, after: int, limit: int) -> list[Row]:
        """Read the orders of a period in the order of their times, after a row that was read before.

        Parameters
        ----------
        start, end
            The first moment of the period, and the first after it.
        after
            The id of the last row that was read, 0 for none.
        """
        place, values = "", list[object]((naive(start), naive(end)))
        if after:
            found = self._read("SELECT created_at FROM orders WHERE id = %s", after)
            if not found:
                return []
            (last,) = found[0]
            place = " AND created_at >= %s AND (created_at > %s OR id > %s)"
            values += [last, last, after]
        rows = self._read(
            f"SELECT id, {COLUMNS} FROM orders FORCE INDEX (orders_created_at)"  # noqa: S608
            f" WHERE created_at >= %s AND created_at < %s{place} AND {IS_ORDER}"
            " ORDER BY created_at, id LIMIT %s",
            *values,
            limit,
        )
        return [Row(row_id, order_of(tuple(columns))) for row_id, *columns in rows]

    def schema(self) -> int | None:
        """Tell the number of the last migration, None if there was none."""
        try:
            number = self._read("SELECT MAX(number) FROM schema_migrations")[0][0]
        except StoreUnavailableError:
            # The table may be missing; if it is the database that is away, this says so.
            self._read("SELECT 1")
            return None
        return None if number is None else int(number)

    def last_order_at(self, until: datetime) -> datetime | None:
        """Return when the latest order was sent, of those until a moment."""
        moment: datetime | None = self._read(
            "SELECT MAX(created_at) FROM orders WHERE created_at <= %s", naive(until)
        )[0][0]
        return moment.replace(tzinfo=UTC) if moment else None

    def count_after(self, moment: datetime) -> int:
        """Count the rows that are dated after a moment."""
        sql = "SELECT COUNT(*) FROM orders WHERE created_at > %s"
        return int(self._read(sql, naive(moment))[0][0])

    def try_to_write(self) -> None:
        """Insert a row that is not committed.

        Raises
        ------
        StoreUnavailableError
            If the database refuses writes: it is read-only, full, or a lock does not end.
        """

        def insert(cursor: Cursor) -> None:
            cursor.execute("INSERT INTO orders (order_id, item) VALUES (LEFT(CONCAT('?', UUID()), 64), '')")
            cursor.connection.rollback()

        self._mysql.run(insert)

    def _read(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        def select(cursor: Cursor) -> list[tuple[Any, ...]]:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

        work: Callable[[Cursor], list[tuple[Any, ...]]] = select
        return self._mysql.run(work)


def _marks(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))


def _time(quarter: int) -> datetime:
    return EPOCH + timedelta(seconds=quarter * QUARTER)
