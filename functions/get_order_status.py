"""`GET /order-status`: what the order-status page shows.

An operator, whom IAM lets in, may call the function itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import environment
from http_responses import HttpResponse, answer, cached_response, came_through_cloudfront
from log import log
from orders.names import CustomerNames
from orders.status import AllUnavailableError, order_status
from stores import aws
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.metrics import Metrics
from stores.mysql.connection import MySql
from stores.mysql.login import LoginSecret
from stores.mysql.status import StatusDatabase
from stores.sqs import OrderQueues

TIMEOUT = 2  # seconds; a database that hangs must leave time to return what the other sources have
# Seconds. The user's connections are limited, and a process that is gone must not keep one for long.
IDLE = 60


@cache
def read_status() -> Callable[[], tuple[dict[str, Any], dict[str, str]]]:
    """Open every source once per process, and return what reads them."""
    zone = environment.time_zone()
    mysql = MySql(LoginSecret(environment.database_secret()), timeout=TIMEOUT, patience=TIMEOUT, idle=IDLE)
    metrics = Metrics(DynamoDb(aws.FOR_REQUESTS), environment.table_names().metrics)
    queues = OrderQueues(environment.queue_url(), environment.dead_letter_queue_url())
    names = CustomerNames(environment.customer_names())
    hours = environment.open_hours()
    return lambda: order_status(StatusDatabase(mysql), metrics, queues, zone, names, datetime.now(UTC), hours)


def handler(event: dict[str, Any], context: object) -> HttpResponse:
    """Return the status as far as it is known; `503` only if no source is available."""
    if not _is_allowed(event):
        message = "The order status is not available at this address: open the order-status page."
        return answer(403, {"message": message})
    try:
        status, unavailable = read_status()()
    except AllUnavailableError as error:
        log("ERROR", "No source available", reasons=error.reasons)
        return answer(503, {"message": "The order status is not available just now; please try again."})
    for source, reason in unavailable.items():
        log("ERROR", "Source not available", source=source, reason=reason)
    return cached_response(event, status, passing="generated_at")


def _is_allowed(event: dict[str, Any]) -> bool:
    """Return whether a request came by the one path that the stack allows, also while a deploy changes it."""
    # Every request over HTTP has a context, which API Gateway writes and no client can leave out.
    if "requestContext" not in event:
        return True
    if environment.signed_in_only() and not (event["requestContext"].get("authorizer") or {}).get("claims"):
        return False
    return came_through_cloudfront(event, environment.origin_secret_sha256())


if environment.function_name():
    read_status()  # while Lambda starts the function: no invocation waits for the clients
