"""Widen columns of `orders` of earlier releases, in which ids end at 2³¹, and times in 2038.

One ALTER rebuilds the table, and locks it against inserts meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from orders.counters import TOTAL_ORDERS, Counted
from orders.failures import SchemaError
from stores.mysql import counters

WIDE = {"id": "bigint", "created_at": "datetime"}
# A DATETIME has no time zone, so its default is explicitly in UTC.
WIDEN = (
    "ALTER TABLE orders MODIFY id BIGINT NOT NULL AUTO_INCREMENT,"
    " MODIFY created_at DATETIME(3) NULL DEFAULT (UTC_TIMESTAMP(3))"
)
# As measured with 2 million rows (docs/decisions/0018-counters-in-the-schema.md).
ROWS_PER_SECOND = 50_000
BYTES_PER_SECOND = 5_000_000
AT_DEPLOY = 2.0  # seconds that orders may wait during a deploy
AT_MOST = 750.0  # seconds that a function has


@dataclass(frozen=True, slots=True)
class Table:
    """State of the table before it is widened."""

    narrow: tuple[str, ...]  # columns to widen
    rows: int
    bytes: int
    referring: tuple[str, str] | None = None  # a foreign key to `id`, and its table; it must be dropped first

    @property
    def seconds(self) -> float:
        """Return an estimate of how long the table will be locked."""
        return max(self.rows / ROWS_PER_SECOND, self.bytes / BYTES_PER_SECOND)

    @property
    def is_small(self) -> bool:
        """Return whether a deploy widens it."""
        return bool(self.narrow) and self.referring is None and self.seconds <= AT_DEPLOY


def inspect(cursor: Cursor) -> Table:
    """Return the columns to widen, and the size of the table; the number of rows is that of the counter."""
    here = "table_schema = DATABASE() AND table_name = 'orders'"
    cursor.execute(f"SELECT column_name, data_type FROM information_schema.columns WHERE {here}")  # noqa: S608
    types = {str(name).lower(): kind for name, kind in cursor.fetchall()}
    narrow = tuple(name for name, wide in WIDE.items() if types.get(name) != wide)
    if not narrow:
        return Table(narrow, 0, 0)
    rows = counters.read(cursor, [TOTAL_ORDERS]).get(TOTAL_ORDERS, Counted(0, 0)).value
    cursor.execute(f"SELECT data_length FROM information_schema.tables WHERE {here}")  # noqa: S608
    ((size,),) = cursor.fetchall()
    cursor.execute(
        "SELECT constraint_name, table_name FROM information_schema.key_column_usage"
        " WHERE referenced_table_schema = DATABASE() AND referenced_table_name = 'orders'"
        " AND referenced_column_name = 'id'"
    )
    return Table(narrow, rows, int(size), cursor.fetchone())


def widen(cursor: Cursor, table: Table) -> None:
    """Widen a table; raise SchemaError, without a change, if a person has to do something first."""
    if table.referring:
        key, other = table.referring
        raise SchemaError(
            f"Foreign key `{key}` refers to the column that has to be changed: ALTER TABLE `{other}` "
            f"DROP FOREIGN KEY `{key}`, widen, make its column a BIGINT, and add the key again."
        )
    if table.seconds > AT_MOST:
        raise SchemaError(
            f"{table.rows} rows take about {table.seconds / 60:.0f} minutes, longer than a function runs: "
            "see docs/runbook.md for the statement."
        )
    try:
        cursor.execute(WIDEN)
    except pymysql.OperationalError as error:
        if error.args[0] != ER.LOCK_WAIT_TIMEOUT:
            raise
        raise SchemaError(
            "A transaction uses the table `orders` and does not end: find it with SHOW PROCESSLIST, end it, "
            "and try again."
        ) from error
