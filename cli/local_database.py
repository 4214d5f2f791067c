"""Connections to the local stack's database."""

import pymysql
from pymysql.cursors import Cursor

from cli.stack import Database
from local.database.instance import tls_context

CONNECT_TIMEOUT = 30  # seconds


def connect(
    database: Database, *, user: str = "", password: str = "", read_timeout: int = 30
) -> "pymysql.Connection[Cursor]":
    """Connect over TLS, with autocommit; by default as the tools' user. The timeout is in seconds."""
    return pymysql.connect(
        host=database.host,
        port=database.port,
        user=user or database.user,
        password=password or database.password,
        database=database.name,
        ssl=tls_context(database.ca),
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        autocommit=True,
    )
