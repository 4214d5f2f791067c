"""An existing table `orders` is taken over and accepts orders, or is refused before anything is changed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orders.failures import SchemaError
from orders.order import Order
from stores.mysql import migrations
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.mysql.reconciliation import ReconciliationDatabase
from tests.stores import MIGRATIONS, Server

ALL = migrations.read(MIGRATIONS)
UTC_ZONE = ZoneInfo("UTC")
PLAIN = (
    "CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, customer_name VARCHAR(100),"
    " item VARCHAR(50), quantity INT"
)
INSERT = "INSERT INTO orders (customer_name, item, quantity) VALUES ('Zoë', 'Latte', 2)"
TEXT_IDS = [f"{PLAIN}, order_id VARCHAR(100) CHARACTER SET utf8mb4)"]

TAKEN_OVER = {
    "of the earlier system": [f"{PLAIN})", INSERT],
    "with large and unsigned ids": [f"{PLAIN.replace('id INT', 'id BIGINT UNSIGNED')})", INSERT],
    "with names in capitals": [f"{PLAIN.replace('item', 'Item').replace('id INT', 'ID INT')})", INSERT],
    "with an ENUM of items": [f"{PLAIN.replace('VARCHAR(50)', 'ENUM(0x4c61747465) NOT NULL')})", INSERT],
    "with items of fixed length": [f"{PLAIN.replace('item VARCHAR', 'item CHAR')})", INSERT],
    "with the longest items": [f"{PLAIN.replace('VARCHAR(50)', 'VARCHAR(512)')})", INSERT],
    "with NOT NULL everywhere": [
        f"{PLAIN.replace('VARCHAR(50)', 'VARCHAR(50) NOT NULL')} NOT NULL, order_id VARCHAR(40) NOT NULL)",
        f"{INSERT.replace('quantity)', 'quantity, order_id)').replace('2)', '2, 0x61)')}",
    ],
    "with more columns that have defaults": [
        f"{PLAIN}, price DECIMAL(8, 2) NOT NULL DEFAULT 0, size ENUM('S', 'L') NOT NULL, note TEXT,"
        " twice INT AS (quantity * 2) STORED, paid_at TIMESTAMP NULL)",
        INSERT,
    ],
    "with a time that changes": [
        f"{PLAIN}, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)",
        INSERT,
    ],
    "with dates": [f"{PLAIN}, created_at DATE)", INSERT, "UPDATE orders SET created_at = '2025-05-03'"],
    "with numbers as identities": [f"{PLAIN}, order_id BIGINT)", INSERT, "UPDATE orders SET order_id = 7"],
    "with identities that differ in case": [
        *TEXT_IDS,
        *[INSERT] * 2,
        "UPDATE orders SET order_id = IF(id = 1, 'A1', 'a1')",
    ],
    "in an old row format": [f"{PLAIN}) ROW_FORMAT = REDUNDANT", INSERT],
    "with a search for words": [f"{PLAIN}, note TEXT, FULLTEXT (note))", INSERT],
    "that another table refers to": [
        f"{PLAIN})",
        INSERT,
        "CREATE TABLE cups (order_id INT, FOREIGN KEY (order_id) REFERENCES orders (id))",
    ],
    "with a column attributes": [f"{PLAIN}, attributes LONGTEXT)", INSERT],
    "with a status": [f"{PLAIN}, status VARCHAR(20) DEFAULT 'new')", INSERT],
}
REFUSED = {
    "with states of another system": (
        [f"{PLAIN}, state VARCHAR(20))"],
        "Column `state` belongs to another system.*RENAME COLUMN state TO old_state",
    ),
    "with states that must not be missing": (
        [f"{PLAIN}, state INT NOT NULL, ready_at TIME)"],
        "Column `ready_at` belongs to another system.* Column `state` belongs to another system",
    ),
    "next to other events": (
        [f"{PLAIN})", "CREATE TABLE order_events (id INT PRIMARY KEY)"],
        "another table `order_events`: RENAME TABLE order_events TO old_order_events",
    ),
    "without item": ([PLAIN.replace("item", "article") + ")"], "`item` is missing: ALTER TABLE orders ADD"),
    "with a column that needs a value": (
        [f"{PLAIN}, price DECIMAL(8, 2) NOT NULL)"],
        "`price` is NOT NULL and has no default",
    ),
    "with a time that needs a value": (
        [f"{PLAIN}, paid_at DATETIME NOT NULL)"],
        "`paid_at` is NOT NULL and has no default",
    ),
    "with items of any length": (
        [PLAIN.replace("VARCHAR(50)", "TEXT") + ")"],
        "`item` is of type TEXT, .*: ALTER TABLE orders MODIFY item VARCHAR",
    ),
    "with items as bytes": (
        [PLAIN.replace("VARCHAR(50)", "VARBINARY(50)") + ")"],
        "`item` is of type VARBINARY",
    ),
    "with items longer than an index": (
        [PLAIN.replace("VARCHAR(50)", "VARCHAR(513)") + ")"],
        "longer than the 512",
    ),
    "with small quantities": (
        [PLAIN.replace("quantity INT", "quantity TINYINT") + ")"],
        "`quantity` is of type TINY",
    ),
    "with quantities as text": (
        [PLAIN.replace("quantity INT", "quantity VARCHAR(9)") + ")"],
        "`quantity` is of type VARCHAR",
    ),
    "with a computed quantity": (
        [PLAIN.replace("quantity INT", "cups INT, quantity INT AS (cups * 2) STORED") + ")"],
        "`quantity` is generated",
    ),
    "with times as text": ([f"{PLAIN}, created_at VARCHAR(30))"], "`created_at` is of type VARCHAR"),
    "with attributes as JSON objects or short text": (
        [f"{PLAIN}, attributes VARCHAR(255))"],
        "`attributes` is of type VARCHAR",
    ),
    "with identities as bytes": ([f"{PLAIN}, order_id BINARY(16))"], "`order_id` is of type BINARY"),
    "with an id that does not count": (
        [PLAIN.replace("AUTO_INCREMENT ", "") + ")"],
        "`id` is not AUTO_INCREMENT",
    ),
    "with another primary key": (
        [PLAIN.replace("PRIMARY KEY", "UNIQUE") + ", order_id VARCHAR(64) PRIMARY KEY)"],
        "primary key of table `orders` must be its column `id`",
    ),
    "with customers who order once": (
        [f"{PLAIN}, UNIQUE once (customer_name, item))"],
        "Unique index `once`",
    ),
    "with items of a menu": (
        [
            "CREATE TABLE menu (item VARCHAR(50) PRIMARY KEY)",
            f"{PLAIN}, CONSTRAINT on_menu FOREIGN KEY (item) REFERENCES menu (item))",
        ],
        "Foreign key `on_menu`.*ALTER TABLE `orders` DROP FOREIGN KEY",
    ),
    "of another engine": (
        [f"{PLAIN}) ENGINE = MyISAM", INSERT],
        "Engine MyISAM.*ALTER TABLE orders ENGINE = InnoDB",
    ),
    "in partitions": ([f"{PLAIN}) PARTITION BY HASH (id) PARTITIONS 2"], "partitioned"),
    "that is a view": (["CREATE VIEW orders AS SELECT 1 AS id"], "is not a table"),
    "with a limit": (
        [f"{PLAIN}, CONSTRAINT few CHECK (quantity < 100))"],
        "no order could be recorded.*(few|Check constraint)",
    ),
    "with rows that are full": (
        [f"{PLAIN}, note VARCHAR(16200) CHARACTER SET utf8mb4)"],
        "Row size too large",
    ),
    "with another name's case": (
        [PLAIN.replace("orders", "Orders") + ")"],
        "RENAME TABLE `Orders` TO orders",
    ),
    "beside other counters": (
        [f"{PLAIN})", "CREATE TABLE counters (id INT)"],
        "RENAME TABLE counters TO old_counters",
    ),
    "beside another tool's migrations": (
        ["CREATE TABLE schema_migrations (version BIGINT)"],
        "RENAME TABLE schema_migrations TO old_schema_migrations",
    ),
    "with an identity twice": (
        [*TEXT_IDS, INSERT, INSERT, "UPDATE orders SET order_id = 'a1'"],
        "rows with ids 1 and 2 have the same order_id",
    ),
    "with identities that differ in spaces": (
        [*TEXT_IDS, INSERT, INSERT, "UPDATE orders SET order_id = IF(id = 1, 'a1', 'a1 ')"],
        "rows with ids 1 and 2 have the same order_id",
    ),
    "with a name that a row will get": (
        [*TEXT_IDS, INSERT, INSERT, "UPDATE orders SET order_id = 'row-2' WHERE id = 1"],
        "rows with ids 1 and 2 have the same order_id",
    ),
    "with an identity that is too long": (
        [*TEXT_IDS, INSERT, "UPDATE orders SET order_id = REPEAT('x', 65)"],
        "1 to 64 ASCII characters.*row with id 1",
    ),
    "with an identity beyond ASCII": (
        [*TEXT_IDS, INSERT, INSERT, "UPDATE orders SET order_id = 'ordre-é' WHERE id = 2"],
        "1 to 64 ASCII characters.*row with id 2",
    ),
    "with an empty identity": (
        [*TEXT_IDS, INSERT, "UPDATE orders SET order_id = ''"],
        "1 to 64 ASCII characters",
    ),
    "with a time before 1970": (
        [f"{PLAIN}, created_at DATETIME)", INSERT, "UPDATE orders SET created_at = '1969-12-31'"],
        "row with id 1 .* have a created_at before 1970-01-02",
    ),
    "with a time after 2038": (
        [f"{PLAIN}, created_at DATETIME)", INSERT, "UPDATE orders SET created_at = '2038-01-20'"],
        "after 2038-01-18",
    ),
    "with a time of zeros": (
        [f"{PLAIN}, created_at DATETIME)", "SET sql_mode = ''", INSERT, "UPDATE orders SET created_at = 0"],
        "have a created_at before",
    ),
}


def prepare(server: Server, statements: list[str]) -> list[Any]:
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    return everything(server)


def everything(server: Server) -> list[Any]:
    """Return the definitions of all databases, and the rows of the one that is migrated."""
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        found = list(cursor.fetchall())
        cursor.execute("SHOW TABLES")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SHOW CREATE TABLE `{table}`")
            found += cursor.fetchall()
            cursor.execute(f"SELECT * FROM `{table}`")  # noqa: S608
            found += cursor.fetchall()
        return found


@pytest.mark.parametrize("statements", TAKEN_OVER.values(), ids=TAKEN_OVER)
def test_a_table_is_taken_over_and_accepts_orders(
    master: MySql, empty_database: Server, statements: list[str]
) -> None:
    prepare(empty_database, statements)
    migrations.migrate(master, ALL)
    database = OrdersDatabase(master, UTC)
    order = Order(
        "x" * 64, datetime(2026, 11, 22, tzinfo=UTC), "☕" * 100, 1000, "😀" * 100, {"note": "n" * 1000}
    )
    if "ENUM" not in statements[0]:
        assert database.record([order]) == {order.order_id: order}
    ReconciliationDatabase(master, UTC_ZONE).try_to_write()
    rows = master.read(
        lambda cursor: (cursor.execute("SELECT item, quantity FROM orders"), cursor.fetchall())[1]
    )
    assert ("Latte", 2) in rows


@pytest.mark.parametrize(("statements", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_refused_table_is_unchanged_and_the_error_has_the_statement_to_run(
    master: MySql, empty_database: Server, statements: list[str], sentence: str
) -> None:
    before = prepare(empty_database, statements)
    with pytest.raises(SchemaError, match=sentence) as refusal:
        migrations.migrate(master, ALL)
    assert str(refusal.value).startswith("Nothing was changed in the database. ")
    assert everything(empty_database) == before


def test_all_problems_are_named_at_once(master: MySql, empty_database: Server) -> None:
    prepare(empty_database, [f"{PLAIN.replace('VARCHAR(50)', 'TEXT')}, price INT NOT NULL)"])
    with pytest.raises(SchemaError, match=r"`item` is of type TEXT.*`price` is NOT NULL"):
        migrations.migrate(master, ALL)


def test_an_index_of_the_expected_name_has_the_expected_columns(
    master: MySql, empty_database: Server
) -> None:
    names = [f"orders_{name}" for name in ("order_id", "created_at", "item_by_time", "recorded_in", "open")]
    others = ", ".join(f"INDEX {name} (quantity)" for name in names)
    prepare(empty_database, [f"{PLAIN}, {others})"])
    with pytest.raises(SchemaError) as refusal:
        migrations.migrate(master, ALL)
    assert re.findall(r"Index `(\w+)` is on other columns", str(refusal.value)) == names


def test_a_column_that_was_added_later_is_refused_before_the_next_migration(
    master: MySql, empty_database: Server
) -> None:
    migrations.migrate(master, ALL[:2])
    prepare(empty_database, ["ALTER TABLE orders ADD COLUMN price INT NOT NULL"])
    with pytest.raises(SchemaError, match="`price` is NOT NULL"):
        migrations.migrate(master, ALL)
