"""Counters against the rows that they count: sums over the table, and corrections that are applied once.

Counters and sums are read in one consistent snapshot, so that they can be compared while orders come in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from pymysql.cursors import Cursor

from orders.audit import TIME_ZONE, Difference, OutOfTimeError, Snapshot, State, Tally
from orders.counters import QUARTER_LENGTH, Group
from orders.times import EARLIEST, LATEST
from stores.mysql.connection import MySql, naive
from stores.mysql.counters import NOW
from stores.mysql.orders import IS_COUNTED

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT_ONCE = 1000  # counters in one statement
STEP = 100_000  # rows that are summed up in one statement
MOST_BAD_ROWS = 5  # that are named


class AuditDatabase:
    """The tables `counters` and `orders`, for the audit.

    Every method raises StoreUnavailableError if the database does not answer.
    """

    def __init__(self, mysql: MySql) -> None:
        self._mysql = mysql

    def snapshot(self, tally: Tally, since: datetime, left: Callable[[], float]) -> Snapshot:
        """Read counters and rows in one consistent snapshot.

        Groups of orders that were sent before `since` have an item or a time, not both. Raises OutOfTimeError
        if time is up before all rows are read: a snapshot does not outlast its invocation.
        """
        return self._mysql.snapshot(lambda cursor: _snapshot(cursor, tally, since, left))

    def correct(self, differences: Collection[Difference]) -> None:
        """Add each difference once, whoever else does so."""
        # In the order of names, in which the worker locks them, too.
        ordered = sorted(differences, key=lambda difference: difference.name.encode())
        for start in range(0, len(ordered), AT_ONCE):
            self._mysql.run(partial(apply, differences=ordered[start : start + AT_ONCE]))

    def note_time_zone(self, name: str, since: int) -> None:
        """Replace the counter that says in which time zone days are counted."""

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
        for start in range(0, len(encoded), AT_ONCE):
            self._mysql.run(partial(_delete, names=encoded[start : start + AT_ONCE]))


def _snapshot(cursor: Cursor, tally: Tally, since: datetime, left: Callable[[], float]) -> Snapshot:
    # The counters first: they change all the time, and reading how they were becomes slower with each change.
    counters = read(cursor)
    last, after = last_id(cursor), 0
    expected, rows, bad = Counter[str](), 0, list[int]()
    while after < last:
        if left() <= 0:
            raise OutOfTimeError(f"Time was up after {rows} rows; a snapshot cannot go on in another run.")
        upto = _end_of_step(cursor, after) or last
        groups = sum_groups(cursor, after, upto, since)
        rows += sum(group.orders for group in groups)
        expected.update(tally(groups))
        bad += bad_rows(cursor, after, upto, MOST_BAD_ROWS - len(bad))
        after = upto
    return Snapshot(counters, expected, rows, bad)


def read(cursor: Cursor) -> dict[str, State]:
    """Read all counters."""
    cursor.execute("SELECT name, value, corrections FROM counters")
    return {bytes(name).decode(): State(value, corrections) for name, value, corrections in cursor.fetchall()}


def last_id(cursor: Cursor) -> int:
    """Return the largest id of the table, 0 if it is empty."""
    cursor.execute("SELECT COALESCE(MAX(id), 0) FROM orders")
    ((found,),) = cursor.fetchall()
    return int(found)


def sum_groups(cursor: Cursor, after: int, upto: int, since: datetime) -> list[Group]:
    """Sum the counted rows with ids after one and up to another, by item and by quarter of an hour.

    By both at once only since a moment: before it nothing is counted per item and hour, and there would be
    nearly as many groups as rows.
    """
    # The length tells items apart that differ in spaces at the end alone: the collation does not.
    item, length = "item", "CHAR_LENGTH(item)"
    number = f"TIMESTAMPDIFF(SECOND, '1970-01-01', created_at) DIV {QUARTER_LENGTH // timedelta(seconds=1)}"
    quarter = f"IF(created_at BETWEEN '{naive(EARLIEST)}' AND '{naive(LATEST)}', {number}, NULL)"
    new, old = "created_at >= %s", "(created_at < %s OR created_at IS NULL)"
    return [
        Group(name, None if start is None else _start(start), int(orders), int(quantity))
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
    """Add each difference to its counter, unless a correction since the snapshot has done so.

    Orders that were counted since then do not change a difference. A repeated call, after an answer to
    COMMIT that was lost, and another audit's call with the same snapshot change nothing.
    """
    is_due = "corrections = VALUES(corrections) - 1"
    # The assignments are made from left to right: `corrections` comes last.
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
    """Return the id of the last of the next rows to sum up, None if there are fewer. Ids have gaps."""
    cursor.execute("SELECT id FROM orders WHERE id > %s ORDER BY id LIMIT 1 OFFSET %s", (after, STEP - 1))
    found = cursor.fetchone()
    return int(found[0]) if found else None


def bad_rows(cursor: Cursor, after: int, upto: int, limit: int) -> list[int]:
    """Return the ids of the first rows of a range that hold no order."""
    cursor.execute(
        "SELECT id FROM orders WHERE id > %s AND id <= %s"
        " AND (order_id = '' OR item IS NULL OR item = '' OR quantity IS NULL) ORDER BY id LIMIT %s",
        (after, upto, limit),
    )
    return [row_id for (row_id,) in cursor.fetchall()]


def _start(quarter: int) -> datetime:
    return EPOCH + int(quarter) * QUARTER_LENGTH
