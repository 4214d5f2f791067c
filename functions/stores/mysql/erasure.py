"""Statements that find and erase names, further attributes, and actors and reasons in histories."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from pymysql.cursors import Cursor

from orders.counters import ERASED_UNTIL
from orders.erasure import TOO_EARLY, Match, Old, TimePosition
from orders.order import ERASED
from orders.states import EPOCH, ERASED_ACTOR, RESTORED
from orders.times import EARLIEST
from stores.mysql.connection import naive
from stores.mysql.counters import NOW
from stores.mysql.orders import ERASED_ID, recording_number
from stores.mysql.reconciliation import ReconciliationDatabase
from stores.parallel import batches

STEP = 20_000  # rows that a statement searches; a name has no index
MAX_ROWS = 500  # that a statement erases or returns
HAS_NAME = f"NOT (customer_name <=> '{ERASED}')"
HAS_ATTRIBUTES = "attributes IS NOT NULL"
NOT_ERASED = f"({HAS_NAME} OR {HAS_ATTRIBUTES})"
IS_PERSONAL = f"(actor NOT IN ('{ERASED_ACTOR}', '{RESTORED}') OR reason IS NOT NULL)"
# The hashes are removed, too, since a request's hash is computed from its reason.
ERASE_CHANGES = (  # S608: the texts are made of constants and placeholders
    f"UPDATE order_events SET actor = IF(actor = '{RESTORED}', actor, '{ERASED_ACTOR}'), reason = NULL,"  # noqa: S608
    " key_hash = NULL, request_hash = NULL"
)
MATCH = (
    f"SELECT id, order_id, created_at, {HAS_NAME}, {HAS_ATTRIBUTES},"  # noqa: S608
    f" (SELECT COUNT(*) FROM order_events WHERE order_row = orders.id AND {IS_PERSONAL}) FROM orders"
)


class ErasureDatabase(ReconciliationDatabase):
    """The tables `orders` and `order_events`."""

    def of_order(self, order_id: str) -> Match | None:
        """Return what an order has to erase; None if it is neither recorded nor kept as erased."""
        rows = self._mysql.select(f"{MATCH} WHERE order_id = %s", order_id)
        return _match(*rows[0]) if rows else None

    def of_customer(self, names: Collection[str], after: int) -> tuple[list[Match], int | None]:
        """Find orders of a customer after a row; return where to continue, None at the end."""
        upto = self._end_of_step("SELECT id FROM orders WHERE id > %s ORDER BY id", after)
        rows = self._mysql.select(
            f"{MATCH} WHERE id > %s AND id <= %s AND customer_name IN %s AND order_id IS NOT NULL"
            " ORDER BY id LIMIT %s",
            after,
            upto or 2**63 - 1,
            names,
            MAX_ROWS,
        )
        return [_match(*row) for row in rows], rows[-1][0] if len(rows) == MAX_ROWS else upto

    def of_actor(self, actor: str, after: int) -> tuple[list[Match], int | None]:
        """Find orders whose history has an actor, after a row; return where to continue, None at the end."""
        upto = self._end_of_step(
            "SELECT order_row FROM order_events WHERE order_row > %s ORDER BY order_row, version", after
        )
        rows = self._mysql.select(
            "SELECT order_row, order_id, MAX(at), FALSE, FALSE, COUNT(*) FROM order_events"
            " STRAIGHT_JOIN orders ON id = order_row"
            " WHERE order_row > %s AND order_row <= %s AND actor = %s"
            " GROUP BY order_row, order_id ORDER BY order_row LIMIT %s",
            after,
            upto or 2**63 - 1,
            actor,
            MAX_ROWS,
        )
        return [_match(*row) for row in rows], rows[-1][0] if len(rows) == MAX_ROWS else upto

    def erase(self, order_ids: Collection[str]) -> int:
        """Erase orders; return how many were not erased yet.

        An order that is not recorded gets a row with its id alone: the unique index makes its message a
        duplicate, which the worker records without a name.
        """
        some = batches(sorted(order_ids), MAX_ROWS)
        return sum(self._mysql.run(partial(_erase, order_ids=each)) for each in some)

    def erase_rows(self, row_ids: Collection[int]) -> int:
        """Erase orders by their rows; return how many were not erased yet."""
        some = batches(sorted(row_ids), MAX_ROWS)
        return sum(self._mysql.run(partial(_erase_rows, row_ids=each)) for each in some)

    def erase_actor(self, actor: str, row_ids: Collection[int]) -> int:
        """Erase an actor and the actor's reasons in the histories of orders; return the number of entries."""

        def erase(cursor: Cursor) -> int:
            return cursor.execute(f"{ERASE_CHANGES} WHERE order_row IN %s AND actor = %s", (rows, actor))

        rows = sorted(row_ids)
        return self._mysql.run(erase) if rows else 0

    def older(self, cutoff: datetime, after: TimePosition | None) -> Old:
        """Read a page of the orders that were sent before a moment, or at no valid time."""
        at, row_id = after or (None, 0)
        values: tuple[object, ...] = (row_id,)
        if at is None:
            where, order, then = "created_at IS NULL AND id > %s", "id", TOO_EARLY
        elif at == TOO_EARLY:
            where, order, then = f"created_at < '{EARLIEST:%Y-%m-%d}' AND id > %s", "id", EARLIEST
        else:
            where = "created_at >= %s AND (created_at > %s OR id > %s) AND created_at < %s"
            order, then = "created_at, id", None
            values = (naive(at), naive(at), row_id, naive(cutoff))
        rows = self._mysql.select(
            f"SELECT id, order_id, created_at FROM orders FORCE INDEX (orders_created_at) WHERE {where}"  # noqa: S608
            f" ORDER BY {order} LIMIT %s",
            *values,
            MAX_ROWS,
        )
        order_ids = {row_id: order_id for row_id, order_id, _ in rows}
        if len(rows) < MAX_ROWS:
            return Old(order_ids, (then, 0) if then else None)
        last, _, sent_at = rows[-1]
        return Old(order_ids, (at if then else sent_at.replace(tzinfo=UTC), last))

    def erased_until(self) -> datetime | None:
        """Return the moment up to which orders were erased by their age; a restore also restores it."""
        rows = self._mysql.select("SELECT value FROM counters WHERE name = %s", ERASED_UNTIL.encode())
        return EPOCH + timedelta(milliseconds=rows[0][0]) if rows else None

    def save_erased_until(self, until: datetime) -> None:
        """Save the moment up to which orders are erased by their age."""
        value = (until - EPOCH) // timedelta(milliseconds=1)
        self._mysql.run(
            lambda cursor: cursor.execute(
                f"INSERT INTO counters (name, value, version) VALUES (%s, %s, {NOW})"  # noqa: S608
                " ON DUPLICATE KEY UPDATE value = VALUES(value)",
                (ERASED_UNTIL.encode(), value),
            )
        )

    def forget_erased_until(self) -> None:
        """Delete the moment, so that the next run by age starts from the oldest order."""
        self._mysql.run(
            lambda cursor: cursor.execute("DELETE FROM counters WHERE name = %s", (ERASED_UNTIL.encode(),))
        )

    def _end_of_step(self, statement: str, after: int) -> int | None:
        """Return the id of the last of the next `STEP` rows, None if there are fewer."""
        rows = self._mysql.select(f"{statement} LIMIT 1 OFFSET %s", after, STEP - 1)
        return int(rows[0][0]) if rows else None


def _match(row_id: int, order_id: str, at: object, customer: int, attributes: int, history: int) -> Match:
    moment = at.replace(tzinfo=UTC) if isinstance(at, datetime) else None
    return Match(row_id, order_id, moment, bool(customer), bool(attributes), history)


def _erase(cursor: Cursor, order_ids: Sequence[str]) -> int:
    cursor.execute("SELECT order_id FROM orders WHERE order_id IN %s", (order_ids,))
    missing = sorted(set(order_ids) - {order_id.rstrip(" ") for (order_id,) in cursor.fetchall()})
    if missing:
        # Waits until a worker that is recording the order has committed.
        cursor.executemany(
            "INSERT INTO orders"  # noqa: S608
            " (order_id, created_at, customer_name, item, quantity, state_version, recorded_in)"
            f" VALUES (%s, NULL, '{ERASED}', '', 0, 0, {ERASED_ID})"
            " ON DUPLICATE KEY UPDATE order_id = orders.order_id",
            [(order_id,) for order_id in missing],
        )
    cursor.execute("SELECT id FROM orders WHERE order_id IN %s", (order_ids,))
    # Recorded now, so that `ReconcileOrders` compares the rows, and `BackupOrders` writes their days again.
    return _erase_rows(cursor, [row_id for (row_id,) in cursor.fetchall()], recording_number())


def _erase_rows(cursor: Cursor, row_ids: Sequence[int], number: int | None = None) -> int:
    also = "" if number is None else f", recorded_in = IF(recorded_in IS NULL, NULL, {number})"
    erased = cursor.execute(
        f"UPDATE orders SET customer_name = '{ERASED}', attributes = NULL{also}"  # noqa: S608
        f" WHERE id IN %s AND {NOT_ERASED}",
        (row_ids,),
    )
    cursor.execute(f"{ERASE_CHANGES} WHERE order_row IN %s AND {IS_PERSONAL}", (row_ids,))
    return erased
