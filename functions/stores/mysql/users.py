"""The functions' database users, with their passwords and privileges; both require TLS."""

from __future__ import annotations

from pymysql.cursors import Cursor

from stores.mysql.connection import MySql
from stores.mysql.login import Login

# Of the 60 connections of the smallest instance, so that readers of the page leave some to the worker.
STATUS_CONNECTIONS = 20


def set_up_worker(mysql: MySql, login: Login) -> None:
    """Create the worker's user, which may record orders and delete expired counters."""

    def grant(cursor: Cursor) -> None:
        _create(cursor, login)
        _grant(cursor, "SELECT, INSERT, UPDATE", f"{_pattern(cursor, login)}.*", login)
        _grant(cursor, "DELETE", f"`{login.database}`.counters", login)

    mysql.read(grant)


def set_up_status(mysql: MySql, login: Login) -> None:
    """Create the read-only user, with a limited number of connections."""

    def grant(cursor: Cursor) -> None:
        _create(cursor, login, f"WITH MAX_USER_CONNECTIONS {STATUS_CONNECTIONS}")
        _grant(cursor, "SELECT", f"{_pattern(cursor, login)}.*", login)

    mysql.read(grant)


def _create(cursor: Cursor, login: Login, limit: str = "") -> None:
    user = (login.username, login.password)
    cursor.execute(f"CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s REQUIRE SSL {limit}", user)
    cursor.execute(f"ALTER USER %s@'%%' IDENTIFIED BY %s REQUIRE SSL {limit}", user)


def _grant(cursor: Cursor, rights: str, where: str, login: Login) -> None:
    cursor.execute(f"GRANT {rights} ON {where} TO %s@'%%'", (login.username,))


def _pattern(cursor: Cursor, login: Login) -> str:
    """Return a database's name for a GRANT.

    An underscore is a wildcard there, which a backslash escapes, unless MySQL's `partial_revokes` is on, as
    it may be on RDS: then names are literal.
    """
    cursor.execute("SHOW GLOBAL VARIABLES LIKE 'partial_revokes'")
    is_literal = ("partial_revokes", "ON") in cursor.fetchall()
    return "`" + (login.database if is_literal else login.database.replace("_", r"\_")) + "`"
