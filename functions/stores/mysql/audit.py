"""Counters and sums of the rows in one consistent snapshot, and corrections that are applied once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pymysql.cursors import Cursor

from orders.audit import TIME_ZONE, Difference, OutOfTimeError, Snapshot, State, Tally
from orders.counters import QUARTER_LENGTH, Group
from orders.states import EPOCH
from orders.times import EARLIEST, LATEST
from stores.mysql.connection import MySql, naive
from stores.mysql.counters import NOW
from stores.mysql.orders import HOLDS_ID, IS_COUNTED
from stores.parallel import batches

MAX_COUNTERS = 1000  # of a statement
STEP = 100_000  # rows that a statement sums up
MAX_BAD_ROWS = 5  # whose ids are returned


class AuditDatabase:
    """The tables `counters` and `orders`."""

    def __init__(self, mysql: MySql) -> None:
        self._mysql = mysql

    def snapshot(self, tally: Tally, since: datetime, seconds_left: Callable[[], float]) -> Snapshot:
        """Read counters and rows in one consistent snapshot.

        Groups of orders that were sent before `since` have either an item or a time. Raises OutOfTimeError if
        time is up before all rows are read.
        """
        return self._mysql.snapshot(lambda cursor: _snapshot(cursor, tally, since, seconds_left))

    def correct(self, differences: Collection[Difference]) -> None:
        """Add each difference once, even if another audit adds it, too."""
        # Sorted by name, as the worker locks them.
        ordered = sorted(differences, key=lambda difference: difference.name.encode())
        for some in batches(ordered, MAX_COUNTERS):
            self._mysql.run(partial(apply, differences=some))

    def note_time_zone(self, name: str, since: int) -> None:
        """Replace the counter that names the time zone of days."""

        def note(cursor: Cursor) -> None:
            cursor.execute("DELETE FROM counters WHERE name LIKE %s AND name <> %s", (f"{TIME_ZONE}%", name))
            cursor.execute(
                f"INSERT IGNORE INTO counters (name, value, version) VALUES (%s, %s, {NOW})",  # noqa: S608
                (name.encode(), since),
            )

        self._mysql.run(note)

    def delete(self, names: Collection[str]) -> None:
        """Delete counters."""
        encoded = sorted(name.encode() for name in names)
        for some in batches(encoded, MAX_COUNTERS):
            self._mysql.run(partial(_delete, names=some))


def _snapshot(cursor: Cursor, tally: Tally, since: datetime, seconds_left: Callable[[], float]) -> Snapshot:
    # Counters first: they change all the time, and each change makes reading their old version slower.
    cursor.execute("SELECT name, value, corrections FROM counters")
    counters = {bytes(name).decode(): State(value, corrections) for name, value, corrections in cursor}
    cursor.execute("SELECT COALESCE(MAX(id), 0) FROM orders")
    ((last,),) = cursor.fetchall()
    after = 0
    expected, rows, bad = Counter[str](), 0, list[int]()
    while after < last:
        if seconds_left() <= 0:
            raise OutOfTimeError(f"Time was up after {rows} rows; another run cannot resume a snapshot.")
        upto = _end_of_step(cursor, after) or last
        groups = sum_groups(cursor, after, upto, since)
        rows += sum(group.orders for group in groups)
        expected.update(tally(groups))
        bad += bad_rows(cursor, after, upto, MAX_BAD_ROWS - len(bad))
        after = upto
    return Snapshot(counters, expected, rows, bad)


def sum_groups(cursor: Cursor, after: int, upto: int, since: datetime) -> list[Group]:
    """Sum the counted rows of a range of ids, by item and by quarter of an hour.

    Rows before `since` are summed once by item and once by quarter: nothing older is counted per item and
    hour, and by both there would be nearly as many groups as rows.
    """
    # The length distinguishes items that differ only in trailing spaces, which the collation ignores.
    item, length = "item", "CHAR_LENGTH(item)"
    number = f"TIMESTAMPDIFF(SECOND, '1970-01-01', created_at) DIV {QUARTER_LENGTH // timedelta(seconds=1)}"
    quarter = f"IF(created_at BETWEEN '{naive(EARLIEST)}' AND '{naive(LATEST)}', {number}, NULL)"
    new, old = "created_at >= %s", "(created_at < %s OR created_at IS NULL)"
    return [
        Group(
            name, None if start is None else EPOCH + int(start) * QUARTER_LENGTH, int(orders), int(quantity)
        )
        for columns, groups, when in (
            (f"{item}, {quarter} AS quarter, COUNT(*), SUM(quantity)", f"{item}, {length}, quarter", new),
            (f"{item}, NULL, 0, SUM(quantity)", f"{item}, {length}", old),
            (f"NULL, {quarter} AS quarter, COUNT(*), 0", "quarter", old),
        )
        for name, start, orders, quantity in _sums(cursor, columns, groups, when, (after, upto, naive(since)))
    ]


def _sums(
    cursor: Cursor, columns: str, groups: str, when: str, values: tuple[object, ...]
) -> Collection[tuple[Any, ...]]:
    cursor.execute(
        f"SELECT {columns} FROM orders WHERE id > %s AND id <= %s AND {when}"  # noqa: S608  # constants only
        f" AND recorded_in IS NOT NULL AND {IS_COUNTED} GROUP BY {groups}",
        values,
    )
    return cursor.fetchall()


def apply(cursor: Cursor, differences: Collection[Difference]) -> None:
    """Add each difference to its counter unless the counter was corrected since the snapshot.

    So a retry after a lost COMMIT, or another audit with the same snapshot, changes nothing. Orders that were
    counted since the snapshot do not affect a difference.
    """
    is_due = "corrections = VALUES(corrections) - 1"
    # Assignments are evaluated from left to right, so `corrections` comes last.
    cursor.execute(
        "INSERT INTO counters (name, value, corrections, version) VALUES "  # noqa: S608
        + ", ".join([f"(%s, %s, %s, {NOW})"] * len(differences))
        + f" ON DUPLICATE KEY UPDATE value = value + IF({is_due}, VALUES(value), 0),"
        f" version = IF({is_due}, GREATEST(version + 1, VALUES(version)), version),"
        f" corrections = corrections + IF({is_due}, 1, 0)",
        [part for each in differences for part in (each.name.encode(), each.value, each.corrections + 1)],
    )


def _delete(cursor: Cursor, names: Collection[bytes]) -> None:
    cursor.execute("DELETE FROM counters WHERE name IN %s", (names,))


def _end_of_step(cursor: Cursor, after: int) -> int | None:
    """Return the id of the last of the next `STEP` rows, None if there are fewer; ids have gaps."""
    cursor.execute("SELECT id FROM orders WHERE id > %s ORDER BY id LIMIT 1 OFFSET %s", (after, STEP - 1))
    found = cursor.fetchone()
    return int(found[0]) if found else None


def bad_rows(cursor: Cursor, after: int, upto: int, limit: int) -> list[int]:
    """Return the ids of the first rows of a range without a valid order."""
    cursor.execute(
        "SELECT id FROM orders WHERE id > %s AND id <= %s AND"  # noqa: S608  # constants only
        f" (order_id = '' OR item IS NULL OR item = '' OR quantity IS NULL) AND NOT {HOLDS_ID}"
        " ORDER BY id LIMIT %s",
        (after, upto, limit),
    )
    return [row_id for (row_id,) in cursor.fetchall()]
