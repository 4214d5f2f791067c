"""The table `order_events` in MySQL, and the one statement that moves orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from pymysql.cursors import Cursor

from orders.states import RESTORED, Change, Progress, State
from stores.mysql.connection import text

CHANGE = "version, from_state, to_state, at, actor, reason"


def change_of(row: Sequence[Any]) -> Change:
    """Return the change in a row with the columns `CHANGE`."""
    version, came_from, to, at, actor, reason = row
    return Change(version, State(came_from), State(to), at.replace(tzinfo=UTC), actor, reason)


def move(
    cursor: Cursor,
    row_id: int,
    seen: Progress,
    moved: Progress,
    event: Change,
    key_hash: bytes | None = None,
    request_hash: bytes | None = None,
) -> bool:
    """Move an order if it still has the version and state that were `seen`; return whether it was moved.

    In READ COMMITTED, an UPDATE by the primary key locks nothing without a match. MariaDB would choose the
    index `orders_open` while few orders have the state, and keep a lock.
    """
    times = (text(moved.at), text(moved.ready_at))
    is_moved = cursor.execute(
        "UPDATE orders FORCE INDEX (PRIMARY)"
        " SET state = %s, state_version = %s, state_at = %s, ready_at = %s"
        " WHERE id = %s AND state_version = %s AND state = %s",
        (moved.state, moved.version, *times, row_id, seen.version, seen.state),
    )
    if is_moved:
        change = (event.version, event.came_from, event.to, text(event.at), event.actor, event.reason)
        cursor.execute(
            f"INSERT INTO order_events (order_row, {CHANGE}, key_hash, request_hash)"  # noqa: S608
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (row_id, *change, key_hash, request_hash),
        )
    return bool(is_moved)


def adopt(cursor: Cursor, newer: Mapping[str, Progress]) -> None:
    """Adopt newer states of DynamoDB, which a restore of the database lost.

    A row with the same or a later version stays as it is. A row from a backup without states gets its first
    one.
    """
    cursor.execute("SELECT UTC_TIMESTAMP(3)")
    ((now,),) = cursor.fetchall()
    for order_id in sorted(newer):
        progress = newer[order_id]
        cursor.execute(
            "SELECT id, state, state_version FROM orders WHERE order_id = %s AND state_version < %s",
            (order_id, progress.version),
        )
        for row_id, state, version in cursor.fetchall():
            seen = Progress(State(state), version, None) if state else _begin(cursor, row_id, progress)
            if progress.version == seen.version:
                continue
            event = Change(progress.version, seen.state, progress.state, now.replace(tzinfo=UTC), RESTORED)
            move(cursor, row_id, seen, progress, event)


def _begin(cursor: Cursor, row_id: int, progress: Progress) -> Progress:
    """Set and return the first state of a row without one; it has no event."""
    cursor.execute(
        "UPDATE orders SET state = %s, state_version = 1, state_at = %s WHERE id = %s AND state IS NULL",
        (State.RECEIVED, text(progress.at), row_id),
    )
    return Progress(State.RECEIVED, 1, None)
