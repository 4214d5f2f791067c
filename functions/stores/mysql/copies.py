"""Rows of `orders` for backups: all columns, sorted by time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import TypeVar

from pymysql.cursors import Cursor, SSCursor

from orders.copies import Day, days
from orders.times import EARLIEST
from stores.mysql.connection import MySql, naive
from stores.mysql.orders import HOLDS_ID, NUMBER_BITS, first_number

T = TypeVar("T")

BY_TIME = "orders FORCE INDEX (orders_created_at)"
# Also 0000-00-00, which PyMySQL returns as a string.
UNDATED = f"(created_at IS NULL OR created_at < '{EARLIEST:%Y-%m-%d}') AND NOT {HOLDS_ID}"
# Uncounted rows count as changed now.
RECORDED = (
    "SELECT DATE(created_at), MAX(COALESCE(recorded_in, %s)) FROM orders FORCE INDEX (orders_recorded_in)"
    " WHERE recorded_in >= %s OR recorded_in IS NULL GROUP BY DATE(created_at)"
)
MOVED = (
    "SELECT DATE(created_at), MAX(at) FROM order_events FORCE INDEX (order_events_at)"
    " STRAIGHT_JOIN orders ON id = order_row WHERE at >= %s GROUP BY DATE(created_at)"
)

Write = Callable[[Sequence[str], int, Iterable[Sequence[object]]], T]
"""Takes the columns' names, the number of rows, and the rows."""


class OrderTable:
    """Read-only access to the table."""

    def __init__(self, mysql: MySql) -> None:
        self._mysql = mysql

    def copy(self, day: Day, write: Write[T]) -> T:
        """Pass the rows of a day to `write` as a stream, in one snapshot.

        After a lost connection, `write` is called again from the start.
        """
        where, values = (UNDATED, ()) if day is None else ("created_at BETWEEN %s AND %s", _bounds(day))

        def read(cursor: Cursor) -> T:
            # S608: the text is made of constants and placeholders.
            cursor.execute(f"SELECT COUNT(*) FROM {BY_TIME} WHERE {where}", values)  # noqa: S608
            ((count,),) = cursor.fetchall()
            with SSCursor(cursor.connection) as stream:
                stream.execute(f"SELECT * FROM {BY_TIME} WHERE {where} ORDER BY created_at, id", values)  # noqa: S608
                columns = [column[0] for column in stream.description or ()]
                return write(columns, int(count), stream)

        return self._mysql.snapshot(read)

    def days(self, first: date, today: date) -> list[Day]:
        """Return the days from the first order since `first` to `today`, and later days with orders."""
        start, end = _bounds(first)[0], _bounds(today)[1]
        oldest = self._mysql.select(
            "SELECT MIN(created_at) FROM orders WHERE created_at BETWEEN %s AND %s", start, end
        )
        later = self._mysql.select(
            f"SELECT DISTINCT DATE(created_at) FROM {BY_TIME} WHERE created_at > %s",  # noqa: S608
            end,
        )
        undated = self._mysql.select(f"SELECT 1 FROM {BY_TIME} WHERE {UNDATED} LIMIT 1")  # noqa: S608
        found: list[Day] = []
        if oldest[0][0] is not None:
            found += days(oldest[0][0].date(), today)
        return [*found, *(_day(value) for (value,) in later), *([None] if undated else [])]

    def changed(self, since: datetime) -> dict[Day, datetime]:
        """Return the days whose rows changed since a moment, with the time of the latest change."""
        numbers = (first_number(moment.timestamp()) for moment in (datetime.now(UTC), since))
        recorded = self._mysql.select(RECORDED, *numbers)
        changed = {
            _day(value): datetime.fromtimestamp(int(number) >> NUMBER_BITS, UTC) for value, number in recorded
        }
        for value, at in self._mysql.select(MOVED, naive(since)):
            day, moved = _day(value), at.replace(tzinfo=UTC)
            changed[day] = max(moved, changed.get(day, moved))
        return changed


def _bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first and the last moment of a day, in naive UTC."""
    return datetime.combine(day, time.min), datetime.combine(day, time.max)


def _day(value: object) -> Day:
    return value if isinstance(value, date) and value >= EARLIEST.date() else None
