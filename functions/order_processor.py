"""The worker: record orders from `OrderQueue` in MySQL and DynamoDB."""

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
from recording_metrics import RecordingMetrics
from redelivery import back_off
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.projection import Projection
from stores.mysql.connection import MySql
from stores.mysql.login import LoginSecret
from stores.mysql.orders import OrdersDatabase
from stores.sqs import OrderQueue


class BatchResponse(TypedDict):
    """Messages that stay on the queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """

    batchItemFailures: list[dict[str, str]]


@cache
def ledger() -> Ledger:
    """Return the ledger, connected to both stores once per process."""
    zone = environment.time_zone()
    database = OrdersDatabase(MySql(LoginSecret(environment.database_secret())), zone)
    projection = Projection(DynamoDb(), environment.table_names(), zone)
    return Ledger(database, projection, zone, environment.retention())


@cache
def order_queue() -> OrderQueue:
    """Return the queue, opened when the first message fails."""
    return OrderQueue(environment.queue_url())


def handler(event: dict[str, Any], context: Any) -> BatchResponse:
    """Write a batch of orders to both stores; report the messages that failed, and only those."""
    began = time.monotonic()
    failure_log = FailureLog(event["Records"], context)
    received, rejected = parse_batch(event["Records"])
    for bad in rejected:
        failure_log.rejected(bad)
    recording = RecordingMetrics(failure_log.receives, received)
    recording.begin()
    recorded = ledger().record_batch({message.message_id: message.order for message in received})
    recording.end(recorded)
    failed = recorded.failures | {bad.message_id: bad.reason for bad in rejected}
    processed = []
    for message in received:
        if message.message_id in failed:
            failure_log.failed(message, failed[message.message_id])
        else:
            line: dict[str, object] = {"orderId": message.order.order_id, "messageId": message.message_id}
            if (receive := failure_log.receives[message.message_id]) > 1:
                line["receive"] = receive
            if message.order.ignored_time:
                line["ignoredTime"] = message.order.ignored_time
            processed.append(line)
    log_each("INFO", "Order processed successfully", processed)
    back_off(order_queue, event["Records"], failed, received=began, context=context)
    return _response(failed)


def _response(message_ids: Iterable[str]) -> BatchResponse:
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}


if environment.function_name():
    ledger()  # create the clients during Lambda's init phase, not in the first invocation
    gc.freeze()  # the garbage collector need not scan what the process keeps
