"""The schema, from nothing and from every table that the documents' readers have."""

from __future__ import annotations

import dataclasses
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

from orders.order import Order
from stores.mysql import migrations, users
from stores.mysql.connection import MySql
from stores.mysql.migrations import Migration
from stores.mysql.orders import OrdersDatabase
from stores.mysql.status import StatusDatabase
from tests.stores import MIGRATIONS, FixedLogin, Server, number_of

ALL = migrations.read(MIGRATIONS)
OLD_TABLES = {
    "the first document's": "",
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


def test_a_schema_is_made_from_nothing(master: MySql) -> None:
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
    }


def test_a_second_run_changes_nothing(master: MySql) -> None:
    migrations.migrate(master, ALL)
    before = shape(master)
    assert migrations.migrate(master, ALL) == []
    assert shape(master) == before


@pytest.mark.parametrize("columns", OLD_TABLES.values(), ids=OLD_TABLES)
def test_an_old_table_keeps_its_rows_and_takes_orders(master: MySql, columns: str) -> None:
    create_old_table(master, columns)
    migrations.migrate(master, ALL)
    assert rows(master, "SELECT order_id, customer_name, item, quantity FROM orders ORDER BY id") == [
        ("row-1", "Zoë", "Latte", 2),
        ("row-2", None, "Tea", 1),
    ]
    database = OrdersDatabase(master, UTC)
    database.record([Order("o1", datetime(2026, 11, 22, tzinfo=UTC), "☕" * 100, 1, "😀" * 100)])
    assert number_of(database) == 3


def test_rows_that_never_had_a_time_get_none(master: MySql) -> None:
    create_old_table(master, "")
    migrations.migrate(master, ALL)
    assert [row["created_at"] for row in StatusDatabase(master).recent(datetime.now(UTC), 5)] == [
        None,
        None,
    ]


def test_rows_keep_the_time_that_they_had(master: MySql) -> None:
    create_old_table(master, ", created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP")
    rows(master, "UPDATE orders SET created_at = '2025-05-03 12:00:00'")
    migrations.migrate(master, ALL)
    times = [row["created_at"] for row in StatusDatabase(master).recent(datetime.now(UTC), 5)]
    assert times == [datetime(2025, 5, 3, 12, tzinfo=UTC)] * 2


def test_an_older_worker_goes_on_inserting(master: MySql) -> None:
    create_old_table(master, "")
    migrations.migrate(master, ALL)
    rows(master, "INSERT INTO orders (customer_name, item, quantity) VALUES ('Bob', 'Tea', 1)")
    assert rows(master, "SELECT order_id, created_at IS NOT NULL FROM orders WHERE id = 3") == [(None, 1)]


@pytest.mark.parametrize("columns", OLD_TABLES.values(), ids=OLD_TABLES)
def test_a_migration_that_stopped_anywhere_is_finished_by_the_next(master: MySql, columns: str) -> None:
    create_old_table(master, columns)
    migrations.migrate(master, ALL[:1])
    statements = re.split(r"(?<=;)\n", ALL[1].sql)
    for end in range(1, len(statements)):
        halfway = "\n".join(statements[:end])
        stopped = [ALL[0], Migration(2, "stopped", halfway + "\nSELECT * FROM no_such_table;")]
        with pytest.raises(Exception, match="1146"):
            migrations.migrate(master, stopped)
    assert migrations.migrate(master, ALL) == [migration.name for migration in ALL[1:]]
    assert rows(master, "SELECT COUNT(*) FROM orders WHERE order_id IS NOT NULL") == [(2,)]


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


@pytest.mark.parametrize("names", [["1_x.sql"], ["0002_x.sql"], ["0001_a.sql", "0001_b.sql"], ["0001-x.sql"]])
def test_a_wrongly_numbered_migration_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="migration"):
        migrations.read(tmp_path)


def test_migrations_use_no_word_that_only_one_of_mysql_and_mariadb_knows() -> None:
    only_one = re.compile(
        r"COLUMN IF NOT EXISTS|INDEX IF NOT EXISTS|RETURNING|CREATE OR REPLACE TABLE", re.IGNORECASE
    )
    for migration in ALL:
        code = re.sub(r"--.*", "", migration.sql)
        assert not only_one.search(code), migration.name
