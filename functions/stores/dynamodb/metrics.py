"""What `ReconcileOrders` reads and writes in the DynamoDB tables, besides recording orders."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from orders.counters import DEAD_LETTERS, RDS_ORDERS, TOTAL_ORDERS, Tally
from orders.errors import StoreUnavailableError
from orders.reconciliation import DeadLetterCounts, OutdatedError, RdsOrders
from stores.dynamodb.tables import (
    ATTEMPTS,
    LONGEST_PAUSE,
    MAX_ACTIONS,
    PASSING,
    QUICK,
    TableNames,
    addition,
    rds_orders,
)

MAX_KEYS = 100  # of one BatchGetItem


class OrderCounts:
    """Orders by their keys, every counter, and the items `RDS_ORDERS` and `DEAD_LETTERS`.

    Every method raises StoreUnavailableError if DynamoDB does not answer.

    Parameters
    ----------
    max_actions
        Actions of one transaction, at most; only tests set it.
    """

    def __init__(self, names: TableNames, client: Any = None, max_actions: int = MAX_ACTIONS) -> None:
        self._names = names
        self._max_actions = max_actions
        self._client: Any = client or boto3.client("dynamodb", config=QUICK)

    def missing(self, order_ids: Sequence[str]) -> set[str]:
        """Tell which orders are not there."""
        return set(order_ids) - {
            found
            for start in range(0, len(order_ids), MAX_KEYS)
            for found in self._found(order_ids[start : start + MAX_KEYS])
        }

    def total(self) -> int:
        """Read `TOTAL_ORDERS`."""
        return int(self._metric(TOTAL_ORDERS).get("count", {"N": "0"})["N"])

    def rds_orders(self) -> RdsOrders:
        """Read what the last run left."""
        return rds_orders(self._metric(RDS_ORDERS))

    def save(self, found: RdsOrders) -> None:
        """Write what this run leaves.

        Raises
        ------
        OutdatedError
            If another run has written since `found.version` was read.
        """
        values = {**_item(found), ":before": {"N": str(found.version)}}
        self._write(
            {
                **self._rds_orders_key(),
                "UpdateExpression": "SET #count = :count, as_of = :as_of, drift = :drift,"
                " drift_since = :drift_since, marks = :marks, settled_id = :settled_id,"
                " settled_count = :settled_count, version = :version",
                "ConditionExpression": "version = :before OR attribute_not_exists(version)",
                "ExpressionAttributeNames": {"#count": "count"},
                "ExpressionAttributeValues": values,
            }
        )

    def save_dead_letters(self, found: DeadLetterCounts) -> None:
        """Write what the sweep left."""
        self._call(
            "update_item",
            TableName=self._names.metrics,
            Key={"metric": {"S": DEAD_LETTERS}},
            UpdateExpression="SET rejected = :rejected, waiting = :waiting, as_of = :as_of",
            ExpressionAttributeValues={
                ":rejected": {"N": str(found.rejected)},
                ":waiting": {"N": str(found.waiting)},
                ":as_of": {"S": _text(found.as_of)},
            },
        )

    def everything(self) -> tuple[dict[str, int], dict[str, int]]:
        """Read every counter: of the metrics and of the menu."""
        return (
            dict(self._counters(self._names.metrics, "metric", "count")),
            dict(self._counters(self._names.menu, "item", "orders")),
        )

    def correct(self, change: Tally, version: int) -> None:
        """Add to counters, in as few transactions as it takes.

        Raises
        ------
        OutdatedError
            If another run has written since the version was read; a part may be written.
        """
        updates = [
            *(addition(self._names.metrics, "metric", key, "count", n) for key, n in change.metrics.items()),
            *(addition(self._names.menu, "item", item, "orders", n) for item, n in change.menu.items()),
        ]
        for update in updates:
            if expires_at := change.expiring.get(update["Key"].get("metric", {}).get("S", "")):
                update["UpdateExpression"] += " SET expires_at = :expires_at"
                update["ExpressionAttributeValues"][":expires_at"] = {"N": str(int(expires_at.timestamp()))}
        room = self._max_actions - 1
        for done, start in enumerate(range(0, len(updates), room)):
            self._write(self._next_version(version + done), *updates[start : start + room])

    def _write(self, *updates: dict[str, Any]) -> None:
        """Write in one transaction; once, even if an answer gets lost."""
        items = [{"Update": update} for update in updates]
        for attempt in range(ATTEMPTS):
            try:
                self._client.transact_write_items(TransactItems=items)
                return
            except ClientError as error:
                codes = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])}
                if "ConditionalCheckFailed" in codes:
                    raise OutdatedError from error
                reasons = (codes - {"None"}) or {error.response["Error"]["Code"]}
                if not reasons <= PASSING or attempt == ATTEMPTS - 1:
                    raise StoreUnavailableError(f"DynamoDB: {', '.join(sorted(reasons))}") from error
            except BotoCoreError as error:
                raise StoreUnavailableError(f"DynamoDB: {error}") from error
            _pause(attempt)

    def _found(self, order_ids: Sequence[str]) -> Iterator[str]:
        if not order_ids:
            return
        table = self._names.orders
        request: Any = {
            table: {
                "Keys": [{"orderId": {"S": order_id}} for order_id in order_ids],
                "ProjectionExpression": "orderId",
                "ConsistentRead": True,
            }
        }
        for attempt in range(ATTEMPTS):
            answer = self._call("batch_get_item", RequestItems=request)
            yield from (item["orderId"]["S"] for item in answer["Responses"].get(table, []))
            request = answer.get("UnprocessedKeys")
            if not request:
                return
            _pause(attempt)
        raise StoreUnavailableError("DynamoDB: throttled")

    def _metric(self, key: str) -> dict[str, Any]:
        """Read one item of the metrics, empty if it is not there."""
        table = self._names.metrics
        request = {table: {"Keys": [{"metric": {"S": key}}], "ConsistentRead": True}}
        for attempt in range(ATTEMPTS):
            answer = self._call("batch_get_item", RequestItems=request)
            if not answer.get("UnprocessedKeys"):
                items: list[dict[str, Any]] = answer["Responses"].get(table, [])
                return items[0] if items else {}
            _pause(attempt)
        raise StoreUnavailableError("DynamoDB: throttled")

    def _counters(self, table: str, key: str, counter: str) -> Iterator[tuple[str, int]]:
        request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
        while True:
            answer = self._call("scan", **request)
            for item in answer["Items"]:
                yield item[key]["S"], int(item.get(counter, {"N": "0"})["N"])
            if not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**request)
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailableError(f"DynamoDB: {error}") from error
        return answer

    def _rds_orders_key(self) -> dict[str, Any]:
        return {"TableName": self._names.metrics, "Key": {"metric": {"S": RDS_ORDERS}}}

    def _next_version(self, version: int) -> dict[str, Any]:
        return {
            **self._rds_orders_key(),
            "UpdateExpression": "SET version = :version",
            "ConditionExpression": "version = :before",
            "ExpressionAttributeValues": {
                ":version": {"N": str(version + 1)},
                ":before": {"N": str(version)},
            },
        }


def _item(found: RdsOrders) -> dict[str, Any]:
    marks = [{"M": {"at": {"S": _text(mark.at)}, "id": {"N": str(mark.id)}}} for mark in found.marks]
    return {
        ":count": {"N": str(found.count)},
        ":as_of": {"S": _text(found.as_of)},
        ":drift": {"N": str(found.drift)},
        ":drift_since": {"S": _text(found.drift_since)},
        ":settled_id": {"N": str(found.settled_id)},
        ":settled_count": {"N": str(found.settled_count)},
        ":marks": {"L": marks},
        ":version": {"N": str(found.version + 1)},
    }


def _text(moment: datetime | None) -> str:
    return moment.isoformat(timespec="milliseconds") if moment else ""


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.02 * 2**attempt)))  # noqa: S311
