"""Queries of the order status: the right figures, with as many reads in a large table as in a small one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymysql.cursors import Cursor

from orders import counters
from orders.order import Order
from stores.mysql import status as mysql_status
from stores.mysql.connection import MySql
from stores.mysql.login import Login
from stores.mysql.orders import OrdersDatabase
from stores.mysql.status import StatusDatabase
from tests.stores import BERLIN, FixedLogin, Server

NOW = datetime.now(UTC).replace(minute=20, second=0, microsecond=0)


@pytest.fixture
def status_mysql(status_login: Login) -> Iterator[MySql]:
    """A connection as the status's user."""
    mysql = MySql(FixedLogin(status_login))
    yield mysql
    mysql.close()


@pytest.fixture
def status(status_mysql: MySql) -> StatusDatabase:
    return StatusDatabase(status_mysql)


def record(database: OrdersDatabase, *orders: Order) -> None:
    database.record(sorted(orders, key=lambda order: order.order_id))


def order(order_id: str, ago: timedelta = timedelta(0), item: str = "Latte", quantity: int = 1) -> Order:
    return Order(order_id, NOW - ago, item, quantity)


def ids(status: StatusDatabase, limit: int = 20) -> list[Any]:
    return [each["order_id"] for each in status.recent(NOW, limit)]


def test_the_latest_orders_come_first(status: StatusDatabase, database: OrdersDatabase) -> None:
    record(database, *(order(f"o{ago}", timedelta(minutes=ago)) for ago in range(30)))
    assert ids(status) == [f"o{ago}" for ago in range(20)]
    assert status.recent(NOW, 1) == [
        {"order_id": "o0", "customer_name": "Guest", "item": "Latte", "quantity": 1, "created_at": NOW}
    ]


def test_of_orders_with_the_same_time_the_last_inserted_comes_first(
    status: StatusDatabase, database: OrdersDatabase
) -> None:
    for order_id in ("b", "c", "a"):
        record(database, order(order_id))
    assert ids(status, 2) == ["a", "c"]


def test_orders_in_the_future_are_left_out_and_rows_without_a_time_come_last(
    status: StatusDatabase, database: OrdersDatabase, mysql: MySql
) -> None:
    record(database, order("now"), order("later", -timedelta(milliseconds=1)), order("old", timedelta(9999)))
    mysql.run(lambda c: c.execute("INSERT INTO orders (order_id, created_at) VALUES ('legacy', NULL)"))
    assert ids(status) == ["now", "old", "legacy"]
    assert status.recent(NOW, 3)[2] == {
        "order_id": "legacy",
        "customer_name": None,
        "item": None,
        "quantity": None,
        "created_at": None,
    }


def test_the_top_items_are_those_of_the_current_hour_and_the_23_before(
    status: StatusDatabase, database: OrdersDatabase
) -> None:
    hour = timedelta(hours=1)
    record(
        database,
        order("1", item="Latte", quantity=3),
        order("2", 23 * hour, item="Tea", quantity=2),
        order("3", item="Tea", quantity=2),
        order("4", 23 * hour + timedelta(minutes=21), item="Tea", quantity=100),
        order("5", -hour, item="Latte", quantity=100),
    )
    assert status.top_items(NOW, 5) == [{"item": "Tea", "quantity": 4}, {"item": "Latte", "quantity": 3}]
    assert status.top_items(NOW, 1) == [{"item": "Tea", "quantity": 4}]


def test_items_are_distinct_by_their_exact_names(status: StatusDatabase, database: OrdersDatabase) -> None:
    items = ["Tea", "Tea ", "tea", "A#B", "%", "Café ☕", "\U0001f375" * 100]
    record(database, *(order(f"o{n}", item=item, quantity=9 - n) for n, item in enumerate(items)))
    assert [each["item"] for each in status.top_items(NOW, 9)] == items


def test_items_with_equal_quantities_are_sorted_by_name(
    status: StatusDatabase, database: OrdersDatabase
) -> None:
    record(database, *(order(f"o{n}", item=item) for n, item in enumerate(["C", "A", "B"])))
    assert [each["item"] for each in status.top_items(NOW, 2)] == ["A", "B"]


def test_an_item_corrected_to_zero_is_not_a_top_item(
    status: StatusDatabase, database: OrdersDatabase, mysql: MySql
) -> None:
    record(database, order("o1", item="Latte"), order("o2", item="Tea"))
    mysql.run(lambda c: c.execute("UPDATE counters SET value = 0 WHERE name LIKE '%%#Tea'"))
    assert status.top_items(NOW, 5) == [{"item": "Latte", "quantity": 1}]


def test_with_too_many_items_the_latest_hours_count(
    status: StatusDatabase, database: OrdersDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_status, "MAX_ITEM_HOURS", 3)
    record(database, *(order(f"o{ago}", timedelta(hours=ago), item=f"Item {ago}") for ago in range(5)))
    assert [each["item"] for each in status.top_items(NOW, 5)] == ["Item 0", "Item 1", "Item 2"]


def test_counters_are_read_by_name(status: StatusDatabase, database: OrdersDatabase) -> None:
    record(database, order("o1"), order("o2", timedelta(minutes=5)), order("o3", timedelta(minutes=6)))
    quarter, before = counters.quarter_name(NOW), counters.quarter_name(NOW - timedelta(minutes=15))
    assert status.values([quarter, before, "QUARTER#2020-01-01T00:00"]) == {quarter: 2, before: 1}


def reads(mysql: MySql, work: Callable[[], object]) -> int:
    """Return how many times the server read from an index or a table."""

    def count(cursor: Cursor) -> int:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%%'")
        return sum(int(value) for _, value in cursor.fetchall())

    work()  # the reads of the table's definition do not count
    before = mysql.read(count)
    work()
    return mysql.read(count) - before


def test_a_thousand_times_as_many_orders_need_no_more_reads(
    status: StatusDatabase, status_mysql: MySql, database: OrdersDatabase, server: Server
) -> None:
    def everything() -> None:
        status.recent(NOW, 20)
        status.top_items(NOW, 5)
        status.values(counters.same_time_yesterday(NOW, BERLIN))

    def fill(number: int) -> None:
        seconds = 48 * 3600 / number
        some = [
            order(f"{number}-{n}", timedelta(seconds=n * seconds), item=f"Item {n % 3}")
            for n in range(number)
        ]
        record(database, *some)
        # The server plans by statistics, which it updates at any time.
        with server.connect("cafe_db") as connection, connection.cursor() as cursor:
            cursor.execute("ANALYZE TABLE orders, counters")

    fill(300)  # an order per hour and item, and per quarter
    few = reads(status_mysql, everything)
    fill(20_000)
    many = reads(status_mysql, everything)
    assert few - 10 <= many <= few + 10
    quarters = len(counters.same_time_yesterday(NOW, BERLIN))  # of the day until now
    assert many < 20 + 3 * 24 * 5 + 8 * quarters
