"""Lazily opened connection to MySQL that reconnects, with transactions and retries."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CR, ER
from pymysql.cursors import Cursor

from orders.failures import OrderRefusedError, StoreUnavailableError
from stores.mysql.login import Login

T = TypeVar("T")

CERTIFICATE_AUTHORITY = Path(__file__).parents[2] / "rds-ca.pem"
# Set for each session, since the defaults of MySQL and MariaDB differ.
SESSION = (
    "SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = {row_lock}, "
    "lock_wait_timeout = {table_lock}, wait_timeout = {idle}, "
    "sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,NO_ENGINE_SUBSTITUTION'"
)
# The variable has different names in MySQL and MariaDB; this statement works in both.
ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
# Seconds after which the server ends an idle session, and so releases the rows of the counters that a process
# has locked if it is frozen or killed between two statements.
IDLE = 25
RECONNECT_BEFORE = 5  # seconds before the server would end the session
LOST = {0, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST}
CONTENDED = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT}
# Constraints (MySQL, MariaDB) and triggers (SIGNAL) of a table from an earlier system.
REFUSED = {3819, 4025, 1644}
LOGIN_REFUSED = {ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR}
ATTEMPTS = 4
MAX_CONNECT_TIMEOUT = 3.0  # seconds
MAX_RETRY_TIMEOUT = 8.0  # seconds
LOCK_WAIT = 5  # seconds that a statement waits for a row lock, at most


class LoginSource(Protocol):
    """Source of the login; after `forget`, `get` fetches it again."""

    def get(self) -> Login: ...
    def forget(self) -> None: ...


class MySql:
    """One connection per process."""

    def __init__(
        self,
        login: LoginSource,
        timeout: float = 8,  # seconds of a read or a write; and until the last retry starts, 8 at most
        client_flag: int = 0,  # flags of the protocol, such as `CLIENT.MULTI_STATEMENTS`
        idle: int = IDLE,  # seconds after which the server ends an idle session
    ) -> None:
        self._login = login
        self._timeout = timeout
        self._retry_timeout = min(timeout, MAX_RETRY_TIMEOUT)
        self._client_flag = client_flag
        self._idle = idle
        self._used_at = 0.0
        self.id_step = 1  # difference between consecutive ids that the server generates
        self._connection: Connection[Cursor] | None = None

    def run(self, work: Callable[[Cursor], T]) -> T:
        """Do work in a transaction and commit it; retry it after a lost connection or a deadlock.

        The work must be idempotent: after a lost connection it is unknown whether it was committed. Raises
        StoreUnavailableError if the database is unreachable or too busy, OrderRefusedError if it refuses the
        data.
        """
        return self._run(work, "START TRANSACTION")

    def read(self, work: Callable[[Cursor], T]) -> T:
        """Do read-only work in autocommit mode, with the errors of `run`."""
        return self._run(work)

    def select(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a read-only statement, with the errors of `run`."""

        def rows(cursor: Cursor) -> list[tuple[Any, ...]]:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

        return self.read(rows)

    def snapshot(self, work: Callable[[Cursor], T]) -> T:
        """Do read-only work in a consistent snapshot, with the errors of `run`."""
        return self._run(
            work,
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        )

    def _run(self, work: Callable[[Cursor], T], *begin: str) -> T:
        try:
            return self._retry(work, begin)
        except OrderRefusedError:
            self._rollback()
            raise
        except BaseException:
            # An open transaction would hold its locks while Lambda keeps the process.
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, in any state."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.open:
            try:
                connection.close()
            except pymysql.Error:
                connection._force_close()  # type: ignore[attr-defined]

    def _retry(self, work: Callable[[Cursor], T], begin: Sequence[str]) -> T:
        started = time.monotonic()
        refused = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._attempt(work, begin)
            except pymysql.Error as error:
                code = _code(error)
                if isinstance(error, pymysql.DataError | pymysql.IntegrityError) or code in REFUSED:
                    raise OrderRefusedError(f"MySQL error {code}") from error
                last = attempt == ATTEMPTS or time.monotonic() - started > self._retry_timeout
                # Do not retry if a login that was just fetched is refused as well.
                if last or (refused and code in LOGIN_REFUSED) or not self._prepare_retry(code, attempt):
                    # The number only: the driver's text may have the names of user and host.
                    raise StoreUnavailableError(f"MySQL error {code}") from error
                refused = refused or code in LOGIN_REFUSED
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _attempt(self, work: Callable[[Cursor], T], begin: Sequence[str]) -> T:
        if time.monotonic() - self._used_at > self._idle - RECONNECT_BEFORE:
            self.close()
        if self._connection is None:
            self._connection = self._connect(self._login.get())
            self._used_at = time.monotonic()
        with self._connection.cursor() as cursor:
            for statement in begin:
                cursor.execute(statement)
            result = work(cursor)
        if begin:
            self._connection.commit()
        self._used_at = time.monotonic()
        return result

    def _prepare_retry(self, code: int, attempt: int) -> bool:
        """Prepare a retry after an error; return whether one can help."""
        if code in CONTENDED:
            self._rollback()
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311
            return True
        self.close()
        # The login may have changed, and after a restore the host.
        if code in LOGIN_REFUSED or code == CR.CR_CONN_HOST_ERROR:
            self._login.forget()
        return code in LOST | LOGIN_REFUSED

    def _rollback(self) -> None:
        try:
            if self._connection is not None:
                self._connection.rollback()
        except pymysql.Error:
            self.close()

    def _connect(self, login: Login) -> Connection[Cursor]:
        # Shorter than the read timeout, so that waiting for a lock is not taken for a lost connection.
        wait = max(1, int(self._timeout) - 3)
        connection = pymysql.connect(
            host=login.host,
            port=login.port,
            user=login.username,
            password=login.password,
            database=login.database,
            charset="utf8mb4",
            connect_timeout=min(self._timeout, MAX_CONNECT_TIMEOUT),
            read_timeout=self._timeout,
            write_timeout=self._timeout,
            autocommit=True,
            init_command=SESSION.format(row_lock=min(LOCK_WAIT, wait), table_lock=wait, idle=self._idle),
            client_flag=self._client_flag,
            ssl=ssl.create_default_context(cafile=CERTIFICATE_AUTHORITY),
        )
        with connection.cursor() as cursor:
            cursor.execute(ISOLATION)
            cursor.execute("SELECT @@auto_increment_increment")
            ((self.id_step,),) = cursor.fetchall()
        return connection


def naive(moment: datetime) -> datetime:
    """Return a time in naive UTC, since PyMySQL drops tzinfo."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def text(moment: datetime | None) -> str | None:
    """Return a time as text: formatting datetimes takes PyMySQL half of an insert's time."""
    return None if moment is None else naive(moment).isoformat(" ", "milliseconds")


def _code(error: pymysql.Error) -> int:
    code = error.args[0] if error.args else 0
    return code if isinstance(code, int) else 0
