"""`GET /order-status`: the data of the order-status page.

An operator with the IAM permission may invoke the function directly.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import environment
from http_responses import HttpResponse, cached_response, came_through_cloudfront, response
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
IDLE = 60  # seconds; the user's connections are limited, and an ended process must not keep one for long


@cache
def read_status() -> Callable[[], tuple[dict[str, Any], dict[str, str]]]:
    """Open every source once per process; return a function that reads them."""
    zone = environment.time_zone()
    mysql = MySql(LoginSecret(environment.database_secret()), timeout=TIMEOUT, idle=IDLE)
    database = StatusDatabase(mysql)
    metrics = Metrics(DynamoDb(aws.FOR_REQUESTS), environment.table_names().metrics)
    queues = OrderQueues(environment.queue_url(), environment.dead_letter_queue_url())
    names = CustomerNames(environment.customer_names())
    hours = environment.open_hours()
    return lambda: order_status(database, metrics, queues, zone, names, datetime.now(UTC), hours)


def handler(event: dict[str, Any], context: object) -> HttpResponse:
    """Return the status as far as it is known; `503` only if no source is available."""
    if not _is_allowed(event):
        message = "The order status is not available at this address: open the order-status page."
        return response(403, {"message": message})
    try:
        status, unavailable = read_status()()
    except AllUnavailableError as error:
        log("ERROR", "No source available", reasons=error.reasons)
        return response(503, {"message": "The order status is temporarily unavailable; please try again."})
    for source, reason in unavailable.items():
        log("ERROR", "Source not available", source=source, reason=reason)
    return cached_response(event, status, volatile="generated_at")


def _is_allowed(event: dict[str, Any]) -> bool:
    """Return whether the stack's settings allow a request.

    API Gateway and CloudFront enforce the settings, too, but a deploy updates this function first.
    """
    # API Gateway adds a `requestContext` to every request; no client can leave it out.
    if "requestContext" not in event:
        return True
    if environment.signed_in_only() and not (event["requestContext"].get("authorizer") or {}).get("claims"):
        return False
    return came_through_cloudfront(event, environment.origin_secret_sha256())


if environment.function_name():
    read_status()  # create the clients during Lambda's init phase, not in the first invocation
