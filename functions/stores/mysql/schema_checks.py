"""Checks of an existing schema before its migration; each problem has a sentence with its solution.

MySQL commits at every change of a table. Without the checks, a migration could stop half-way with an error
number, or result in a table that refuses every order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from orders.failures import SchemaError
from orders.names import MAX_NAME
from orders.order import MAX_ATTRIBUTES, MAX_QUANTITY

TEXT = {"char", "varchar", "enum"}
INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint"}
# If only some of these columns exist, they belong to another system.
STATES = {
    "state": ({"varchar"}, "VARCHAR(10) NULL"),
    "state_version": ({"bigint"}, "BIGINT NOT NULL DEFAULT 1"),
    "state_at": ({"datetime"}, "DATETIME(3) NULL"),
    "ready_at": ({"datetime"}, "DATETIME(3) NULL"),
}
# The types that hold all values of orders, and the definition to which to change a column of another type.
COLUMNS = {
    "id": (INTEGERS, "INT NOT NULL AUTO_INCREMENT"),
    "customer_name": (TEXT, "VARCHAR(255)"),
    "item": (TEXT, "VARCHAR(255)"),
    "quantity": (INTEGERS - {"tinyint"}, "INT"),
    "created_at": ({"timestamp", "datetime", "date"}, "DATETIME NULL"),
    "order_id": (TEXT | INTEGERS, "VARCHAR(64) NULL"),
    "attributes": ({"mediumtext", "longtext"}, "MEDIUMTEXT NULL"),
    "recorded_in": ({"bigint"}, "BIGINT NULL"),
    **STATES,
}
REQUIRED = ("customer_name", "id", "item", "quantity")  # the migrations add the others
# Columns that the migrations change, which a foreign key would prevent.
CHANGED = ("customer_name", "item", "order_id", "created_at")
MAX_ITEM = 512  # characters of four bytes: the limit of a key of `CafeMenu`
INDEXES = {
    "orders_order_id": ("order_id",),
    "orders_created_at": ("created_at",),
    "orders_item_by_time": ("created_at", "item", "quantity"),
    "orders_recorded_in": ("recorded_in",),
    "orders_open": ("state", "state_at", "state_version", "recorded_in"),
}
COUNTERS = {"name", "value", "version", "corrections"}
EVENTS = {
    *["order_row", "version", "from_state", "to_state", "at", "actor", "reason", "key_hash", "request_hash"]
}
MIGRATIONS = {"number", "name", "applied_at"}
EARLIEST, LATEST = datetime(1970, 1, 2), datetime(2038, 1, 18)  # noqa: DTZ001  # of a TIMESTAMP in any time zone
REHEARSAL = "cafe_migrations_rehearsal"  # a database
LARGEST_ATTRIBUTES = '{"note": "' + "x" * MAX_ATTRIBUTES + '", "price": 1.10}'


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    name: str
    type: str
    length: int | None  # characters of text
    is_required: bool  # in an INSERT
    is_auto_increment: bool
    is_generated: bool


def check(cursor: Cursor, run: Callable[[], None], *, is_new: bool) -> None:
    """Check a database, without a change, before `run` migrates it; raise SchemaError with all problems.

    A table `is_new` if no migration has converted it yet.
    """
    problems = [*_other_tables(cursor)]
    if table := _rows(cursor, "SELECT table_type, engine, create_options" + _of("tables", "orders")):
        columns = _columns(cursor, "orders")
        problems += [*_table(*table[0]), *_shape(columns), *_keys(cursor)]
        # Rows are checked only if the columns are valid.
        names = {column.name for column in columns} if is_new and not problems else set()
        problems += _times(cursor) if "created_at" in names else ()
        problems += _ids(cursor) if "order_id" in names else ()
        if not problems:
            problems += _rehearsed(cursor, run)
    if problems:
        raise SchemaError(" ".join(["Nothing was changed in the database.", *problems]))


def _other_tables(cursor: Cursor) -> Iterator[str]:
    tables = [name for (name,) in _rows(cursor, "SHOW TABLES")]
    for name in tables:
        if name.lower() == "orders" and "orders" not in tables:
            yield f"Table `{name}` would not be read: RENAME TABLE `{name}` TO orders."
    ours = (("counters", COUNTERS), ("order_events", EVENTS), ("schema_migrations", MIGRATIONS))
    for name, expected in ours:
        if name in tables and {column.name for column in _columns(cursor, name)} != expected:
            yield f"There is another table `{name}`: RENAME TABLE {name} TO old_{name}."


def _table(kind: str, engine: str | None, options: str | None) -> Iterator[str]:
    if kind != "BASE TABLE":
        yield f"`orders` is not a table ({kind}): rename it."
    elif engine != "InnoDB":
        yield f"Engine {engine} of table `orders` has no transactions: ALTER TABLE orders ENGINE = InnoDB."
    if "partitioned" in (options or ""):
        yield "Table `orders` is partitioned: ALTER TABLE orders REMOVE PARTITIONING."


def _of_another_system(name: str) -> str:
    return (
        f"Column `{name}` belongs to another system, and orders need this name: "
        f"ALTER TABLE orders RENAME COLUMN {name} TO old_{name}, also in the programs that use it."
    )


def _shape(columns: Sequence[Column]) -> Iterator[str]:
    there = {column.name for column in columns}
    for name in REQUIRED:
        if name not in there:
            yield f"Column `{name}` is missing: ALTER TABLE orders ADD COLUMN {name} {COLUMNS[name][1]}."
    foreign = STATES.keys() & there if STATES.keys() - there else set()
    yield from map(_of_another_system, sorted(foreign))
    for column in columns:
        if column.name in foreign:
            continue
        if column.name in COLUMNS:
            types, definition = COLUMNS[column.name]
            if problem := _problem(column, types):
                change = f"ALTER TABLE orders MODIFY {column.name} {definition}"
                yield f"Column `{column.name}` {problem}: {change}."
        elif column.is_required:
            yield (
                f"Column `{column.name}` is NOT NULL and has no default, so that no order could be inserted: "
                f"give it one with ALTER TABLE orders ALTER `{column.name}` SET DEFAULT ...."
            )


def _problem(column: Column, types: set[str]) -> str | None:
    """Return the problem of a column in which orders have values, if there is one."""
    if column.is_generated:
        return "is generated, so that no order's own value could be inserted"
    if column.type not in types:
        return f"is of type {column.type.upper()}, which does not hold every order's value"
    if column.name == "item" and (column.length or 0) > MAX_ITEM:
        return f"is longer than the {MAX_ITEM} characters that an index can hold"
    if column.name == "id" and not column.is_auto_increment:
        return "is not AUTO_INCREMENT"
    return None


def _keys(cursor: Cursor) -> Iterator[str]:
    indexes = _indexes(cursor)
    if indexes.get("PRIMARY") != ("id",):
        yield "The primary key of table `orders` must be its column `id`, and no other."
    for name, columns in INDEXES.items():
        if name in indexes and indexes[name] != columns:
            yield f"Index `{name}` is on other columns: ALTER TABLE orders DROP INDEX {name}."
    unique = "SELECT DISTINCT index_name" + _of("statistics", "orders") + " AND non_unique = 0"
    for (name,) in _rows(cursor, unique):
        if name not in INDEXES and not {"id", "order_id"} & set(indexes[name]):
            yield (
                f"Unique index `{name}` would treat different orders as duplicates: "
                f"ALTER TABLE orders DROP INDEX `{name}`."
            )
    keys = (
        "SELECT table_name, constraint_name FROM information_schema.key_column_usage"
        " WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL"
        " AND (table_name = 'orders' AND column_name IN %s"
        " OR referenced_table_name = 'orders' AND referenced_column_name IN %s)"
    )
    for table, key in _rows(cursor, keys, CHANGED, CHANGED):
        yield (
            f"Foreign key `{key}` is on a column that has to be changed: "
            f"ALTER TABLE `{table}` DROP FOREIGN KEY `{key}`."
        )


def _times(cursor: Cursor) -> Iterator[str]:
    outside = "SELECT MIN(id), COUNT(*) FROM orders WHERE created_at < %s OR created_at > %s"
    ((row_id, count),) = _rows(cursor, outside, EARLIEST, LATEST)
    if count:
        yield (
            f"The row with id {row_id} and {count - 1} more have a created_at before {EARLIEST:%Y-%m-%d} or "
            f"after {LATEST:%Y-%m-%d}: correct it, or set it to NULL."
        )


def _ids(cursor: Cursor) -> Iterator[str]:
    # In UTF-8 only ASCII has one byte for a character.
    wrong = (
        "SELECT MIN(id), COUNT(*) FROM orders WHERE order_id = '' OR CHAR_LENGTH(order_id) > 64"
        " OR LENGTH(CONVERT(order_id USING utf8mb4)) <> CHAR_LENGTH(order_id)"
    )
    ((row_id, count),) = _rows(cursor, wrong)
    if count:
        yield (
            f"An order_id must be 1 to 64 ASCII characters, and those of the row with id {row_id} and "
            f"{count - 1} more are not: change them, or set them to NULL, and the migration makes new ones."
        )
        return
    # The ids that the migration will set, compared as they will be.
    name = "CONVERT(COALESCE(order_id, CONCAT('row-', id)) USING ascii) COLLATE ascii_bin"
    twice = f"SELECT MIN(id), MAX(id) FROM orders GROUP BY {name} HAVING COUNT(*) > 1 LIMIT 1"  # noqa: S608
    for first, second in _rows(cursor, twice):
        yield (
            f"The rows with ids {first} and {second} have the same order_id: "
            "delete one of them, or give it another one."
        )


def _rehearsed(cursor: Cursor, run: Callable[[], None]) -> Iterator[str]:
    """Migrate an empty copy of the table and insert orders, to find any other problem."""
    ((database,),) = _rows(cursor, "SELECT DATABASE()")
    cursor.execute(f"DROP DATABASE IF EXISTS {REHEARSAL}")
    cursor.execute(f"CREATE DATABASE {REHEARSAL}")
    try:
        cursor.execute(f"CREATE TABLE {REHEARSAL}.orders LIKE orders")
        cursor.execute(f"USE {REHEARSAL}")
        run()
        _insert_largest(cursor)
    except pymysql.Error as error:
        yield (
            "In an empty copy of table `orders` no order could be recorded after the migration. "
            f"MySQL reports: {str(error.args[-1]).rstrip('.')}."
        )
    finally:
        cursor.execute("UNLOCK TABLES")
        cursor.execute(f"USE `{database}`")
        cursor.execute(f"DROP DATABASE {REHEARSAL}")


def _insert_largest(cursor: Cursor) -> None:
    """Insert the largest possible order, and another one that differs from it only in the case of its id."""
    largest = {
        "created_at": LATEST,
        "item": "😀" * MAX_NAME,
        "quantity": MAX_QUANTITY,
        "customer_name": "😀" * MAX_NAME,
        "attributes": LARGEST_ATTRIBUTES,
        "recorded_in": 2**63 - 1,
        "state": "collected",
        "state_version": 2**63 - 1,
        "state_at": LATEST,
        "ready_at": LATEST,
    }
    names = {column.name for column in _columns(cursor, "orders")}
    for order_id in ("x" * 63 + "a", "x" * 63 + "A"):
        order = {name: value for name, value in {"order_id": order_id, **largest}.items() if name in names}
        cursor.execute(
            f"INSERT INTO orders ({', '.join(order)}) VALUES ({', '.join(['%s'] * len(order))})",  # noqa: S608
            list(order.values()),
        )


def _columns(cursor: Cursor, table: str) -> list[Column]:
    found = _rows(
        cursor,
        "SELECT column_name, data_type, character_maximum_length, is_nullable, column_default, extra"
        + _of("columns", table),
    )
    columns = []
    for name, kind, length, is_nullable, default, extra in found:
        is_auto_increment = "auto_increment" in extra.lower()
        is_generated = "GENERATED" in extra.upper().split()  # and not DEFAULT_GENERATED
        # An ENUM's default is its first value.
        has_value = (
            default is not None or is_nullable == "YES" or kind == "enum" or is_auto_increment or is_generated
        )
        columns.append(Column(name.lower(), kind, length, not has_value, is_auto_increment, is_generated))
    return columns


def _indexes(cursor: Cursor) -> dict[str, tuple[str, ...]]:
    """Return the columns of each index."""
    found: dict[str, tuple[str, ...]] = {}
    order = " ORDER BY index_name, seq_in_index"
    for name, column in _rows(cursor, "SELECT index_name, column_name" + _of("statistics", "orders") + order):
        found[name] = (*found.get(name, ()), str(column).lower())
    return found


def _of(view: str, table: str) -> str:
    return f" FROM information_schema.{view} WHERE table_schema = DATABASE() AND table_name = '{table}'"


def _rows(cursor: Cursor, sql: str, *values: object) -> list[tuple[Any, ...]]:
    cursor.execute(sql, values or None)
    return list(cursor.fetchall())
