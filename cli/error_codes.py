"""Explanations of the errors that the worker and the reconciler report: MySQL's codes, IAM's refusals."""

from __future__ import annotations

import re

READ_ONLY, LOCKED = "the database is read-only", "a lock on the table or on rows did not end in time"
FULL, CONNECTIONS = "the database's storage is full", "the database has no connection left"
LOGIN, UNREACHABLE = "the database refuses the login", "the database is not reachable"
SCHEMA = "the schema is not the one that the worker needs"
DENIED = "the function's role lacks a permission"
# https://dev.mysql.com/doc/mysql-errors/8.4/en/ and https://mariadb.com/kb/en/mariadb-error-code-reference/
MYSQL = {
    1021: FULL,
    1040: CONNECTIONS,
    1041: "the database has no memory left",
    1044: LOGIN,
    1045: LOGIN,
    1049: SCHEMA,
    1053: "the database is shutting down",
    1054: SCHEMA,
    1114: FULL,
    1142: LOGIN,
    1146: SCHEMA,
    1203: CONNECTIONS,
    1205: LOCKED,
    1213: "transactions kept blocking each other",
    1226: CONNECTIONS,  # of this user
    1290: READ_ONLY,
    167: "the table's ids are used up: cafe database widen",  # MariaDB
    1467: "the table's ids are used up: cafe database widen",
    1792: READ_ONLY,
    1836: READ_ONLY,
    1862: LOGIN,
    1927: "the database ended the connection",
    2002: UNREACHABLE,
    2003: UNREACHABLE,
    2005: UNREACHABLE,
    2006: "the database ended the connection",
    2013: "the database did not respond in time, or ended the connection",
    3118: LOGIN,  # MySQL: the account is locked
    4151: LOGIN,  # MariaDB: the account is locked
}
NUMBER = re.compile(r"MySQL error (\d+)")


def explain(reason: str) -> str:
    """Return a reason with its meaning in parentheses, if that is known."""
    return f"{reason} ({meaning})" if (meaning := meaning_of(reason)) else reason


def meaning_of(reason: str) -> str | None:
    """Return the meaning of a reason; None if it is unknown."""
    if "AccessDenied" in reason:  # with `Exception` after it from DynamoDB and Secrets Manager
        return DENIED
    found = NUMBER.search(reason)
    return MYSQL.get(int(found[1])) if found else None
