"""The table `orders` in MySQL, the source of truth: record orders, and parse rows."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any, cast

from pymysql.cursors import Cursor

from orders.counters import Counted, tally
from orders.exact_json import decode, encode
from orders.failures import StoreUnavailableError
from orders.order import DEFAULT_CUSTOMER, Order
from orders.states import Progress, State, first
from orders.times import EARLIEST, LATEST
from stores.mysql import counters, events
from stores.mysql.connection import MySql, text

# Legacy rows may lack an item or a quantity. The collation pads: a text of spaces equals an empty one.
IS_COUNTED = "order_id <> '' AND item <> '' AND quantity IS NOT NULL"
NUMBER_BITS = 31  # random bits of a recording number
# `recorded_in` of a row that holds only the id of an erased order, until the order is recorded.
ERASED_ID = -1
HOLDS_ID = f"recorded_in <=> {ERASED_ID}"
IDS_USED_UP = 1467  # MySQL's error ER_AUTOINC_READ_FAILED
CONTENTS = "order_id, created_at, item, quantity, customer_name, attributes"
COLUMNS = f"{CONTENTS}, id, state, state_version, state_at, ready_at"
FILL = (
    "UPDATE orders SET created_at = %s, item = %s, quantity = %s,"  # noqa: S608  # constants only
    f" state = '{State.RECEIVED}', state_version = 1, state_at = %s, recorded_in = %s"
    f" WHERE order_id = %s AND {HOLDS_ID}"
)


class OrdersDatabase:
    """Orders and counters; days are those of the cafe's time zone."""

    def __init__(self, mysql: MySql, zone: tzinfo) -> None:
        self._mysql = mysql
        self._zone = zone

    def record(self, orders: Sequence[Order]) -> dict[str, Order | None]:
        """Insert orders with new ids and count them, in one transaction.

        The ids must be unique and sorted, so that transactions lock in the same order. Return the order in
        the table for each id: the first one for a duplicate, None for a row without a valid order. After an
        error the orders are not inserted, or the outcome is unknown: record them again.
        """
        return self._mysql.run(lambda cursor: self._record(cursor, orders))

    def counted(self, names: Collection[str]) -> dict[str, Counted]:
        """Read counters by name."""
        return self._mysql.read(lambda cursor: counters.read(cursor, names))

    def adopt(self, newer: Mapping[str, Progress]) -> None:
        """Adopt newer states of DynamoDB, which a restore of the database lost."""
        self._mysql.run(lambda cursor: events.adopt(cursor, newer))

    def _record(self, cursor: Cursor, orders: Sequence[Order]) -> dict[str, Order | None]:
        # A new number for each attempt: orders that a lost attempt has committed are not new.
        number = recording_number()
        if _insert(cursor, orders, number) == len(orders):
            # The server generates consecutive ids for a statement.
            ids = itertools.count(cursor.lastrowid, self._mysql.id_step)
            new: Sequence[Order] = [recorded(*each) for each in zip(orders, ids, strict=False)]
            kept: dict[str, Order | None] = {order.order_id: order for order in new}
        else:
            rows = _select(cursor, [order.order_id for order in orders])
            if len(rows) < len(orders):
                # At the largest id, a new row is a duplicate of the row with that id.
                raise StoreUnavailableError(f"MySQL error {IDS_USED_UP}")
            if erased := [order for order in orders if rows[order.order_id][1] == ERASED_ID]:
                # Without names; the insert has locked their rows.
                cursor.executemany(FILL, [_filled(order, number) for order in erased])
                rows = _select(cursor, [order.order_id for order in orders])
            kept = {order_id: order for order_id, (order, _) in rows.items()}
            new = [order for order in orders if rows[order.order_id][1] == number]
            inserted = (kept[order.order_id] for order in new)
            kept |= {order.order_id: replace(order, is_new=True) for order in inserted if order}
        counters.add(cursor, tally(new, self._zone, datetime.now(UTC)))
        return kept


def recorded(order: Order, row_id: int) -> Order:
    """Return an order with the row id and the first state of its new row."""
    return Order(  # `dataclasses.replace` takes three times as long
        order.order_id,
        order.created_at,
        order.item,
        order.quantity,
        order.customer_name,
        order.attributes,
        order.ignored_time,
        row_id,
        first(None if order.is_test else order.created_at),
        is_new=True,
    )


def recording_number() -> int:
    """Return a number for a transaction that records orders: the second, and 31 random bits.

    It identifies the rows that the transaction inserts, also while others insert the same orders, and its
    index finds rows that were recorded recently.
    """
    return first_number(time.time()) | secrets.randbits(NUMBER_BITS)


def first_number(seconds: float) -> int:
    """Return the lowest number of a second since the epoch."""
    return int(seconds) << NUMBER_BITS


def _insert(cursor: Cursor, orders: Sequence[Order], number: int) -> int:
    """Insert orders that are not in the table; return how many were inserted."""
    row = f"(%s, %s, %s, %s, %s, %s, '{State.RECEIVED}', %s, %s)"
    # S608: the text is made of constants and placeholders.
    statement = (
        f"INSERT INTO orders ({CONTENTS}, state, state_at, recorded_in)"  # noqa: S608
        f" VALUES {', '.join([row] * len(orders))}"
        " ON DUPLICATE KEY UPDATE order_id = orders.order_id"
    )
    return cursor.execute(statement, [value for order in orders for value in (*_row(order), number)])


def _select(cursor: Cursor, order_ids: Sequence[str]) -> dict[str, tuple[Order | None, int | None]]:
    """Read orders with the numbers of their transactions, by order id."""
    cursor.execute(f"SELECT {COLUMNS}, recorded_in FROM orders WHERE order_id IN %s", (order_ids,))  # noqa: S608
    found: dict[str, tuple[Order | None, int | None]] = {}
    for *row, recorded_in in cursor:
        order = order_in(row)
        # The collation of the unique index pads: a legacy row may have the id with trailing spaces.
        found[row[0].rstrip(" ")] = order if isinstance(order, Order) else None, recorded_in
    return found


def order_in(row: Sequence[Any]) -> Order | str:
    """Return the order in a row of `COLUMNS`, or the reason why it has no valid one."""
    order_id, _, item, quantity, *_ = row
    # The same as `IS_COUNTED` in SQL.
    if not order_id.strip(" "):
        return "no order_id"
    if item is None or not item.strip(" ") or quantity is None:
        return "no item, or no quantity"
    try:
        order = order_of(row)
    except (ValueError, RecursionError):
        return "its attributes are not JSON"
    return order if isinstance(order.attributes, dict) else "its attributes are not a JSON object"


def _row(order: Order) -> tuple[object, ...]:
    attributes = encode(order.attributes, ensure_ascii=False) if order.attributes else None
    sent_at = text(order.created_at)
    return (
        order.order_id,
        sent_at,
        order.item,
        order.quantity,
        order.customer_name,
        attributes,
        None if order.is_test else sent_at,
    )


def _filled(order: Order, number: int) -> tuple[object, ...]:
    """Return the values of `FILL`."""
    order_id, sent_at, item, quantity, _, _, state_at = _row(order)
    return sent_at, item, quantity, state_at, number, order_id


def order_of(row: Sequence[Any]) -> Order:
    """Return the order in a row of `COLUMNS`."""
    order_id, created_at, item, quantity, customer_name, attributes, row_id, *progress = row
    state, version, at, ready_at = progress
    return Order(
        order_id=order_id,
        created_at=_utc(created_at),
        item=item,
        quantity=quantity,
        # Legacy rows may lack it; in an erased order it is empty.
        customer_name=DEFAULT_CUSTOMER if customer_name is None else customer_name,
        attributes=cast(dict[str, Any], decode(attributes)) if attributes else {},
        row_id=row_id,
        progress=Progress(State(state), version, _utc(at), _utc(ready_at)) if state else None,
    )


def _utc(moment: datetime | str | None) -> datetime | None:
    """Return a row's time, None if it is out of range; PyMySQL returns 0000-00-00 as text."""
    if moment is None or isinstance(moment, str):
        return None
    at = moment.replace(tzinfo=UTC)
    return at if EARLIEST <= at <= LATEST else None
