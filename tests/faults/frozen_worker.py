"""A worker's process that stops between its counters and COMMIT, until it gets SIGCONT."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pymysql.cursors import Cursor

import stores.mysql.connection
from orders.exact_json import decode
from orders.order import Order
from stores.mysql import counters
from stores.mysql.connection import MySql
from stores.mysql.login import Login
from stores.mysql.orders import OrdersDatabase

add = counters.add


class FixedLogin:
    """The login on the command line."""

    def __init__(self, values: dict[str, object]) -> None:
        self._login = Login(**values)  # type: ignore[arg-type]

    def get(self) -> Login:
        """Return it."""
        return self._login

    def forget(self) -> None:
        """Keep it."""


def add_and_stop(cursor: Cursor, numbers: Mapping[str, int]) -> None:
    """Add to the counters, which locks their rows, and stop; only the first time."""
    add(cursor, numbers)
    counters.add = add
    os.kill(os.getpid(), signal.SIGSTOP)


def main(authority: str, login: str, idle: str, *order_ids: str) -> None:
    """Record orders."""
    stores.mysql.connection.CERTIFICATE_AUTHORITY = Path(authority)
    counters.add = add_and_stop
    values = decode(login)
    assert isinstance(values, dict)
    mysql = MySql(FixedLogin(values), idle=int(idle))
    now = datetime.now(UTC)
    OrdersDatabase(mysql, UTC).record([Order(order_id, now, "Latte", 1) for order_id in order_ids])


if __name__ == "__main__":
    main(*sys.argv[1:])
