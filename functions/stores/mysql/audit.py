"""Counters against the rows that they count: sums over the table, and corrections that are applied once.

Counters and sums are read in one consistent snapshot, so that they can be compared while orders come in.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pymysql.cursors import Cursor

from orders.counters import QUARTER_LENGTH, Group
from stores.mysql.counters import NOW
from stores.mysql.orders import IS_COUNTED

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT_ONCE = 1000  # counters in one statement


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter as a snapshot has it."""

    value: int
    corrections: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What a counter lacks, by the rows of the same snapshot.

    Attributes
    ----------
    value
        To be added to the counter.
    corrections
        The counter's corrections in the snapshot, 0 if the counter was missing.
    """

    name: str
    value: int
    corrections: int


def read(cursor: Cursor) -> dict[str, Counter]:
    """Read all counters."""
    cursor.execute("SELECT name, value, corrections FROM counters")
    return {name.decode(): Counter(value, corrections) for name, value, corrections in cursor.fetchall()}


def last_id(cursor: Cursor) -> int:
    """Return the largest id of the table, 0 if it is empty."""
    cursor.execute("SELECT COALESCE(MAX(id), 0) FROM orders")
    (found,) = cursor.fetchone() or (0,)
    return int(found)


def sum_groups(cursor: Cursor, after: int, upto: int) -> list[Group]:
    """Sum the counted rows of a range of ids by item and quarter of an hour.

    The length tells items apart that differ in spaces at the end alone: the collation does not.

    Parameters
    ----------
    after, upto
        The range's first id is larger than `after`, its last is at most `upto`.
    """
    cursor.execute(
        "SELECT item, TIMESTAMPDIFF(SECOND, '1970-01-01', created_at) DIV %s AS quarter,"  # noqa: S608
        " COUNT(*), SUM(quantity) FROM orders WHERE id > %s AND id <= %s"
        f" AND recorded_in IS NOT NULL AND order_id <> '' AND {IS_COUNTED}"
        " GROUP BY item, CHAR_LENGTH(item), quarter",
        (QUARTER_LENGTH // timedelta(seconds=1), after, upto),
    )
    return [
        Group(item, None if quarter is None else _start(quarter), int(orders), int(quantity))
        for item, quarter, orders, quantity in cursor.fetchall()
    ]


def apply(cursor: Cursor, differences: Collection[Difference]) -> None:
    """Add each difference to its counter, unless a correction since the snapshot has done so.

    Orders that were counted since then do not change a difference. A repeated call, after an answer to COMMIT that
    was lost, and another audit's call with the same snapshot change nothing.
    """
    # In the order of names, in which the worker locks them, too.
    rows = sorted((each.name.encode(), each.value, each.corrections + 1) for each in differences)
    is_due = "corrections = VALUES(corrections) - 1"
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        # The assignments are made from left to right: `corrections` comes last.
        cursor.execute(
            "INSERT INTO counters (name, value, corrections, version) VALUES "  # noqa: S608
            + ", ".join([f"(%s, %s, %s, {NOW})"] * len(some))
            + f" ON DUPLICATE KEY UPDATE value = value + IF({is_due}, VALUES(value), 0),"
            f" version = IF({is_due}, GREATEST(version + 1, VALUES(version)), version),"
            f" corrections = corrections + IF({is_due}, 1, 0)",
            [value for row in some for value in row],
        )


def _start(quarter: int) -> datetime:
    return EPOCH + int(quarter) * QUARTER_LENGTH
