"""MySQL's tables, read and changed by an administrator while runs are paused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from orders.counters import Counted
from orders.exact_json import decode, encode
from orders.states import pickup_number
from tests.faults.messages import RecordedOrder

Row = tuple[Any, ...]

# Each table in one value, which json parses: fetching many rows would be most of the tests' time.
READ_TABLES = """
SELECT
  (SELECT JSON_ARRAYAGG(JSON_ARRAY(
      id, recorded_in IS NULL, order_id, created_at, item, quantity, customer_name, attributes))
    FROM orders),
  (SELECT JSON_ARRAYAGG(JSON_ARRAY(CONVERT(name USING utf8mb4), value, version))
    FROM counters WHERE name NOT LIKE 'TIME_ZONE#%%')
"""


@dataclasses.dataclass(frozen=True)
class Tables:
    """Contents of MySQL's tables.

    Attributes
    ----------
    rows
        The orders by their ids.
    uncounted
        The ids of the orders that are not counted yet.
    numbers
        The pick-up numbers by order id.
    counters
        The counters by name.
    """

    rows: Mapping[str, RecordedOrder]
    uncounted: frozenset[str]
    numbers: Mapping[str, str]
    counters: Mapping[str, Counted]

    @classmethod
    @lru_cache(maxsize=1)  # most steps change neither of the stores
    def of(cls, orders: str | None, counters: str | None) -> Tables:
        """Parse the result of `READ_TABLES`."""
        found = json.loads(orders or "[]")
        rows = {
            order_id: RecordedOrder(
                order_id,
                datetime.fromisoformat(created_at).replace(tzinfo=UTC),
                item,
                quantity,
                customer_name,
                encode(decode(attributes or "{}"), sort_keys=True),
            )
            for _, _, order_id, created_at, item, quantity, customer_name, attributes in found
        }
        assert len(rows) == len(found), "an order has two rows"
        return cls(
            rows=rows,
            uncounted=frozenset(order_id for _, is_uncounted, order_id, *_ in found if is_uncounted),
            numbers={order_id: pickup_number(row_id) for row_id, _, order_id, *_ in found},
            counters={name: Counted(*numbers) for name, *numbers in json.loads(counters or "[]")},
        )


class Database:
    """The administrator's connection."""

    def __init__(self, connection: pymysql.Connection[Cursor]) -> None:
        self._connection = connection
        self._read: Tables | None = None  # until the next statement of anyone
        self.execute(f"SET SESSION group_concat_max_len = {2**23}")  # MariaDB's limit of JSON_ARRAYAGG

    def execute(self, statement: str, *values: object) -> list[Row]:
        """Execute a statement, and return all rows."""
        self.expect_change()
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def read(self) -> Tables:
        """Read both tables, once after each statement."""
        if self._read is None:
            self._read = Tables.of(*self.execute(READ_TABLES)[0])
        return self._read

    def expect_change(self) -> None:
        """Read the tables again: a statement, of a worker for example, may change them."""
        self._read = None

    def cut(self, connection_id: int) -> None:
        """End a connection with its transaction, and wait until it is gone."""
        try:
            self.execute(f"KILL {connection_id}")
        except pymysql.Error:  # it is gone already
            return
        while self.execute("SELECT 1 FROM information_schema.processlist WHERE id = %s", connection_id):
            pass

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
