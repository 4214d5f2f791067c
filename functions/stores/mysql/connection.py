"""Lazily opened connection to MySQL that reconnects, with the right mode, isolation and time zone."""

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

from orders.errors import OrderRefusedError, StoreUnavailableError
from stores.mysql.login import Login

T = TypeVar("T")

CERTIFICATE_AUTHORITY = Path(__file__).parents[2] / "rds-ca.pem"
# The parameter groups of MySQL and MariaDB differ; these hold on every connection.
SESSION = (
    "SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = {row_lock}, "
    "lock_wait_timeout = {table_lock}, wait_timeout = {idle}, "
    "sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,NO_ENGINE_SUBSTITUTION'"
)
# A variable has another name in each server, and this statement the same.
ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
# Seconds after which the server ends an idle session. A process that is frozen or killed between two
# statements holds the rows of the counters for no longer; others resume within 30 seconds.
IDLE = 25
RECONNECT_BEFORE = 5  # seconds; an older connection is not tried
LOST = {0, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST}
CONTENDED = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT}
# Constraints and triggers of a table that was there: of MySQL, of MariaDB, and by SIGNAL.
REFUSED = {3819, 4025, 1644}
LOGIN_REFUSED = {ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR}
ATTEMPTS = 4
MAX_CONNECT_TIMEOUT = 3.0  # seconds
LOCK_WAIT = 5  # seconds that a statement waits for another's rows, at most


class LoginSource(Protocol):
    """Source of the login; once the database refused it, `forget` lets `get` fetch it again."""

    def get(self) -> Login: ...
    def forget(self) -> None: ...


class MySql:
    """One connection per process."""

    def __init__(
        self,
        login: LoginSource,
        timeout: float = 8,  # seconds that connecting, a read or a write may take
        patience: float = 8,  # seconds after which no attempt starts: the function must end in time
        client_flag: int = 0,  # flags of the protocol, such as `CLIENT.MULTI_STATEMENTS`
        idle: int = IDLE,  # seconds after which the server ends the session if it is idle
    ) -> None:
        self._login = login
        self._timeout = timeout
        self._patience = patience
        self._client_flag = client_flag
        self._idle = idle
        self._used_at = 0.0
        self.id_step = 1  # between two ids that the server makes, in this session
        self._connection: Connection[Cursor] | None = None

    def run(self, work: Callable[[Cursor], T]) -> T:
        """Do work in one transaction and commit it; again where a lost connection or a deadlock stopped it.

        The work must be one that may be done twice: after a lost connection nobody knows whether it was.
        Raises StoreUnavailableError if the database cannot be reached or is too busy, OrderRefusedError if
        it refuses the data.
        """
        return self._run(work, "START TRANSACTION")

    def read(self, work: Callable[[Cursor], T]) -> T:
        """Do work that only reads, each statement by itself; raise what `run` raises."""
        return self._run(work)

    def select(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a statement that only reads; raise what `run` raises."""

        def rows(cursor: Cursor) -> list[tuple[Any, ...]]:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

        return self.read(rows)

    def snapshot(self, work: Callable[[Cursor], T]) -> T:
        """Do work that only reads, all of it as of one moment; raise what `run` raises."""
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
            # A transaction left open would hold its locks for as long as the idle process is kept.
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, whatever state it is in."""
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
                last = attempt == ATTEMPTS or time.monotonic() - started > self._patience
                # A login that was just fetched and is refused as well will not get any better.
                if last or (refused and code in LOGIN_REFUSED) or not self._prepare_retry(code, attempt):
                    # The driver's words may hold the user's and the host's name; the number says enough.
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
        """Do what the error asks for; tell whether trying again can help."""
        if code in CONTENDED:
            self._rollback()
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311
            return True
        self.close()
        # The login may be another one by now, and after a restore the host, too.
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
        # Shorter than the time that a read may take: the server's error tells a lock from a lost connection.
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
    """Return a time in UTC without a zone: PyMySQL drops the zone and keeps the digits."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _code(error: pymysql.Error) -> int:
    code = error.args[0] if error.args else 0
    return code if isinstance(code, int) else 0
