"""Migrate the database's schema by numbered SQL files."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from orders.failures import SchemaError, StoreUnavailableError
from stores.mysql import schema_checks
from stores.mysql.connection import MySql

T = TypeVar("T")

NAME = re.compile(r"(\d{4})_\w+\.sql")
LOCK = "cafe_migrations"
LOCK_WAIT = 120  # seconds, for the migration of another deploy
TABLE_LOCK_WAIT = 5  # seconds that a change of the table waits for transactions, while orders wait for it
TABLE_LOCK_ATTEMPTS = 5
TABLE_LOCK_PAUSE = 2.0  # seconds, in which waiting orders are recorded
CONVERTED_BY = 2  # number of the migration that converts the rows of an existing table


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    number: int
    name: str
    sql: str


def read(directory: Path) -> list[Migration]:
    """Read the migrations of a directory in order; raise ValueError if their names are invalid."""
    migrations = []
    for path in sorted(directory.glob("*.sql")):
        match = NAME.fullmatch(path.name)
        if not match:
            raise ValueError(f"{path.name}: a migration's name must be like 0001_what_it_does.sql")
        migrations.append(Migration(int(match[1]), path.name, path.read_text(encoding="utf-8")))
    if [migration.number for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise ValueError("migrations must be numbered 1, 2, 3, ... without a gap")
    return migrations


def migrate(mysql: MySql, migrations: Sequence[Migration]) -> list[str]:
    """Apply the missing migrations while no other deploy does, and return their names.

    MySQL commits at every change of a table, so a migration may stop half-way. Each checks the schema before
    a change, so that it can run again from its start.

    The connection is the master user's, with `CLIENT.MULTI_STATEMENTS`. Raises SchemaError, without a change,
    if the schema cannot be migrated, StoreUnavailableError if another migration does not end.
    """
    return locked(mysql, lambda cursor: _migrate(cursor, migrations))


def locked(mysql: MySql, work: Callable[[Cursor], T]) -> T:
    """Do work while no other deploy changes the schema; raise StoreUnavailableError if one does not end."""

    def alone(cursor: Cursor) -> T:
        cursor.execute("SELECT GET_LOCK(%s, %s)", (LOCK, LOCK_WAIT))
        if cursor.fetchone() != (1,):
            raise StoreUnavailableError("Another migration is running and does not end")
        try:
            cursor.execute(f"SET SESSION lock_wait_timeout = {TABLE_LOCK_WAIT}")
            return work(cursor)
        finally:
            cursor.execute("SELECT RELEASE_LOCK(%s)", (LOCK,))

    return mysql.read(alone)


def _migrate(cursor: Cursor, migrations: Sequence[Migration]) -> list[str]:
    applied = _applied(cursor)
    missing = [migration for migration in migrations if migration.number not in applied]
    if missing:
        schema_checks.check(
            cursor,
            lambda: _run_all(cursor, "\n".join(migration.sql for migration in missing)),
            is_new=CONVERTED_BY not in applied,
        )
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations ("
        "number INT PRIMARY KEY, name VARCHAR(100) NOT NULL, applied_at DATETIME NOT NULL)"
    )
    for migration in missing:
        _apply(cursor, migration.sql)
        cursor.execute(
            "INSERT INTO schema_migrations (number, name, applied_at) VALUES (%s, %s, UTC_TIMESTAMP())",
            (migration.number, migration.name),
        )
    return [migration.name for migration in missing]


def _applied(cursor: Cursor) -> set[int]:
    cursor.execute(
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name = 'schema_migrations' AND column_name = 'number'"
    )
    if cursor.fetchone() == (0,):
        return set()
    cursor.execute("SELECT number FROM schema_migrations")
    return {number for (number,) in cursor.fetchall()}


def _apply(cursor: Cursor, sql: str) -> None:
    """Run a file's statements; start again if another transaction locks the table for too long."""
    for attempt in range(1, TABLE_LOCK_ATTEMPTS + 1):
        try:
            _run_all(cursor, sql)
        except pymysql.OperationalError as error:
            if error.args[0] != ER.LOCK_WAIT_TIMEOUT:
                raise
            cursor.execute("UNLOCK TABLES")
            if attempt == TABLE_LOCK_ATTEMPTS:
                raise SchemaError(
                    "A transaction uses the table `orders` and does not end: find it with SHOW PROCESSLIST, "
                    "end it, and deploy again"
                ) from error
            time.sleep(TABLE_LOCK_PAUSE)
        else:
            return


def _run_all(cursor: Cursor, sql: str) -> None:
    """Run a file's statements, and raise the first error."""
    cursor.execute(sql)
    while cursor.nextset():
        pass
