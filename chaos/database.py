"""Connections to the local stack's database, its faults, and their repair."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import pymysql
from pymysql.cursors import Cursor

from cli.errors import SetUpError
from cli.stack import Database
from local import control
from local.database.instance import tls_context
from local.errors import LocalError

CONNECT_TIMEOUT = 30  # seconds
CHANGE_TIMEOUT = 120.0  # seconds until it has stopped or started: a tenth of a second on an idle machine
READ_TIMEOUT = 120  # seconds for a statement
FEWEST_CONNECTIONS = 10  # the smallest limit that the server accepts
APPLICATION_USER = "cafe_user"
UNLOCK = f"ALTER USER {APPLICATION_USER}@'%' ACCOUNT UNLOCK"


def connect(database: Database, user: str = "", password: str = "") -> "pymysql.Connection[Cursor]":
    """Connect over TLS, with autocommit; by default as the tools' user."""
    return pymysql.connect(
        host=database.host,
        port=database.port,
        user=user or database.user,
        password=password or database.password,
        database=database.name,
        ssl=tls_context(database.ca),
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        autocommit=True,
    )


class DatabaseFaults:
    """Stops, locks and fills the database; `master` is the login of the master user."""

    def __init__(self, database: Database, master: tuple[str, str], directory: Path) -> None:
        self._database = database
        self._master = master
        self._directory = directory
        self.times_killed = 0

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Kill the server, and start it again on its data."""
        control.send(self._directory, control.Request.KILL_DATABASE)
        _wait_until(lambda: not self._responds(), "The database does not stop.")
        self.times_killed += 1
        try:
            yield
        finally:
            self.start()

    def start(self) -> None:
        """Start the server unless it runs, and wait until it responds."""
        control.send(self._directory, control.Request.START_DATABASE)
        _wait_until(self._responds, "The database does not start.")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Refuse the application's login."""
        with self._as_master() as cursor:
            cursor.execute(f"ALTER USER {APPLICATION_USER}@'%' ACCOUNT LOCK")
            _cut_connections(cursor)
        try:
            yield
        finally:
            with self._as_master() as cursor:
                cursor.execute(UNLOCK)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leave no connection to the application."""
        before = self.max_connections()
        with ExitStack() as taken:
            # The server accepts one connection more than the limit, of the master user.
            cursor = taken.enter_context(self._as_master())
            cursor.execute("SET GLOBAL max_connections = %s", (FEWEST_CONNECTIONS,))
            try:
                _cut_connections(cursor)
                for _ in range(FEWEST_CONNECTIONS):
                    with suppress(pymysql.OperationalError):  # the application has the last one
                        taken.enter_context(connect(self._database))
                yield
            finally:
                cursor.execute("SET GLOBAL max_connections = %s", (before,))

    def max_connections(self) -> int:
        """Return the limit of connections; raise SetUpError if the database does not respond."""
        try:
            with self._as_master() as cursor:
                return _value(cursor, "SELECT @@GLOBAL.max_connections")
        except pymysql.OperationalError as error:
            raise SetUpError(
                f"The database does not respond (MySQL error {error.args[0]}): "
                "`make chaos ARGS=--repair` repairs it."
            ) from error

    def repair(self, max_connections: int | None = None) -> list[str]:
        """Undo the faults that are found, and return a sentence for each; restore a limit of connections."""
        found = []
        if not self._responds():
            self.start()
            found.append("the database did not respond")
        with self._as_master() as cursor:
            if max_connections is not None:
                cursor.execute("SET GLOBAL max_connections = %s", (max_connections,))
            cursor.execute(f"SHOW CREATE USER {APPLICATION_USER}@'%'")
            if "ACCOUNT LOCK" in str(cursor.fetchone()):
                cursor.execute(UNLOCK)
                found.append("the database refused the application's login")
            if _value(cursor, "SELECT @@GLOBAL.read_only"):
                cursor.execute("SET GLOBAL read_only = 0")
                found.append("the database was read-only")
        return found

    def _responds(self) -> bool:
        try:
            connect(self._database, *self._master).close()
        except pymysql.OperationalError:
            return False
        return True

    @contextmanager
    def _as_master(self) -> Iterator[Cursor]:
        with connect(self._database, *self._master) as connection, connection.cursor() as cursor:
            yield cursor


def _value(cursor: Cursor, statement: str) -> int:
    cursor.execute(statement)
    return int((cursor.fetchone() or (0,))[0])


def _cut_connections(cursor: Cursor) -> None:
    cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", (APPLICATION_USER,))
    for (connection,) in cursor.fetchall():
        with suppress(pymysql.OperationalError):  # it has ended
            cursor.execute("KILL %s", (connection,))


def _wait_until(condition: Callable[[], bool], sentence: str) -> None:
    deadline = monotonic() + CHANGE_TIMEOUT
    while not condition():
        if monotonic() > deadline:
            raise LocalError(sentence)
        sleep(0.02)
