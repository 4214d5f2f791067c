"""Erase names, further attributes, and actors and reasons in histories, by the orders' age or on request.

A schedule runs it every six hours with `{"action": "retention"}`; operators invoke it to find and erase the
orders of a customer, one order, or an actor (functions/README.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import environment
from log import log, log_each
from orders.erasure import Erased, Eraser, Selector
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.erased_ids import ErasedIds
from stores.dynamodb.projection import Projection
from stores.mysql.connection import MySql
from stores.mysql.erasure import ErasureDatabase
from stores.mysql.login import LoginSecret

ON_REQUEST = 20.0  # seconds of a run that an operator waits for
RESERVE = 60.0  # seconds of the function's time, reserved for its last steps
STATEMENT_TIMEOUT = 60  # seconds


@cache
def database() -> ErasureDatabase:
    """Return the database, opened once per process."""
    mysql = MySql(LoginSecret(environment.database_secret()), timeout=STATEMENT_TIMEOUT)
    return ErasureDatabase(mysql, environment.time_zone())


@cache
def dynamodb() -> DynamoDb:
    """Return the client, created once per process."""
    return DynamoDb()


@cache
def projection() -> Projection:
    """Return the projection."""
    return Projection(dynamodb(), environment.table_names(), environment.time_zone())


def erased_ids() -> ErasedIds:
    """Return the table of the ids of erased orders."""
    return ErasedIds(dynamodb(), environment.erased_orders_table())


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run the event's action; if time is up before it is done, `cursor` in the response is not null.

    Raises StoreUnavailableError if a store is unavailable; the same event can be sent again.
    """
    whole = context.get_remaining_time_in_millis() / 1000 - RESERVE
    action, cursor = event.get("action"), event.get("cursor")
    match action:
        case "find":
            return _eraser(ON_REQUEST).find(Selector.of(event), cursor).document
        case "erase":
            done = _eraser(ON_REQUEST).erase(Selector.of(event), cursor)
            log_each("INFO", "Order erased", [{"orderId": order_id} for order_id in done.order_ids])
        case "apply":
            done = _eraser(whole).apply(cursor)
        case "retention":
            done = _retention(_eraser(whole))
        case other:
            raise ValueError(f"Unknown action {other!r}: must be find, erase, apply or retention.")
    for order_id in done.failed:
        log("ERROR", "Order not erased in DynamoDB", orderId=order_id)
    log("INFO", "Orders erased", action=action, erased=done.erased, failed=len(done.failed), left=done.cursor)
    return done.document


def _retention(eraser: Eraser) -> Erased:
    """Erase the orders in `ErasedOrders` again, and then old orders.

    A manual restore of the database may have brought names back.
    """
    done = eraser.apply(None)
    retention = environment.retention()
    if done.cursor is not None:
        return done
    if retention is None:
        # Without the setting, old orders are recorded with names. Once it is set again, a run must start from
        # the oldest order.
        eraser.database.forget_erased_until()
        return done
    old = eraser.erase_old(datetime.now(UTC) - retention)
    old.erased += done.erased
    old.failed += done.failed
    return old


def _eraser(seconds: float) -> Eraser:
    return Eraser(database(), projection(), erased_ids(), _until(seconds))


def _until(seconds: float) -> Callable[[], float]:
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()
