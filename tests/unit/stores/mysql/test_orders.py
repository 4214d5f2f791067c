"""Orders in MySQL, on a real server over TLS."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pymysql
import pytest
from pymysql.constants import CR, ER
from pymysql.cursors import Cursor

from orders.failures import OrderRefusedError, StoreUnavailableError, is_final
from orders.ledger import Ledger
from orders.order import Order
from stores.mysql import widening
from stores.mysql.connection import MySql
from stores.mysql.login import Login
from stores.mysql.orders import OrdersDatabase, first_number
from tests.stores import BERLIN, FixedLogin, Server, number_of

NOW = datetime(2026, 11, 22, 14, 5, 6, 789000, UTC)


def orders(*ids: str, item: str = "Latte") -> list[Order]:
    return [Order(order_id, NOW, item, 2, "Ann") for order_id in ids]


def kept(database: OrdersDatabase, order_id: str) -> Order | None:
    """Return the order that the table has under an id."""
    return database.record([Order(order_id, NOW, "another item", 1)])[order_id]


def counted(mysql: MySql) -> dict[str, int]:
    """Return all counters."""

    def select(cursor: Cursor) -> dict[str, int]:
        cursor.execute("SELECT name, value FROM counters")
        return {name.decode(): value for name, value in cursor}

    return mysql.read(select)


def versions(mysql: MySql) -> dict[str, int]:
    """Return the versions of all counters."""

    def select(cursor: Cursor) -> dict[str, int]:
        cursor.execute("SELECT name, version FROM counters")
        return {name.decode(): version for name, version in cursor}

    return mysql.read(select)


def statements(mysql: MySql, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which the first word of each statement is added from now on."""
    connection: Any = mysql.read(lambda cursor: cursor.connection)
    sent: list[str] = []
    send = connection._execute_command

    def spy(command: int, sql: str | bytes) -> None:
        sent.append((sql.decode() if isinstance(sql, bytes) else sql).split()[0])
        send(command, sql)

    monkeypatch.setattr(connection, "_execute_command", spy)
    return sent


def test_an_order_is_stored_unchanged(database: OrdersDatabase) -> None:
    attributes = {"table_number": 4, "n": Decimal("0.1"), "big": 10**30}
    order = Order("O:1", NOW, "Café crème ☕", 3, "Zoë 😀 <b>", attributes)
    assert database.record([order]) == {"O:1": order}
    assert kept(database, "O:1") == order


def test_a_batch_of_new_orders_is_two_statements_in_a_transaction(
    database: OrdersDatabase, mysql: MySql, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = statements(mysql, monkeypatch)
    database.record(orders(*"abcdefghij"))
    assert sent == ["START", "INSERT", "INSERT", "COMMIT"]


def test_a_batch_without_a_new_order_locks_no_counter(
    database: OrdersDatabase, mysql: MySql, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.record(orders("o1"))
    sent = statements(mysql, monkeypatch)
    database.record(orders("o1"))
    assert sent == ["START", "INSERT", "SELECT", "COMMIT"]


def test_an_existing_order_is_not_written_again(database: OrdersDatabase) -> None:
    database.record(orders("o1", "o2"))
    found = database.record(orders("o2", "o3", item="Tea"))
    assert {order_id: order.item for order_id, order in found.items() if order} == {
        "o2": "Latte",
        "o3": "Tea",
    }
    assert number_of(database) == 3


def test_orders_have_their_row_ids_with_any_auto_increment_step(
    administrator: MySql, new_mysql: Callable[[], MySql]
) -> None:
    def step(number: int) -> None:
        administrator.run(lambda cursor: cursor.execute(f"SET GLOBAL auto_increment_increment = {number}"))

    step(7)
    try:
        mysql = new_mysql()
        found = OrdersDatabase(mysql, BERLIN).record(orders("o1", "o2", "o3"))
    finally:
        step(1)

    def rows(cursor: Cursor) -> dict[str, int]:
        cursor.execute("SELECT order_id, id FROM orders")
        return dict(cursor.fetchall())

    assert {order_id: order.row_id for order_id, order in found.items() if order} == mysql.read(rows)


def test_only_new_orders_are_counted(database: OrdersDatabase, mysql: MySql) -> None:
    in_this_hour = datetime.now(UTC)
    for batch in (["o1", "o2"], ["o2", "o3"], ["o1"]):
        database.record([Order(order_id, in_this_hour, "Café ☕", 2) for order_id in batch])
    berlin = in_this_hour.astimezone(BERLIN)
    quarter = f"{in_this_hour:%Y-%m-%dT%H}:{in_this_hour.minute // 15 * 15:02}"
    assert counted(mysql) == {
        "TOTAL_ORDERS": 3,
        f"ORDERS#{berlin:%Y-%m-%d}": 3,
        f"ORDERS#{berlin:%Y-%m-%dT%H}": 3,
        f"QUARTER#{quarter}": 3,
        "ITEM#Café ☕": 6,
        f"ITEM_HOUR#{in_this_hour:%Y-%m-%dT%H}#Café ☕": 6,
    }


def test_items_that_differ_in_case_or_in_trailing_spaces_are_counted_separately(
    database: OrdersDatabase, mysql: MySql
) -> None:
    for number, item in enumerate(["Tea", "tea", "Tea "]):
        database.record(orders(f"o{number}", item=item))
    assert {counted(mysql)[f"ITEM#{item}"] for item in ["Tea", "tea", "Tea "]} == {2}


def test_counters_are_read_by_name_with_their_versions(database: OrdersDatabase) -> None:
    database.record(orders("o1"))
    found = database.counted(["TOTAL_ORDERS", "ITEM#Latte", "ITEM#none"])
    assert {name: counter.value for name, counter in found.items()} == {"TOTAL_ORDERS": 1, "ITEM#Latte": 2}
    assert database.counted([]) == {}
    # Microseconds since the epoch, by the server's clock.
    for counter in found.values():
        assert abs(counter.version / 1_000_000 - time.time()) < 3600


def test_a_version_increases_with_every_change_even_if_the_clock_stops(
    database: OrdersDatabase, mysql: MySql
) -> None:
    # As if both orders arrived in the same microsecond: the clock of this session is stopped.
    mysql.read(lambda cursor: cursor.execute("SET @@timestamp = 1700000000"))
    database.record(orders("o1"))
    first = versions(mysql)["TOTAL_ORDERS"]
    database.record(orders("o2"))
    assert versions(mysql)["TOTAL_ORDERS"] == first + 1
    assert first == 1_700_000_000_000_000


def test_a_version_increases_when_the_clock_goes_back(database: OrdersDatabase, mysql: MySql) -> None:
    database.record(orders("o1"))
    first = versions(mysql)["TOTAL_ORDERS"]
    mysql.read(lambda cursor: cursor.execute("SET @@timestamp = 1700000000"))
    database.record(orders("o2"))
    assert versions(mysql)["TOTAL_ORDERS"] == first + 1


def test_each_transaction_has_a_number_that_begins_with_the_second(
    database: OrdersDatabase, mysql: MySql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.mysql.orders.time.time", lambda: 1_800_000_000.9)
    database.record(orders("o1", "o2"))
    database.record(orders("o2", "o3"))

    def select(cursor: Cursor) -> dict[str, int]:
        cursor.execute("SELECT order_id, recorded_in FROM orders")
        return dict(cursor.fetchall())

    numbers = mysql.read(select)
    assert numbers["o1"] == numbers["o2"] != numbers["o3"]
    assert {number >> 31 for number in numbers.values()} == {1_800_000_000}
    assert first_number(1_800_000_000.9) == 1_800_000_000 << 31


def test_an_uncounted_row_is_not_counted_with_its_message(
    database: OrdersDatabase, mysql: MySql, server: Server
) -> None:
    # As the previous release's worker leaves it.
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders (order_id, created_at, item, quantity) VALUES ('o1', NULL, 'Tea', 3),"
            " ('o2', NULL, NULL, 1), ('o3', NULL, '', 1), ('o4', NULL, 'Tea', NULL)"
        )
    found = database.record(orders("o1", "o2", "o3", "o4", "o5"))
    assert found["o1"] == Order("o1", None, "Tea", 3)
    assert [found[order_id] for order_id in ("o2", "o3", "o4")] == [None, None, None]
    assert counted(mysql)["TOTAL_ORDERS"] == 1


def test_ids_that_differ_only_in_case_are_two_orders(database: OrdersDatabase) -> None:
    database.record(orders("A1", "a1"))
    assert number_of(database) == 2


def test_a_cut_connection_is_opened_again(database: OrdersDatabase, mysql: MySql, server: Server) -> None:
    def connection_id(cursor: Cursor) -> int:
        cursor.execute("SELECT CONNECTION_ID()")
        return int((cursor.fetchone() or (0,))[0])

    to_kill = mysql.run(connection_id)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"KILL {to_kill}")
    database.record(orders("o1"))
    assert number_of(database) == 1


def test_an_idle_session_ends_in_time_for_others_to_resume_within_thirty_seconds(mysql: MySql) -> None:
    def idle(cursor: Cursor) -> int:
        cursor.execute("SELECT @@SESSION.wait_timeout")
        return int((cursor.fetchone() or (0,))[0])

    assert mysql.read(idle) == 25


def test_a_session_that_may_have_ended_is_not_used(mysql: MySql, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr("stores.mysql.connection.time.monotonic", lambda: now)
    first = mysql.read(lambda cursor: cursor.connection)
    now += 20
    assert mysql.read(lambda cursor: cursor.connection) is first
    now += 20.1
    assert mysql.read(lambda cursor: cursor.connection) is not first


def test_a_commit_whose_response_was_lost_is_neither_written_nor_counted_twice(
    mysql: MySql, database: OrdersDatabase
) -> None:
    connection: Any = mysql.run(lambda cursor: cursor.connection)
    commit, connection.commit = connection.commit, None

    def commit_and_lose() -> None:
        commit()
        raise pymysql.OperationalError(CR.CR_SERVER_LOST, "lost")

    connection.commit = commit_and_lose
    assert len(database.record(orders("o1", "o2"))) == 2
    assert number_of(database) == counted(mysql)["TOTAL_ORDERS"] == 2


@pytest.mark.parametrize(
    "error",
    [
        pymysql.OperationalError(ER.LOCK_DEADLOCK, "transient"),
        pymysql.OperationalError(ER.LOCK_WAIT_TIMEOUT, "transient"),
        pymysql.OperationalError(CR.CR_SERVER_GONE_ERROR, "transient"),
        # PyMySQL's own errors of a broken connection have no number.
        pymysql.InternalError("Packet sequence number wrong"),
        pymysql.InterfaceError(),
    ],
)
def test_a_transient_error_is_retried(mysql: MySql, error: pymysql.Error) -> None:
    attempts: list[int] = []

    def work(cursor: Cursor) -> str:
        attempts.append(1)
        if len(attempts) < 3:
            raise error
        return "done"

    assert mysql.run(work) == "done"


def test_a_deadlock_is_retried_on_the_same_connection_after_growing_pauses(
    mysql: MySql, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    connections: list[int] = []
    monkeypatch.setattr("stores.mysql.connection.time.sleep", pauses.append)
    monkeypatch.setattr("stores.mysql.connection.random.uniform", lambda _shortest, longest: longest)

    def work(cursor: Cursor) -> None:
        connections.append(cursor.connection.thread_id())  # type: ignore[no-untyped-call]
        raise pymysql.OperationalError(ER.LOCK_DEADLOCK, "")

    with pytest.raises(StoreUnavailableError, match=str(ER.LOCK_DEADLOCK)):
        mysql.run(work)
    assert pauses == [0.1, 0.2, 0.4]
    assert connections == [connections[0]] * 4


def test_only_the_order_that_a_constraint_of_the_earlier_system_refuses_fails(
    ledger: Ledger, administrator: MySql
) -> None:
    administrator.read(lambda cursor: cursor.execute("ALTER TABLE orders ADD CHECK (quantity < 500)"))
    failures = ledger.record({"m1": Order("1", NOW, "Tea", 1), "m2": Order("2", NOW, "Tea", 600)})
    assert failures.keys() == {"m2"}
    assert is_final(failures["m2"])


def test_a_table_whose_ids_are_used_up_refuses_new_orders_until_it_is_widened(
    ledger: Ledger, administrator: MySql
) -> None:
    administrator.read(lambda cursor: cursor.execute("ALTER TABLE orders AUTO_INCREMENT = 2147483646"))
    batch = {order_id: Order(order_id, NOW, "Tea", 1) for order_id in ("1", "2", "3")}
    for order_id in ("1", "2"):
        assert ledger.record({order_id: batch[order_id]}) == {}
    # MariaDB may report 167.
    assert ledger.record({"3": batch["3"]})["3"] in {"MySQL error 1467", "MySQL error 167"}
    administrator.read(lambda cursor: cursor.execute(widening.WIDEN))
    assert ledger.record(batch) == {}


def test_a_changed_password_is_fetched_again(server: Server, mysql: MySql) -> None:
    class Rotated(FixedLogin):
        def get(self) -> Any:
            return (
                self.login
                if self.forgotten
                else type(self.login)("127.0.0.1", self.login.port, "x", "y", "z")
            )

    login = Rotated(server.login)
    assert number_of(OrdersDatabase(MySql(login), UTC)) == 0
    assert login.forgotten == 1


def test_a_password_that_is_wrong_after_it_was_fetched_again_is_an_error(
    server: Server, mysql: MySql
) -> None:
    login = FixedLogin(dataclasses.replace(server.login, password="another password"))
    with pytest.raises(StoreUnavailableError, match=str(ER.ACCESS_DENIED_ERROR)):
        number_of(OrdersDatabase(MySql(login), UTC))
    assert login.forgotten == 1


def test_a_database_that_moved_is_found_by_the_next_batch(server: Server, mysql: MySql) -> None:
    class Moved(FixedLogin):
        def get(self) -> Login:
            return self.login if self.forgotten else dataclasses.replace(self.login, port=1)

    database = OrdersDatabase(MySql(Moved(server.login)), UTC)
    with pytest.raises(StoreUnavailableError):
        number_of(database)
    assert number_of(database) == 0


def test_an_unreachable_database_is_reported_without_its_address(mysql: MySql, server: Server) -> None:
    unreachable = type(server.login)("127.0.0.1", 1, "cafe_user", "a password", "cafe_db")
    with pytest.raises(StoreUnavailableError) as caught:
        number_of(OrdersDatabase(MySql(FixedLogin(unreachable)), UTC))
    assert str(caught.value) == f"MySQL error {CR.CR_CONN_HOST_ERROR}"


def test_a_certificate_of_another_authority_is_not_trusted(
    mysql: MySql, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any authority but the server's.
    roots = "functions/rds_roots/us-east-1.pem"
    monkeypatch.setattr("stores.mysql.connection.CERTIFICATE_AUTHORITY", roots)
    with pytest.raises(StoreUnavailableError):
        number_of(OrdersDatabase(MySql(FixedLogin(server.login)), UTC))


def test_an_order_that_the_table_cannot_hold_is_refused(database: OrdersDatabase, mysql: MySql) -> None:
    with pytest.raises(OrderRefusedError):
        database.record([*orders("o1"), Order("o2", NOW, "x" * 101, 1)])
    assert number_of(database) == 0
    assert counted(mysql) == {}


@pytest.mark.parametrize(
    "statement", ["DELETE FROM orders", "DROP TABLE orders", "CREATE TABLE more (id INT)"]
)
def test_the_applications_user_can_neither_delete_nor_change_tables(mysql: MySql, statement: str) -> None:
    with pytest.raises(StoreUnavailableError, match=str(ER.TABLEACCESS_DENIED_ERROR)):
        mysql.run(lambda cursor: cursor.execute(statement))
