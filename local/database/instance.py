"""Creation of a database with its master user, as RDS does for a new instance."""

from __future__ import annotations

import dataclasses
import re
import secrets
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import ER

from local.database.server import Administrator
from local.errors import LocalError

# Seconds until a service must be ready: it takes one or two, and many times that on a busy machine. A service
# that exits is noticed at once.
START_TIMEOUT = 300.0
# Errors of a server that is not listening yet, or closes the connection.
_NOT_READY = (2002, 2003, 2013)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def tls_context(authority: str | Path) -> ssl.SSLContext:
    """Return a context that trusts only the local CA, whatever the environment."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=authority)
    return context


@dataclass(frozen=True, kw_only=True)
class Login:
    """A login for clients; `ca` is the path of the CA certificate, since TLS may be required."""

    host: str
    port: int
    user: str
    password: str = dataclasses.field(repr=False)
    name: str
    ca: str


class Database:
    """The local database server.

    Parameters
    ----------
    parameters
        File of SQL that the server runs at every start; without it, parameters are lost when it exits.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        port: int,
        administrator: Administrator,
        authority: Path,
        parameters: Path | None = None,
    ) -> None:
        self.port = port
        self.product = ""  # such as MySQL 9.7.0, once an instance exists
        self.login: Login | None = None  # for tools and tests, once an instance exists
        self._administrator = administrator
        self._authority = authority
        self._parameters = parameters

    def wait(self, timeout: float) -> str:
        """Wait until the server is ready, at most `timeout` seconds; return its product and version.

        Raises
        ------
        LocalError
            It is not ready in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                with self._connect() as connection, connection.cursor() as cursor:
                    cursor.execute("SELECT VERSION()")
                    version = "".join(map(str, cursor.fetchone() or ()))
                    return f"{'MariaDB' if 'MariaDB' in version else 'MySQL'} {version}"
            except pymysql.err.OperationalError as error:
                if error.args[0] not in _NOT_READY or time.monotonic() > deadline:
                    raise LocalError(f"The database does not respond: {error.args[1]}") from error
                time.sleep(0.02)

    def create(self, name: str, *, user: str, password: str, parameters: Mapping[str, str]) -> None:
        """Create a database and its master user, and set the parameters that this server knows."""
        if not _NAME.fullmatch(name):
            raise LocalError(f"{name!r} is not a valid name of a database.")
        tools = Login(
            host=self.host,
            port=self.port,
            user="cafe_local",
            password=secrets.token_hex(16),
            name=name,
            ca=str(self._authority),
        )
        self.product = self.wait(START_TIMEOUT)
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{name}`")
            cursor.execute("CREATE USER %s@'127.0.0.1' IDENTIFIED BY %s", (user, password))
            cursor.execute("GRANT ALL PRIVILEGES ON *.* TO %s@'127.0.0.1' WITH GRANT OPTION", (user,))
            cursor.execute("CREATE USER %s@'127.0.0.1' IDENTIFIED BY %s", (tools.user, tools.password))
            cursor.execute(f"GRANT ALL PRIVILEGES ON `{name}`.* TO %s@'127.0.0.1'", (tools.user,))
            for parameter, value in parameters.items():
                self._set_parameter(cursor, parameter, value)
        self.login = tools

    def _set_parameter(self, cursor: Any, parameter: str, value: str) -> None:
        """Set a parameter, now and at every start; skip one that this server does not know."""
        if not _NAME.fullmatch(parameter):
            raise LocalError(f"{parameter!r} is not a valid name of a parameter.")
        statement = (f"SET GLOBAL {parameter} = %s", (int(value) if value.isdigit() else value,))
        try:
            cursor.execute(*statement)
        except pymysql.err.OperationalError as error:
            if error.args[0] != ER.UNKNOWN_SYSTEM_VARIABLE:
                raise
            return
        if self._parameters is not None:
            with self._parameters.open("a", encoding="utf-8") as file:
                file.write(f"{cursor.mogrify(*statement)};\n")

    def _connect(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self._administrator.user,
            password=self._administrator.password,
            ssl=tls_context(self._authority),
            autocommit=True,
            connect_timeout=30,
            read_timeout=120,
            write_timeout=120,
        )
