"""The worker: orders from `OrderQueue` into MySQL and DynamoDB."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable
from functools import cache
from typing import Any, TypedDict

import environment
from failure_log import FailureLog
from log import log_each
from orders.ledger import Ledger
from orders.message import parse_batch
from redelivery import back_off
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.projection import Projection
from stores.mysql.connection import MySql
from stores.mysql.login import LoginSecret
from stores.mysql.orders import OrdersDatabase
from stores.sqs import OrderQueue


class BatchResponse(TypedDict):
    """Which messages stay on the queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """

    batchItemFailures: list[dict[str, str]]


@cache
def ledger() -> Ledger:
    """Connect to both stores once per process."""
    zone = environment.time_zone()
    database = OrdersDatabase(MySql(LoginSecret(environment.database_secret())), zone)
    return Ledger(database, Projection(DynamoDb(), environment.table_names(), zone), zone)


@cache
def order_queue() -> OrderQueue:
    """Open the queue, once a message failed."""
    return OrderQueue(environment.queue_url())


def handler(event: dict[str, Any], context: Any) -> BatchResponse:
    """Write a batch of orders to both stores; report the messages that failed, and only those."""
    began = time.monotonic()
    failure_log = FailureLog(event["Records"], context)
    received, rejected = parse_batch(event["Records"])
    for bad in rejected:
        failure_log.rejected(bad)
    failures = ledger().record({message.message_id: message.order for message in received})
    failed: dict[str, str] = {bad.message_id: bad.reason for bad in rejected}
    processed = []
    for message in received:
        if (reason := failures.get(message.message_id)) is not None:
            failure_log.failed(message, reason)
            failed[message.message_id] = reason
        else:
            about = {"orderId": message.order.order_id, "messageId": message.message_id}
            ignored = {"ignoredTime": message.order.ignored_time} if message.order.ignored_time else {}
            processed.append(about | ignored)
    log_each("INFO", "Order processed successfully", processed)
    back_off(order_queue, event["Records"], failed, received=began, context=context)
    return _response(failed)


def _response(message_ids: Iterable[str]) -> BatchResponse:
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}


if environment.function_name():
    ledger()  # while Lambda starts the function: no invocation waits for the clients
    gc.freeze()  # what is there now stays: looking through it for garbage would hold up a batch
