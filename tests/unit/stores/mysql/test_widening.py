"""Ids beyond 2³¹ and times beyond 2038, in tables of every size."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pymysql
import pytest
from pymysql.constants import ER

import migrate_database
from orders.failures import SchemaError
from orders.order import Order
from stores.mysql import migrations, widening
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from tests.stores import MIGRATIONS, Server

LATE = Order("late", datetime(2100, 1, 1, 12, tzinfo=UTC), "Tea", 1)
HUGE = widening.Table(("id", "created_at"), 10**9, 10**12)
COLUMNS = (
    "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'cafe_db'"
    " AND table_name = 'orders' AND column_name IN ('id', 'created_at') ORDER BY column_name"
)


@pytest.fixture
def narrow(master: MySql) -> MySql:
    """A database with the previous release's table and two orders."""
    migrations.migrate(master, migrations.read(MIGRATIONS))
    insert = "INSERT INTO orders (order_id, created_at, item, quantity) VALUES"
    rows(master, f"{insert} ('o1', '2026-11-22 12:00', 'Tea', 1), ('o2', NULL, 'Tea', 1)")
    return master


def rows(mysql: MySql, sql: str) -> list[Any]:
    def select(cursor: Any) -> list[Any]:
        cursor.execute(sql)
        return list(cursor.fetchall())

    return mysql.read(select)


def at_deploy(mysql: MySql) -> list[str]:
    return migrations.locked(mysql, migrate_database._widen_small)


def test_a_small_table_is_widened_at_a_deploy_and_keeps_its_times(narrow: MySql) -> None:
    assert at_deploy(narrow) == []
    assert rows(narrow, COLUMNS) == [("created_at", "datetime"), ("id", "bigint")]
    assert rows(narrow, "SELECT order_id, created_at FROM orders ORDER BY id") == [
        ("o1", datetime(2026, 11, 22, 12)),  # noqa: DTZ001
        ("o2", None),
    ]
    rows(narrow, "ALTER TABLE orders AUTO_INCREMENT = 2147483648")
    assert OrdersDatabase(narrow, UTC).record([LATE]) == {"late": LATE}
    assert rows(narrow, "SELECT id FROM orders WHERE order_id = 'late'") == [(2**31,)]


def test_a_row_without_a_time_gets_that_of_utc_in_any_session(narrow: MySql, empty_database: Server) -> None:
    at_deploy(narrow)
    with empty_database.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+09:00'")
        cursor.execute("INSERT INTO orders (order_id, item, quantity) VALUES ('o3', 'Tea', 1)")
    now = "SELECT ABS(TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP())) < 600 FROM orders"
    assert rows(narrow, f"{now} WHERE order_id = 'o3'") == [(1,)]


def test_a_table_is_widened_once(narrow: MySql) -> None:
    at_deploy(narrow)
    assert narrow.read(widening.inspect) == widening.Table((), 0, 0)


def test_a_large_table_is_not_widened_and_works(narrow: MySql, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widening, "inspect", lambda _cursor: HUGE)
    assert at_deploy(narrow) == ["id", "created_at"]
    order = Order("o3", datetime(2026, 11, 22, tzinfo=UTC), "Tea", 1)
    assert OrdersDatabase(narrow, UTC).record([order]) == {"o3": order}


@pytest.mark.parametrize(
    ("table", "is_small"),
    [
        (widening.Table(("id",), 100_000, 0), True),
        (widening.Table(("id",), 100_001, 0), False),
        (widening.Table(("id",), 0, 10_000_000), True),
        (widening.Table(("id",), 0, 10_000_001), False),
        (widening.Table((), 0, 0), False),
        (widening.Table(("id",), 0, 0, ("key", "cups")), False),
    ],
)
def test_a_deploy_widens_a_table_that_takes_two_seconds(table: widening.Table, is_small: bool) -> None:
    assert table.is_small is is_small


class Cursor:
    """A cursor that only records its statements, or fails with an error number."""

    def __init__(self, error: int | None = None) -> None:
        self.error = error
        self.statements: list[str] = []

    def execute(self, statement: str) -> None:
        self.statements.append(statement)
        if self.error:
            raise pymysql.OperationalError(self.error, "")


@pytest.mark.parametrize(("rows", "size"), [(37_500_000, 0), (0, 3_750_000_000)])
def test_a_table_is_widened_up_to_the_timeout_of_a_function(rows: int, size: int) -> None:
    cursor: Any = Cursor()
    widening.widen(cursor, widening.Table(("id",), rows, size))
    assert cursor.statements == [widening.WIDEN]
    with pytest.raises(SchemaError, match="take about 13 minutes, longer than a function runs"):
        widening.widen(cursor, widening.Table(("id",), rows and rows + 1, size and size + 1))
    assert cursor.statements == [widening.WIDEN]


def test_a_lasting_lock_is_explained_and_another_error_is_raised_unchanged() -> None:
    locked: Any = Cursor(ER.LOCK_WAIT_TIMEOUT)
    with pytest.raises(SchemaError, match="find it with SHOW PROCESSLIST"):
        widening.widen(locked, widening.Table(("id",), 0, 0))
    full: Any = Cursor(ER.RECORD_FILE_FULL)
    with pytest.raises(pymysql.OperationalError, match=str(ER.RECORD_FILE_FULL)):
        widening.widen(full, widening.Table(("id",), 0, 0))


def test_inspecting_a_table_reads_its_columns_its_auto_increment_its_size_and_its_foreign_keys(
    narrow: MySql,
) -> None:
    found = narrow.read(widening.inspect)
    assert (found.narrow, found.rows, found.referring) == (("id", "created_at"), 0, None)
    assert 0 < found.bytes < 1_000_000
    rows(narrow, "INSERT INTO counters (name, value, version) VALUES ('TOTAL_ORDERS', 7, 1)")
    # A key on another column does not matter.
    rows(
        narrow,
        "CREATE TABLE cups (id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,"
        " FOREIGN KEY (id) REFERENCES orders (order_id))",
    )
    found = narrow.read(widening.inspect)
    assert (found.rows, found.referring) == (7, None)


@pytest.mark.parametrize(
    ("change", "narrow_columns"),
    [("Id BIGINT NOT NULL AUTO_INCREMENT", ("created_at",)), ("Created_At DATETIME(3) NULL", ("id",))],
)
def test_one_narrow_column_is_enough_in_any_spelling_of_types(
    narrow: MySql, change: str, narrow_columns: tuple[str, ...]
) -> None:
    rows(narrow, f"ALTER TABLE orders CHANGE {change.split()[0].lower()} {change}")
    assert narrow.read(widening.inspect).narrow == narrow_columns
    assert at_deploy(narrow) == []


def test_a_foreign_key_is_named_and_the_deploy_continues(narrow: MySql) -> None:
    rows(
        narrow,
        "CREATE TABLE cups (order_id INT, CONSTRAINT of_order FOREIGN KEY (order_id) REFERENCES orders (id))",
    )
    assert at_deploy(narrow) == ["id", "created_at"]
    with pytest.raises(SchemaError, match="ALTER TABLE `cups` DROP FOREIGN KEY `of_order`"):
        narrow.read(lambda cursor: migrate_database._widen(cursor))


def test_a_transaction_that_does_not_end_is_named_and_the_deploy_continues(
    narrow: MySql, empty_database: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "TABLE_LOCK_WAIT", 1)
    with empty_database.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("SELECT * FROM orders")
        assert at_deploy(narrow) == ["id", "created_at"]
    assert at_deploy(narrow) == []


def test_a_dry_run_changes_nothing(narrow: MySql) -> None:
    found = migrate_database._estimate(narrow)
    assert found["columns"] == ("id", "created_at")
    assert rows(narrow, COLUMNS) == [("created_at", "timestamp"), ("id", "int")]
