"""What an order costs the worker: statements, calls and time, against the first document's worker.

    python -m bench.worker [--orders 600]

MariaDB is real, over TLS. DynamoDB is a stand-in that takes as long for a call as AWS does from a function
in the same region, and counts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pymysql
from pymysql.constants import CLIENT
from rich.console import Console
from rich.table import Table

import stores.mysql.connection
from orders.ledger import Ledger
from orders.order import Order
from stores.dynamodb.tables import OrdersTables
from stores.mysql import migrations
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.mysql.secret import Login
from tests.stores import MIGRATIONS, NAMES, FixedLogin, running_server

WRITE, TRANSACTION = 0.004, 0.012  # seconds; a transaction is two rounds
ITEMS = ("Latte", "Tea", "Coffee", "Mocha")


class DynamoDb:
    """Takes its time and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def update_item(self, **_: Any) -> None:
        self.calls += 1
        time.sleep(WRITE)

    def transact_write_items(self, **_: Any) -> None:
        self.calls += 1
        time.sleep(TRANSACTION)


@contextmanager
def database() -> Iterator[Login]:
    """Run a MariaDB with the schema."""
    with (
        tempfile.TemporaryDirectory() as directory,
        running_server(Path(directory)) as server,
        mock.patch.object(stores.mysql.connection, "CERTIFICATE_AUTHORITY", server.authority),
    ):
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE cafe_db")
        mysql = MySql(FixedLogin(server.login), client_flag=CLIENT.MULTI_STATEMENTS)
        migrations.migrate(mysql, migrations.read(MIGRATIONS))
        mysql.close()
        yield server.login


@contextmanager
def counted_statements() -> Iterator[list[int]]:
    """Count what goes to the server, logins included."""
    count = [0]
    send = pymysql.connections.Connection._execute_command  # type: ignore[attr-defined]

    def spy(self: Any, command: int, sql: Any) -> None:
        count[0] += 1
        send(self, command, sql)

    with mock.patch.object(pymysql.connections.Connection, "_execute_command", spy):
        yield count


def documents_worker(orders: Sequence[Order], batch_size: int, login: Login, dynamodb: DynamoDb) -> None:
    """What the first document's worker does: a connection per invocation, and order by order."""
    for batch in batches(orders, batch_size):
        connection = pymysql.connect(
            host=login.host,
            port=login.port,
            user=login.username,
            password=login.password,
            database=login.database,
            ssl_ca=str(stores.mysql.connection.CERTIFICATE_AUTHORITY),
        )
        with connection, connection.cursor() as cursor:
            for order in batch:
                cursor.execute(
                    "INSERT INTO orders (customer_name, item, quantity) VALUES (%s, %s, %s)",
                    (order.customer_name, order.item, order.quantity),
                )
                connection.commit()
                dynamodb.update_item()
                dynamodb.update_item()


def our_worker(orders: Sequence[Order], batch_size: int, login: Login, dynamodb: DynamoDb) -> None:
    """Record batches in the ledger."""
    mysql = MySql(FixedLogin(login))
    ledger = Ledger(OrdersDatabase(mysql), OrdersTables(NAMES, ZoneInfo("UTC"), dynamodb))
    for batch in batches(orders, batch_size):
        failures = ledger.record(batch)
        assert not failures, failures
    mysql.close()


def batches(orders: Sequence[Order], size: int) -> Iterator[Sequence[Order]]:
    """Cut into batches."""
    return (orders[start : start + size] for start in range(0, len(orders), size))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What an order costs the worker.")
    parser.add_argument("--orders", type=int, default=600, help="orders for each way (default 600)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    numbers = itertools.count()
    results = []
    with database() as login, counted_statements() as statements:
        for name, worker, size in (
            ("the first document's", documents_worker, 10),
            ("ours", our_worker, 1),
            ("ours", our_worker, 10),
            ("ours", our_worker, 100),
        ):
            now = datetime.now(UTC)
            orders = [
                Order(f"bench-{next(numbers)}", now, ITEMS[n % 4], 1, "Ann") for n in range(options.orders)
            ]
            dynamodb, statements[0] = DynamoDb(), 0
            began = time.perf_counter()
            worker(orders, size, login, dynamodb)
            seconds = time.perf_counter() - began
            results.append((name, size, statements[0] / len(orders), dynamodb.calls / len(orders), seconds))
    show(results, as_json=options.json)


def show(results: list[tuple[str, int, float, float, float]], *, as_json: bool) -> None:
    """Print the figures per order, and the time as a ratio to the first line's."""
    base = results[0][4]
    if as_json:
        keys = ("worker", "batch", "statements", "dynamodb_calls", "time_ratio")
        print(json.dumps([dict(zip(keys, (*row[:4], row[4] / base), strict=True)) for row in results]))
        return
    table = Table("worker", "batch", "SQL statements / order", "DynamoDB calls / order", "time, ratio")
    for name, size, sql, calls, seconds in results:
        table.add_row(name, str(size), f"{sql:.2f}", f"{calls:.2f}", f"{seconds / base:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
