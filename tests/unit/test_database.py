"""Orders in MySQL, on a real server over TLS."""

from __future__ import annotations

import dataclasses
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pymysql
import pytest
from pymysql.constants import CR, ER
from pymysql.cursors import Cursor

from orders.errors import OrderRefusedError, StoreUnavailableError
from orders.order import Order
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.mysql.secret import Login
from tests.stores import FixedLogin, Server, number_of

NOW = datetime(2026, 11, 22, 14, 5, 6, 789000, UTC)


def orders(*ids: str, item: str = "Latte") -> list[Order]:
    return [Order(order_id, NOW, item, 2, "Ann") for order_id in ids]


@pytest.fixture
def database(mysql: MySql) -> OrdersDatabase:
    return OrdersDatabase(mysql)


def test_an_order_is_kept_as_it_is(database: OrdersDatabase, mysql: MySql) -> None:
    attributes = {"table_number": 4, "n": Decimal("0.1"), "big": 10**30}
    order = Order("O:1", NOW, "Café crème ☕", 3, "Zoë 😀 <b>", attributes)
    database.insert([order])
    # A second message of the order makes the database tell what it has.
    assert database.insert([Order("O:1", NOW + timedelta(days=1), "Tea", 1)]) == [order]


def test_a_batch_is_one_statement_and_one_commit(
    database: OrdersDatabase, mysql: MySql, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = mysql.run(lambda cursor: cursor.connection)
    sent: list[str] = []
    send = connection._execute_command  # type: ignore[attr-defined]

    def spy(command: int, sql: str | bytes) -> None:
        sent.append(sql.decode() if isinstance(sql, bytes) else sql)
        send(command, sql)

    monkeypatch.setattr(connection, "_execute_command", spy)
    database.insert(orders(*"abcdefghij"))
    assert [sql.split()[0] for sql in sent] == ["INSERT", "COMMIT"]


def test_an_order_that_is_there_is_not_written_again(database: OrdersDatabase) -> None:
    database.insert(orders("o1", "o2"))
    kept = database.insert(orders("o2", "o3", item="Tea"))
    assert {order.order_id: order.item for order in kept} == {"o2": "Latte", "o3": "Tea"}
    assert number_of(database) == 3


def test_orders_that_differ_in_case_alone_are_two(database: OrdersDatabase) -> None:
    database.insert(orders("a1", "A1"))
    assert number_of(database) == 2


def test_the_latest_orders_come_first(database: OrdersDatabase) -> None:
    database.insert([Order(f"o{n}", NOW + timedelta(seconds=n), "Tea", 1) for n in range(30)])
    recent = database.recent(NOW + timedelta(minutes=1), 20)
    assert [row["order_id"] for row in recent] == [f"o{n}" for n in range(29, 9, -1)]
    assert recent[0]["created_at"] == NOW + timedelta(seconds=29)


@pytest.mark.parametrize("query", ["recent", "top_items", "count"])
def test_reading_does_not_go_through_the_whole_table(
    database: OrdersDatabase, mysql: MySql, query: str
) -> None:
    database.insert([Order(f"o{n}", NOW - timedelta(hours=n), f"item {n % 9}", 1) for n in range(3000)])
    mysql.run(lambda cursor: cursor.execute("ANALYZE TABLE orders"))

    def rows_read(cursor: Cursor) -> int:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())

    before = mysql.run(rows_read)
    if query == "recent":
        database.recent(NOW + timedelta(minutes=1), 20)
    elif query == "top_items":
        database.top_items(NOW - timedelta(hours=24), NOW, 5)
    else:
        assert database.count(NOW - timedelta(hours=25), NOW - timedelta(hours=24)) == 1
    assert mysql.run(rows_read) - before < 200


def test_an_order_dated_in_the_future_is_not_among_the_latest(database: OrdersDatabase) -> None:
    years = timedelta(days=3650)
    database.insert([Order("future", NOW + years, "Tea", 9), *orders("o1"), Order("untimed", None, "Tea", 1)])
    assert [row["order_id"] for row in database.recent(NOW, 20)] == ["o1", "untimed"]
    assert database.top_items(NOW - timedelta(days=1), NOW, 5) == [{"item": "Latte", "quantity": 2}]


@pytest.mark.usefixtures("rows_that_are_no_orders")
def test_the_items_ordered_most_are_summed(database: OrdersDatabase) -> None:
    database.insert(
        [*orders("o1", "o2"), *orders("o3", item="latte"), Order("o4", NOW - timedelta(days=2), "Tea", 9)]
    )
    assert database.top_items(NOW - timedelta(days=1), NOW, 5) == [
        {"item": "Latte", "quantity": 4},
        {"item": "latte", "quantity": 2},
    ]


@pytest.fixture
def rows_that_are_no_orders(database: OrdersDatabase, server: Server) -> None:
    """Rows of the time before, which no counter has."""
    now = NOW.replace(tzinfo=None)
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders (created_at, item) VALUES (%s, 'Tea')", (now,))
        cursor.execute("INSERT INTO orders (created_at, quantity) VALUES (%s, 1)", (now,))


@pytest.mark.usefixtures("rows_that_are_no_orders")
def test_the_orders_of_a_period_are_counted_from_its_start_to_before_its_end(
    database: OrdersDatabase,
) -> None:
    hour = timedelta(hours=1)
    database.insert([Order(f"o{n}", NOW + n * hour, "Tea", 1) for n in range(4)])
    assert database.count(NOW, NOW + 3 * hour) == 3
    in_berlin = NOW.astimezone(ZoneInfo("Europe/Berlin"))
    assert database.count(in_berlin, in_berlin + hour) == 1


def test_a_connection_that_was_cut_is_made_again(
    database: OrdersDatabase, mysql: MySql, server: Server
) -> None:
    def connection_id(cursor: Cursor) -> int:
        cursor.execute("SELECT CONNECTION_ID()")
        return int((cursor.fetchone() or (0,))[0])

    to_kill = mysql.run(connection_id)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"KILL {to_kill}")
    database.insert(orders("o1"))
    assert number_of(database) == 1


def test_a_connection_that_a_lost_process_left_behind_ends_within_minutes(mysql: MySql) -> None:
    def idle(cursor: Cursor) -> int:
        cursor.execute("SELECT @@SESSION.wait_timeout")
        return int((cursor.fetchone() or (0,))[0])

    assert mysql.run(idle) <= 600


def test_a_commit_whose_answer_got_lost_is_not_written_twice(mysql: MySql, database: OrdersDatabase) -> None:
    connection: Any = mysql.run(lambda cursor: cursor.connection)
    commit, connection.commit = connection.commit, None

    def commit_and_lose() -> None:
        commit()
        raise pymysql.OperationalError(CR.CR_SERVER_LOST, "lost")

    connection.commit = commit_and_lose
    assert len(database.insert(orders("o1", "o2"))) == 2
    assert number_of(database) == 2


@pytest.mark.parametrize("code", [ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, CR.CR_SERVER_GONE_ERROR])
def test_what_passes_is_tried_again(mysql: MySql, code: int) -> None:
    attempts: list[int] = []

    def work(cursor: Cursor) -> str:
        attempts.append(1)
        if len(attempts) < 3:
            raise pymysql.OperationalError(code, "passing")
        return "done"

    assert mysql.run(work) == "done"


def test_two_workers_that_write_the_same_orders_write_them_once(
    database: OrdersDatabase, empty_database: Server
) -> None:
    ids = [f"o{n}" for n in range(50)]
    others = [OrdersDatabase(MySql(FixedLogin(empty_database.login))) for _ in range(4)]
    threads = [threading.Thread(target=other.insert, args=[orders(*ids)]) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert number_of(database) == 50


def test_a_password_that_was_changed_is_fetched_again(empty_database: Server, mysql: MySql) -> None:
    class Rotated(FixedLogin):
        def get(self) -> Any:
            return (
                self.login
                if self.forgotten
                else type(self.login)("127.0.0.1", self.login.port, "x", "y", "z")
            )

    login = Rotated(empty_database.login)
    assert number_of(OrdersDatabase(MySql(login))) == 0
    assert login.forgotten == 1


def test_a_database_that_moved_is_found_by_the_next_batch(empty_database: Server, mysql: MySql) -> None:
    class Moved(FixedLogin):
        def get(self) -> Login:
            return self.login if self.forgotten else dataclasses.replace(self.login, port=1)

    database = OrdersDatabase(MySql(Moved(empty_database.login)))
    with pytest.raises(StoreUnavailableError):
        number_of(database)
    assert number_of(database) == 0


def test_a_database_that_is_away_is_reported_without_its_address(mysql: MySql, server: Server) -> None:
    away = type(server.login)("127.0.0.1", 1, "cafe_user", "a password", "cafe_db")
    with pytest.raises(StoreUnavailableError) as caught:
        number_of(OrdersDatabase(MySql(FixedLogin(away))))
    assert str(caught.value) == f"MySQL error {CR.CR_CONN_HOST_ERROR}"


def test_a_server_with_another_authoritys_certificate_is_not_trusted(
    mysql: MySql, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any authority but the server's.
    roots = "functions/rds_roots/us-east-1.pem"
    monkeypatch.setattr("stores.mysql.connection.CERTIFICATE_AUTHORITY", roots)
    with pytest.raises(StoreUnavailableError):
        number_of(OrdersDatabase(MySql(FixedLogin(server.login))))


def test_what_the_table_cannot_hold_is_refused(database: OrdersDatabase) -> None:
    with pytest.raises(OrderRefusedError):
        database.insert([*orders("o1"), Order("o2", NOW, "x" * 101, 1)])
    assert number_of(database) == 0


@pytest.mark.parametrize(
    "statement", ["DELETE FROM orders", "DROP TABLE orders", "CREATE TABLE more (id INT)"]
)
def test_the_applications_user_can_neither_delete_nor_change_tables(mysql: MySql, statement: str) -> None:
    with pytest.raises(StoreUnavailableError, match=str(ER.TABLEACCESS_DENIED_ERROR)):
        mysql.run(lambda cursor: cursor.execute(statement))
