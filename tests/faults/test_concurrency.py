"""Workers in threads on one database, ordered by the server's own locks alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pymysql
import pytest

from orders.counters import is_projected, tally
from orders.failures import Conflict
from orders.ledger import Ledger
from orders.order import Order
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.projection import Projection
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from tests.dynamodb import NAMES, DynamoDbTables
from tests.stores import BERLIN, FixedLogin

WORKERS = 4
ORDERS = 1500
ITEMS = ["Latte", "Tea", "Café crème ☕", "Mocha"]
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def logins(mysql: MySql) -> Iterator[list[MySql]]:
    """A connection for each worker."""
    login = mysql._login.get()
    connections = [MySql(FixedLogin(login)) for _ in range(WORKERS)]
    yield connections
    for connection in connections:
        connection.close()


def batches(seed: int) -> list[list[Order]]:
    """Return mostly the same orders for each worker, shuffled, and some under the id of another order."""
    choose = random.Random(seed)  # noqa: S311
    numbers = choose.sample(range(ORDERS), ORDERS * 9 // 10)
    sent = [_order(number) for number in numbers]
    sent += [_order(number, item="Another") for number in choose.sample(range(ORDERS), ORDERS // 20)]
    choose.shuffle(sent)
    cut = [0]
    while cut[-1] < len(sent):
        cut.append(cut[-1] + choose.choice([1, 5, 10, 40]))
    return [sent[start:end] for start, end in pairwise(cut)]


def _order(number: int, item: str = "") -> Order:
    sent_at = NOW - timedelta(minutes=number % 90)
    return Order(f"o{number}", sent_at, item or ITEMS[number % len(ITEMS)], 1 + number % 3)


def test_workers_that_record_the_same_orders_at_once_count_each_once(
    mysql: MySql, logins: Sequence[MySql]
) -> None:
    tables = DynamoDbTables()

    def work(number: int) -> dict[str, str]:
        database = OrdersDatabase(logins[number], BERLIN)
        ledger = Ledger(database, Projection(DynamoDb(client=tables), NAMES, BERLIN), BERLIN)
        failures: dict[str, str] = {}
        for batch in batches(number):
            failures |= ledger.record({f"{number}-{place}": order for place, order in enumerate(batch)})
        return failures

    with ThreadPoolExecutor(WORKERS) as threads:
        failures = [failure for found in threads.map(work, range(WORKERS)) for failure in found.values()]
    assert all(isinstance(failure, Conflict) for failure in failures)
    assert failures

    def read(cursor: pymysql.cursors.Cursor) -> tuple[list[Order], dict[str, tuple[int, int]]]:
        cursor.execute("SELECT order_id, created_at, item, quantity FROM orders")
        orders = [
            Order(order_id, sent_at.replace(tzinfo=UTC), item, quantity)
            for order_id, sent_at, item, quantity in cursor
        ]
        cursor.execute("SELECT name, value, version FROM counters")
        return orders, {name.decode(): (value, version) for name, value, version in cursor}

    orders, counted = mysql.read(read)
    assert len({order.order_id for order in orders}) == len(orders)
    assert {name: value for name, (value, _) in counted.items()} == tally(orders, BERLIN, datetime.now(UTC))
    projected = {
        (f"ITEM#{key}" if table == NAMES.menu else key): tuple(
            int(item[name]["N"]) for name in ("orders" if table == NAMES.menu else "count", "version")
        )
        for (table, key), item in tables.items.items()
        if table != NAMES.orders
    }
    assert projected == {name: counter for name, counter in counted.items() if is_projected(name)}
    in_dynamodb = {key: item for (table, key), item in tables.items.items() if table == NAMES.orders}
    assert {key: item["item"]["S"] for key, item in in_dynamodb.items()} == {
        order.order_id: order.item for order in orders
    }
