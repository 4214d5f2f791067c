"""The schema, from nothing and from the tables of earlier systems."""

from __future__ import annotations

import dataclasses
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

from orders.audit import audit
from orders.failures import SchemaError, StoreUnavailableError
from orders.order import Order
from stores.mysql import migrations, users, widening
from stores.mysql.audit import AuditDatabase
from stores.mysql.connection import MySql
from stores.mysql.login import Login
from stores.mysql.orders import OrdersDatabase
from stores.mysql.status import StatusDatabase
from tests.stores import MIGRATIONS, FixedLogin, Server, number_of

ALL = migrations.read(MIGRATIONS)
UTC_ZONE = ZoneInfo("UTC")
OLD_TABLES = {
    "plain": "",
    "with a time": ", created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP",
    "with a table number": ", table_number INT",
    "with an identity": ", order_id VARCHAR(100)",
    "with room": ", note VARCHAR(20), created_at DATETIME(6)",
}


def rows(mysql: MySql, sql: str) -> list[Any]:
    def select(cursor: Cursor) -> list[Any]:
        cursor.execute(sql)
        return list(cursor.fetchall())

    return mysql.run(select)


def shape(mysql: MySql) -> list[Any]:
    columns = (
        "SELECT column_name, column_type, collation_name, column_default FROM information_schema.columns"
        " WHERE table_schema = 'cafe_db' AND table_name = 'orders' ORDER BY column_name"
    )
    indexes = (
        "SELECT index_name, seq_in_index, column_name FROM information_schema.statistics"
        " WHERE table_schema = 'cafe_db' AND table_name = 'orders' ORDER BY 1, 2"
    )
    return [rows(mysql, columns), rows(mysql, indexes)]


def create_old_table(mysql: MySql, columns: str, charset: str = "latin1") -> None:
    rows(
        mysql,
        "CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, customer_name VARCHAR(100), "
        f"item VARCHAR(50), quantity INT{columns}) CHARSET {charset}",
    )
    rows(
        mysql,
        "INSERT INTO orders (customer_name, item, quantity) VALUES ('Zoë', 'Latte', 2), (NULL, 'Tea', 1)",
    )


def test_a_schema_is_created_from_nothing(master: MySql) -> None:
    assert migrations.migrate(master, ALL) == [migration.name for migration in ALL]
    assert {name for name, *_ in shape(master)[0]} == {
        "id",
        "order_id",
        "created_at",
        "customer_name",
        "item",
        "quantity",
        "attributes",
        "recorded_in",
        "state",
        "state_version",
        "state_at",
        "ready_at",
    }


def test_a_second_run_changes_nothing(master: MySql) -> None:
    migrations.migrate(master, ALL)
    before = shape(master)
    assert migrations.migrate(master, ALL) == []
    assert shape(master) == before


def test_rows_that_an_earlier_migration_would_refuse_do_not_block_a_later_one(master: MySql) -> None:
    migrations.migrate(master, ALL)
    rows(master, widening.WIDEN)
    rows(
        master,
        "INSERT INTO orders (order_id, item, quantity, created_at) VALUES ('x', 'Tea', 1, '2040-01-01')",
    )
    later = migrations.Migration(len(ALL) + 1, "later", "DO 0")
    assert migrations.migrate(master, [*ALL, later]) == ["later"]


@pytest.mark.parametrize("columns", OLD_TABLES.values(), ids=OLD_TABLES)
def test_an_old_table_keeps_its_rows_and_accepts_orders(master: MySql, columns: str) -> None:
    create_old_table(master, columns)
    migrations.migrate(master, ALL)
    assert rows(master, "SELECT order_id, customer_name, item, quantity FROM orders ORDER BY id") == [
        ("row-1", "Zoë", "Latte", 2),
        ("row-2", None, "Tea", 1),
    ]
    database = OrdersDatabase(master, UTC)
    database.record([Order("o1", datetime(2026, 11, 22, tzinfo=UTC), "☕" * 100, 1, "😀" * 100)])
    assert number_of(database) == 3


def test_rows_without_a_time_get_none(master: MySql) -> None:
    create_old_table(master, "")
    migrations.migrate(master, ALL)
    assert [row["created_at"] for row in StatusDatabase(master).recent(datetime.now(UTC), 5)] == [
        None,
        None,
    ]


def test_rows_keep_their_time(master: MySql) -> None:
    create_old_table(master, ", created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP")
    rows(master, "UPDATE orders SET created_at = '2025-05-03 12:00:00'")
    migrations.migrate(master, ALL)
    times = [row["created_at"] for row in StatusDatabase(master).recent(datetime.now(UTC), 5)]
    assert times == [datetime(2025, 5, 3, 12, tzinfo=UTC)] * 2


def test_an_older_worker_continues_to_insert(master: MySql) -> None:
    create_old_table(master, "")
    migrations.migrate(master, ALL)
    rows(master, "INSERT INTO orders (customer_name, item, quantity) VALUES ('Bob', 'Tea', 1)")
    assert rows(master, "SELECT order_id, created_at IS NOT NULL FROM orders WHERE id = 3") == [(None, 1)]


@pytest.mark.parametrize("columns", OLD_TABLES.values(), ids=OLD_TABLES)
def test_an_interrupted_migration_is_finished_by_the_next_one(
    master: MySql, empty_database: Server, columns: str
) -> None:
    create_old_table(master, columns)
    for migration in ALL[1:]:
        statements = re.split(r"(?<=;)\n", migration.sql)
        for end in range(1, len(statements)):
            with (
                empty_database.connect("cafe_db", CLIENT.MULTI_STATEMENTS) as stopped,
                stopped.cursor() as cursor,
            ):
                cursor.execute("\n".join(statements[:end]))
                while cursor.nextset():
                    pass
    assert migrations.migrate(master, ALL) == [migration.name for migration in ALL]
    assert rows(master, "SELECT COUNT(*), SUM(recorded_in) FROM orders WHERE order_id IS NOT NULL") == [
        (2, 0)
    ]


def test_existing_rows_count_as_counted_and_later_ones_do_not(master: MySql) -> None:
    create_old_table(master, "")
    migrations.migrate(master, ALL)
    rows(master, "INSERT INTO orders (customer_name, item, quantity) VALUES ('Bob', 'Tea', 1)")
    assert rows(master, "SELECT recorded_in FROM orders ORDER BY id") == [(0,), (0,), (None,)]


def test_a_row_without_an_id_stays_without_an_id_and_uncounted(master: MySql) -> None:
    migrations.migrate(master, ALL[:2])
    rows(master, "INSERT INTO orders (customer_name, item, quantity) VALUES ('Bob', 'Tea', 1)")
    migrations.migrate(master, ALL)
    assert rows(master, "SELECT order_id, recorded_in FROM orders") == [(None, None)]


def test_a_row_inserted_during_the_migration_is_counted_once(master: MySql, empty_database: Server) -> None:
    migrations.migrate(master, ALL[:2])
    done = threading.Event()

    def insert() -> None:
        with empty_database.connect("cafe_db") as connection, connection.cursor() as cursor:
            while not done.is_set():
                cursor.execute("INSERT INTO orders (order_id, item, quantity) VALUES (UUID(), 'Tea', 1)")

    older_worker = threading.Thread(target=insert)
    older_worker.start()
    try:
        migrations.migrate(master, ALL)
        audit(AuditDatabase(master), UTC_ZONE, lambda: 60)
    finally:
        done.set()
        older_worker.join()
    uncounted = rows(master, "SELECT COUNT(*) FROM orders WHERE recorded_in IS NULL")
    total = rows(master, "SELECT value FROM counters WHERE name = 'TOTAL_ORDERS'")
    assert uncounted[0][0] > 0
    assert rows(master, "SELECT COUNT(*) FROM orders") == [(uncounted[0][0] + total[0][0],)]


def test_earlier_rows_have_no_state_and_later_ones_are_without_their_first_one(master: MySql) -> None:
    migrations.migrate(master, ALL[:3])
    insert = "INSERT INTO orders (order_id, item, quantity) VALUES ('{}', 'Tea', 1)"
    rows(master, insert.format("before"))
    migrations.migrate(master, ALL)
    rows(master, insert.format("after"))
    assert rows(master, "SELECT order_id, state, state_version, state_at FROM orders") == [
        ("before", None, 0, None),
        ("after", None, 1, None),
    ]


def test_rows_inserted_while_the_migration_is_interrupted_get_their_first_state(
    master: MySql, empty_database: Server
) -> None:
    migrations.migrate(master, ALL[:3])
    insert = "INSERT INTO orders (order_id, item, quantity, created_at) VALUES ('{}', 'Tea', 1, '2026-11-26')"
    rows(master, insert.format("before"))
    added = re.split(r"(?<=EXECUTE change_table;)\n", ALL[3].sql)[0]
    with empty_database.connect("cafe_db", CLIENT.MULTI_STATEMENTS) as stopped, stopped.cursor() as cursor:
        cursor.execute(added)
        while cursor.nextset():
            pass
    rows(master, insert.format("meanwhile"))
    migrations.migrate(master, ALL)
    assert rows(master, "SELECT order_id, state, state_version, state_at FROM orders") == [
        ("before", None, 0, None),
        ("meanwhile", "received", 1, datetime(2026, 11, 26)),  # noqa: DTZ001
    ]


def test_orders_do_not_wait_for_a_migration_that_waits_for_a_transaction(
    master: MySql, empty_database: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "TABLE_LOCK_WAIT", 1)
    monkeypatch.setattr(migrations, "TABLE_LOCK_ATTEMPTS", 2)
    monkeypatch.setattr(migrations, "TABLE_LOCK_PAUSE", 0)
    migrations.migrate(master, ALL[:2])
    with empty_database.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT * FROM orders")
        with pytest.raises(SchemaError, match="A transaction uses the table `orders` and does not end"):
            migrations.migrate(master, ALL)
        rows(master, "INSERT INTO orders (order_id, item, quantity) VALUES ('o1', 'Tea', 1)")
    assert migrations.migrate(master, ALL) == [migration.name for migration in ALL[2:]]


def test_concurrent_migrations_run_one_after_the_other(master: MySql, empty_database: Server) -> None:
    applied: list[str] = []

    def migrate() -> None:
        mysql = MySql(FixedLogin(empty_database.login), client_flag=CLIENT.MULTI_STATEMENTS)
        applied.extend(migrations.migrate(mysql, ALL))
        mysql.close()

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert applied == [migration.name for migration in ALL]


def test_the_error_names_a_migration_that_does_not_end(
    master: MySql, empty_database: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_WAIT", 0)
    with empty_database.connect() as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (migrations.LOCK,))
        with pytest.raises(StoreUnavailableError, match="Another migration"):
            migrations.migrate(master, ALL)


def test_the_pages_user_can_only_read_and_has_few_connections(master: MySql, empty_database: Server) -> None:
    migrations.migrate(master, ALL)
    login = dataclasses.replace(empty_database.login, username="cafe_status", password="first")
    users.set_up_status(master, login)
    grants = [grant for (grant,) in rows(master, "SHOW GRANTS FOR cafe_status@'%'")]
    assert grants[1:] == [r"GRANT SELECT ON `cafe\_db`.* TO `cafe_status`@`%`"]
    limits = "SELECT ssl_type, max_user_connections FROM mysql.user WHERE user = 'cafe_status'"
    assert rows(master, limits) == [("ANY", 20)]
    user = MySql(FixedLogin(login))
    assert number_of(OrdersDatabase(user, UTC)) == 0
    with pytest.raises(StoreUnavailableError, match="1142"):
        user.run(lambda cursor: cursor.execute("DELETE FROM counters"))


def test_the_user_gets_a_new_password_and_rights_on_its_database_alone(
    master: MySql, empty_database: Server
) -> None:
    migrations.migrate(master, ALL)
    login = dataclasses.replace(empty_database.login, username="cafe_user", password="first")
    users.set_up_worker(master, login)
    users.set_up_worker(master, dataclasses.replace(login, password="second"))
    grants = [grant for (grant,) in rows(master, "SHOW GRANTS FOR cafe_user@'%'")]
    assert rows(master, "SELECT ssl_type FROM mysql.user WHERE user = 'cafe_user'") == [("ANY",)]
    assert set(grants[1:]) == {
        r"GRANT SELECT, INSERT, UPDATE ON `cafe\_db`.* TO `cafe_user`@`%`",
        "GRANT DELETE ON `cafe_db`.`counters` TO `cafe_user`@`%`",
    }
    user = MySql(FixedLogin(dataclasses.replace(login, password="second")))
    assert number_of(OrdersDatabase(user, UTC)) == 0


def test_rights_are_on_the_database_where_names_in_grants_are_literal() -> None:
    """As MySQL does with `partial_revokes`, which MariaDB lacks."""
    statements: list[str] = []

    class Literal:
        def execute(self, statement: str, _values: object = None) -> None:
            statements.append(statement)

        def fetchall(self) -> list[tuple[str, str]]:
            return [("partial_revokes", "ON")]

    class Master:
        def read(self, work: Any) -> None:
            work(Literal())

    login = Login("db", 3306, "cafe_user", "a password", "cafe_db")
    users.set_up_worker(Master(), login)  # type: ignore[arg-type]
    users.set_up_status(Master(), login)  # type: ignore[arg-type]
    grants = [statement for statement in statements if statement.startswith("GRANT")]
    assert [grant.split(" ON ")[1].split(" TO ")[0] for grant in grants] == [
        "`cafe_db`.*",
        "`cafe_db`.counters",
        "`cafe_db`.*",
    ]


@pytest.mark.parametrize("names", [["1_x.sql"], ["0002_x.sql"], ["0001_a.sql", "0001_b.sql"], ["0001-x.sql"]])
def test_a_wrongly_numbered_migration_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="migration"):
        migrations.read(tmp_path)


def test_migrations_use_only_keywords_that_mysql_and_mariadb_share() -> None:
    only_one = re.compile(
        r"COLUMN IF NOT EXISTS|INDEX IF NOT EXISTS|RETURNING|CREATE OR REPLACE TABLE", re.IGNORECASE
    )
    for migration in ALL:
        code = re.sub(r"--.*", "", migration.sql)
        assert not only_one.search(code), migration.name
