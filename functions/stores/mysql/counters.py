"""The table `counters` in MySQL: what the orders add up to."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pymysql.cursors import Cursor

from orders.counters import Counted

# Microseconds since the epoch, by the one clock that all share.
NOW = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"


def add(cursor: Cursor, numbers: Mapping[str, int]) -> None:
    """Add to counters, which begin at 0.

    The rows of the total and the day are locked from here to the commit: commit next.
    """
    if not numbers:
        return
    # In the order of their names, so that transactions take locks in the same order.
    names = sorted(name.encode() for name in numbers)
    values: list[object] = []
    for name in names:
        values += (name, numbers[name.decode()])
    rows = ", ".join([f"(%s, %s, {NOW})"] * len(names))
    cursor.execute(
        f"INSERT INTO counters (name, value, version) VALUES {rows}"  # noqa: S608  # constants only
        " ON DUPLICATE KEY UPDATE value = value + VALUES(value),"
        " version = GREATEST(version + 1, VALUES(version))",
        values,
    )


def read(cursor: Cursor, names: Collection[str]) -> dict[str, Counted]:
    """Read counters by name; one that never counted is missing."""
    if not names:
        return {}
    encoded = sorted(name.encode() for name in names)
    cursor.execute("SELECT name, value, version FROM counters WHERE name IN %s", (encoded,))
    return {bytes(name).decode(): Counted(int(value), int(version)) for name, value, version in cursor}
