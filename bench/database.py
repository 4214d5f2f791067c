"""Database server for a measurement, and the rows in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from local import ports, process_groups, signals
from local.database import certificates
from local.database import server as database_server
from local.database.engine import Engine
from local.database.instance import Database, tls_context

TIMEOUT = 120.0  # seconds until the server listens
# Enough for the indexes of millions of rows; a local stack has less.
BUFFER_POOL = 512 * 1024 * 1024
APPLICATION = ("cafe_user", "bench-password")
CHUNK = 200_000  # rows of one statement
DAY = 86_400_000_000  # microseconds
# Values of a row's columns, by its number `n`: 0 is the newest row.
COLUMNS = {
    "order_id": "CONCAT('fill-', n)",
    "created_at": "NOW(3) - INTERVAL n * {step} MICROSECOND",
    "item": "ELT(1 + n MOD 4, 'Latte', 'Tea', 'Coffee', 'Mocha')",
    "quantity": "1 + n MOD 3",
    "customer_name": "CONCAT('Ann ', n MOD 97)",
    "recorded_in": "0",
    "state": "'collected'",
    "state_version": "2",
    "state_at": "NOW(3) - INTERVAL n * {step} MICROSECOND",
    "ready_at": "NOW(3) - INTERVAL n * {step} MICROSECOND",
}


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server."""

    product: str
    port: int
    user: str
    password: str
    authority: Path

    def secret(self, database: str, user: str | None = None, password: str = "") -> dict[str, Any]:
        """Return a login as Secrets Manager has it."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "username": user or self.user,
            "password": password or self.password,
            "dbname": database,
        }

    @contextmanager
    def cursor(self, database: str | None = None) -> Iterator[Cursor]:
        """Log in as the administrator."""
        connection = pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            ssl=tls_context(self.authority),
            autocommit=True,
        )
        with connection, connection.cursor() as cursor:
            yield cursor

    def execute(self, sql: str, *values: object, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement."""
        with self.cursor(database) as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())


@contextmanager
def running(directory: Path, engine: Engine) -> Iterator[Server]:
    """Run a server in an empty directory, with TLS as RDS has it."""
    directory.mkdir()
    tls = certificates.create(directory / "tls")
    administrator = database_server.Administrator()
    port = ports.choose(0, "")
    command = database_server.first_command(engine.installed(), directory, port, administrator, tls)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log, start_new_session=True)
    try:
        database = Database(port=port, administrator=administrator, authority=tls.authority)
        product = database.wait(TIMEOUT)
        server = Server(
            product=product,
            port=port,
            user=administrator.user,
            password=administrator.password,
            authority=tls.authority,
        )
        server.execute("SET GLOBAL innodb_buffer_pool_size = %s", BUFFER_POOL)
        yield server
    finally:
        with signals.handled(lambda _number: None):  # a second Ctrl-C would leave it running
            process_groups.kill([process.pid])
            process.wait()


def create_earlier(server: Server, schema: str) -> None:
    """Create the earlier system's database, with one table and one index."""
    user, password = APPLICATION
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {schema}")
        cursor.execute("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s", (user, password))
        cursor.execute(f"GRANT ALL PRIVILEGES ON {schema}.* TO %s@'%%'", (user,))
        cursor.execute(
            f"CREATE TABLE {schema}.orders (id INT AUTO_INCREMENT PRIMARY KEY, customer_name VARCHAR(100),"
            " item VARCHAR(50), quantity INT, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"
        )


def empty(server: Server, database: str) -> None:
    """Remove all orders and counters."""
    for table in ("orders", "counters"):
        if server.execute("SHOW TABLES LIKE %s", table, database=database):
            server.execute(f"TRUNCATE TABLE {table}", database=database)


def fill(server: Server, database: str, rows: int, per_day: int) -> None:
    """Insert orders at even intervals until now, the oldest first."""
    found = server.execute(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = 'orders'",
        database,
    )
    columns = [name for name in COLUMNS if (name,) in found]
    values = ", ".join(COLUMNS[name].format(step=DAY // per_day) for name in columns)
    with server.cursor(database) as cursor:
        cursor.execute("CREATE TEMPORARY TABLE thousand (n INT PRIMARY KEY)")
        cursor.executemany("INSERT INTO thousand VALUES (%s)", [(n,) for n in range(1000)])
        # A statement can read a temporary table only once.
        cursor.execute("CREATE TEMPORARY TABLE thousands AS SELECT n * 1000 AS n FROM thousand")
        for last in range((rows - 1) // CHUNK * CHUNK, -1, -CHUNK):
            cursor.execute(
                f"INSERT INTO orders ({', '.join(columns)}) SELECT {values} FROM"  # noqa: S608
                " (SELECT %s + thousands.n + thousand.n AS n FROM thousands, thousand"
                " WHERE thousands.n < %s) numbers WHERE n < %s ORDER BY n DESC",
                (last, CHUNK, rows),
            )
