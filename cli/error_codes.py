"""Explanations of the errors that the worker and the reconciler report: MySQL's codes, IAM's refusals."""

import re

DENIED = "the function's role lacks a permission"
LOCKED = "a lock on the table or on rows did not end in time"
SCHEMA = "the schema is not the one that the worker needs"
# https://dev.mysql.com/doc/mysql-errors/8.4/en/ and https://mariadb.com/kb/en/mariadb-error-code-reference/
CODES = {
    "the database is read-only": (1290, 1792, 1836),
    LOCKED: (1205,),
    SCHEMA: (1049, 1054, 1146),
    "the database's storage is full": (1021, 1114),
    "the database has no connection left": (1040, 1203, 1226),  # 1226: this user has none
    "the database has no memory left": (1041,),
    "the database is shutting down": (1053,),
    "the database is not reachable": (2002, 2003, 2005),
    "the database ended the connection": (1927, 2006),
    "the database did not respond in time, or ended the connection": (2013,),
    # 3118 and 4151: the account is locked, in MySQL and in MariaDB
    "the database refuses the login": (1044, 1045, 1142, 1862, 3118, 4151),
    "transactions kept blocking each other": (1213,),
    "the table's ids are used up: cafe database widen": (167, 1467),  # MariaDB, MySQL
}
MEANINGS = {code: meaning for meaning, codes in CODES.items() for code in codes}
NUMBER = re.compile(r"MySQL error (\d+)")


def explain(reason: str) -> str:
    """Return a reason with its meaning in parentheses, if that is known."""
    return f"{reason} ({meaning})" if (meaning := meaning_of(reason)) else reason


def meaning_of(reason: str) -> str | None:
    """Return the meaning of a reason; None if it is unknown."""
    if "AccessDenied" in reason:  # with `Exception` after it from DynamoDB and Secrets Manager
        return DENIED
    found = NUMBER.search(reason)
    return MEANINGS.get(int(found[1])) if found else None
