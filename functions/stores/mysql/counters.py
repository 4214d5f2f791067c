"""The table `counters` in MySQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pymysql.cursors import Cursor

from orders.counters import Counted

# Microseconds since the epoch, by the server's clock.
NOW = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"


def add(cursor: Cursor, numbers: Mapping[str, int]) -> None:
    """Add numbers to counters, and create missing ones.

    Commit directly afterwards: until then, the rows of the total and the day are locked.
    """
    if not numbers:
        return
    # Sorted, so that transactions lock in the same order.
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
    """Read existing counters by name."""
    if not names:
        return {}
    encoded = sorted(name.encode() for name in names)
    cursor.execute("SELECT name, value, version FROM counters WHERE name IN %s", (encoded,))
    return {bytes(name).decode(): Counted(int(value), int(version)) for name, value, version in cursor}
