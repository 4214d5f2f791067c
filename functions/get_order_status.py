"""`GET /order-status`: what the order-status page shows.

An operator, whom IAM lets in, may call the function itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from stores.dynamodb.tables import QUICKER, OrdersTables, TableNames

from http_answers import HttpAnswer, answer, cached_answer, has_secret
from log import log
from orders.names import CustomerNames
from orders.status import NothingKnownError, order_status
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.mysql.secret import LoginSecret
from stores.sqs import OrderQueues

# Seconds: a database that is stuck must leave time to tell what the others know.
PATIENCE = 2


@cache
def ask() -> Callable[[], tuple[dict[str, Any], dict[str, str]]]:
    """Connect to every source once per process."""
    zone = ZoneInfo(os.environ["TIME_ZONE"])
    database = OrdersDatabase(
        MySql(LoginSecret(os.environ["DATABASE_SECRET"]), timeout=PATIENCE, patience=PATIENCE)
    )
    names = TableNames(os.environ["ORDERS_TABLE"], os.environ["MENU_TABLE"], os.environ["METRICS_TABLE"])
    tables = OrdersTables(names, zone, config=QUICKER)
    queues = OrderQueues(os.environ["QUEUE_URL"], os.environ["DEAD_LETTER_QUEUE_URL"])
    told = CustomerNames(os.environ.get("CUSTOMER_NAMES", CustomerNames.INITIAL))
    return lambda: order_status(database, tables, queues, zone, told, datetime.now(UTC))


def handler(event: dict[str, Any], context: object) -> HttpAnswer:
    """Tell what is known, which sources are silent, and `503` only when all are."""
    if not _is_let_in(event):
        return answer(403, {"message": "The order status is not to be had here: open the order-status page."})
    try:
        status, silent = ask()()
    except NothingKnownError as error:
        log("ERROR", "No source answered", reasons=error.reasons)
        return answer(503, {"message": "The order status is not known just now; it is asked for again."})
    for source, reason in silent.items():
        log("ERROR", "Source silent", source=source, reason=reason)
    return cached_answer(event, status, passing="generated_at")


def _is_let_in(event: dict[str, Any]) -> bool:
    """Tell whether a request came the one way that the stack allows, also while a deploy changes it."""
    # Every request over HTTP has a context, which API Gateway writes and no client can leave out.
    if "requestContext" not in event:
        return True
    if "SIGNED_IN_ONLY" in os.environ and not (event["requestContext"].get("authorizer") or {}).get("claims"):
        return False
    # Where only CloudFront may ask, it adds a secret.
    wanted = os.environ.get("ORIGIN_SECRET_SHA256")
    return not wanted or has_secret(event, "x-origin-secret", wanted)
