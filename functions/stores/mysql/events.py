"""The table `order_events` in MySQL: the changes of orders, and the statements that make them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pymysql.cursors import Cursor

from orders.states import RESTORED, Change, Progress, State
from stores.mysql.connection import naive

Repeated = tuple[int, bytes]  # the version of a change, and the hash of its request


def read(cursor: Cursor, row_id: int, key_hash: bytes | None) -> tuple[list[Change], Repeated | None]:
    """Read the changes of an order, the oldest first, and which of them has an idempotency key."""
    cursor.execute(
        "SELECT version, from_state, to_state, at, actor, reason, key_hash, request_hash FROM order_events"
        " WHERE order_row = %s ORDER BY version",
        (row_id,),
    )
    changes, repeated = list[Change](), None
    for version, came_from, to, at, actor, reason, its_key, its_request in cursor:
        changes.append(Change(version, State(came_from), State(to), at.replace(tzinfo=UTC), actor, reason))
        if key_hash is not None and its_key == key_hash:
            repeated = (version, bytes(its_request))
    return changes, repeated


def move(cursor: Cursor, row_id: int, seen: Progress, moved: Progress) -> bool:
    """Move an order that still has the version and the state that were seen; return whether it did.

    In READ COMMITTED an UPDATE that matches nothing locks nothing.
    """
    return bool(
        cursor.execute(
            "UPDATE orders SET state = %s, state_version = %s, state_at = %s, ready_at = %s"
            " WHERE id = %s AND state_version = %s AND state = %s",
            (
                moved.state,
                moved.version,
                _text(moved.at),
                _text(moved.ready_at),
                row_id,
                seen.version,
                seen.state,
            ),
        )
    )


def add(
    cursor: Cursor,
    row_id: int,
    change: Change,
    key_hash: bytes | None = None,
    request_hash: bytes | None = None,
) -> None:
    """Insert the event of a change."""
    cursor.execute(
        "INSERT INTO order_events"
        " (order_row, version, from_state, to_state, at, actor, reason, key_hash, request_hash)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            row_id,
            change.version,
            change.came_from,
            change.to,
            _text(change.at),
            change.actor,
            change.reason,
            key_hash,
            request_hash,
        ),
    )


def adopt(cursor: Cursor, newer: Mapping[str, Progress]) -> None:
    """Give orders the states of a later version; a row that has it, or has no state, stays as it is."""
    cursor.execute("SELECT UTC_TIMESTAMP(3)")
    ((now,),) = cursor.fetchall()
    for order_id in sorted(newer):
        progress = newer[order_id]
        cursor.execute(
            "SELECT id, state, state_version FROM orders"
            " WHERE order_id = %s AND state IS NOT NULL AND state_version < %s",
            (order_id, progress.version),
        )
        for row_id, state, version in cursor.fetchall():
            if move(cursor, row_id, Progress(State(state), version, None), progress):
                at = now.replace(tzinfo=UTC)
                add(cursor, row_id, Change(progress.version, State(state), progress.state, at, RESTORED))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else naive(moment).isoformat(" ", "milliseconds")
