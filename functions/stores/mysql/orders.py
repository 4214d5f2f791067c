"""The table `orders` in MySQL: the source of truth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from pymysql.cursors import Cursor

from orders.errors import OrderRefusedError
from orders.exact_json import decode, encode
from orders.order import DEFAULT_CUSTOMER, Order
from stores.mysql.connection import MySql

# A row of the time before that names no item, or not how many, is no order.
IS_COUNTED = "item <> '' AND quantity IS NOT NULL"
COLUMNS = "order_id, created_at, item, quantity, customer_name, attributes"


class OrdersDatabase:
    """Orders in MySQL."""

    def __init__(self, mysql: MySql) -> None:
        self._mysql = mysql

    def insert(self, orders: Sequence[Order]) -> list[Order]:
        """Insert the orders whose ids are new, in one statement and one commit.

        Returns
        -------
        list[Order]
            All of them as the table has them, so that two messages of one order count the same.

        Raises
        ------
        StoreUnavailableError, OrderRefusedError
            None of them is inserted, or nobody knows: insert them again.
        """
        added = self._mysql.run(lambda cursor: _insert(cursor, orders))
        if added == len(orders):
            return list(orders)
        kept = self._mysql.run(lambda cursor: _select(cursor, [order.order_id for order in orders]))
        if len(kept) < len(orders):
            raise OrderRefusedError("MySQL has a row under this id that is no order")
        return kept

    def recent(self, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Read the latest orders that were sent until a moment.

        Rows without a time come last. `created_at` and `order_id` are None in rows that never had them.
        """

        def select(cursor: Cursor) -> list[dict[str, Any]]:
            # In the order of the index, so that `limit` rows are read; left to itself, the server sorts all.
            cursor.execute(
                "SELECT order_id, customer_name, item, quantity, created_at"
                " FROM orders FORCE INDEX (orders_created_at)"
                " WHERE created_at <= %s OR created_at IS NULL"
                " ORDER BY created_at DESC, id DESC LIMIT %s",
                (naive(until), limit),
            )
            names = ("order_id", "customer_name", "item", "quantity", "created_at")
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            return [{**row, "created_at": _utc(row["created_at"])} for row in rows]

        return self._mysql.run(select)

    def top_items(self, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Sum the quantities of the items ordered most in a period, from the index alone."""

        def select(cursor: Cursor) -> list[dict[str, Any]]:
            cursor.execute(
                "SELECT item, SUM(quantity) AS ordered FROM orders"  # noqa: S608
                f" WHERE created_at >= %s AND created_at <= %s AND {IS_COUNTED}"
                " GROUP BY item ORDER BY ordered DESC, item LIMIT %s",
                (naive(since), naive(until), limit),
            )
            return [{"item": item, "quantity": int(quantity)} for item, quantity in cursor.fetchall()]

        return self._mysql.run(select)

    def count(self, start: datetime, end: datetime) -> int:
        """Count the orders from a moment to before another, from the index alone; as the counters do."""

        def select(cursor: Cursor) -> int:
            cursor.execute(
                "SELECT COUNT(*) FROM orders FORCE INDEX (orders_item_by_time)"  # noqa: S608
                f" WHERE created_at >= %s AND created_at < %s AND {IS_COUNTED}",
                (naive(start), naive(end)),
            )
            return int((cursor.fetchone() or (0,))[0])

        return self._mysql.run(select)


def _insert(cursor: Cursor, orders: Sequence[Order]) -> int:
    """Insert what is new; count how much that was."""
    row = "(%s, %s, %s, %s, %s, %s)"
    # S608: the text is made of constants and placeholders.
    statement = (
        f"INSERT INTO orders ({COLUMNS}) VALUES {', '.join([row] * len(orders))}"  # noqa: S608
        " ON DUPLICATE KEY UPDATE order_id = orders.order_id"
    )
    return cursor.execute(statement, [value for order in orders for value in _row(order)])


def _select(cursor: Cursor, order_ids: Sequence[str]) -> list[Order]:
    marks = ", ".join(["%s"] * len(order_ids))
    cursor.execute(
        f"SELECT {COLUMNS} FROM orders WHERE order_id IN ({marks}) AND {IS_COUNTED}",  # noqa: S608
        order_ids,
    )
    return [order_of(row) for row in cursor.fetchall()]


def _row(order: Order) -> tuple[object, ...]:
    attributes = encode(order.attributes, ensure_ascii=False) if order.attributes else None
    return (
        order.order_id,
        order.created_at.replace(tzinfo=None) if order.created_at else None,
        order.item,
        order.quantity,
        order.customer_name,
        attributes,
    )


def order_of(row: tuple[Any, ...]) -> Order:
    """Return the order in a row of `COLUMNS`."""
    order_id, created_at, item, quantity, customer_name, attributes = row
    return Order(
        order_id=order_id,
        created_at=_utc(created_at),
        item=item,
        quantity=quantity,
        # Rows of the time before may lack it.
        customer_name=customer_name or DEFAULT_CUSTOMER,
        attributes=cast(dict[str, Any], decode(attributes)) if attributes else {},
    )


def naive(moment: datetime) -> datetime:
    """Return a time in UTC without a zone: PyMySQL drops the zone and keeps the digits."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
