"""The DynamoDB tables: orders by id, menu counters, order metrics."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.types import TypeSerializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from orders import counters
from orders.errors import OrderRefusedError, StoreUnavailableError
from orders.exact_json import shortest
from orders.order import Order
from orders.reconciliation import DeadLetterCounts, Mark, RdsOrders

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
MAX_ACTIONS = 100
MAX_BYTES = 4 * 1024 * 1024
ATTEMPTS = 8
LONGEST_PAUSE = 1.0  # seconds
# What goes away by itself, as the error of a call or as the reason of a cancelled transaction.
PASSING = {
    "TransactionConflict",
    "TransactionInProgressException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "ThrottlingError",
    "ThrottlingException",
    "RequestLimitExceeded",
    "InternalServerError",
}
# boto3 tries again after a time-out or a 5xx with the same request token, so that DynamoDB writes once.
QUICK = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 2})
# For who has to answer somebody that waits, whatever DynamoDB does.
QUICKER = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})


@dataclass(frozen=True, slots=True)
class TableNames:
    """The names of the three tables."""

    orders: str
    menu: str
    metrics: str


class OrdersTables:
    """Orders and counters in DynamoDB.

    Parameters
    ----------
    names
        The tables' names.
    zone
        The cafe's time zone, in which days are counted.
    max_actions
        Actions of one transaction, at most; only tests set it.
    config
        How long DynamoDB has for its answers.
    """

    def __init__(
        self,
        names: TableNames,
        zone: tzinfo,
        client: Any = None,
        max_actions: int = MAX_ACTIONS,
        config: Config = QUICK,
    ) -> None:
        self._names = names
        self._zone = zone
        self._max_actions = max_actions
        self._client: Any = client or boto3.client("dynamodb", config=config)

    def transactions(self, orders: Sequence[Order]) -> list[list[Order]]:
        """Split orders into groups that fit one transaction each, with their counters."""
        return list(counters.transactions(orders, self._zone, self._max_actions, MAX_BYTES))

    def count(self, orders: Sequence[Order]) -> None:
        """Keep the orders that are not kept yet and add them to every counter, in one transaction.

        Raises
        ------
        StoreUnavailableError
            If conflicts or throttling do not end, or DynamoDB does not answer.
        OrderRefusedError
            If DynamoDB refuses what an order holds.
        """
        uncounted = list(orders)
        reason = ""
        for attempt in range(ATTEMPTS):
            if not uncounted:
                return
            try:
                self._client.transact_write_items(TransactItems=self._actions(uncounted))
                return
            except ClientError as error:
                uncounted, reason = self._after(error, uncounted)
            except BotoCoreError as error:
                raise StoreUnavailableError(f"DynamoDB: {error}") from error
            if reason:
                time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.02 * 2**attempt)))  # noqa: S311
        if uncounted:
            raise StoreUnavailableError(f"DynamoDB: {reason or 'too many changes at once'}")

    def metrics(self, keys: Sequence[str]) -> dict[str, int]:
        """Read counters by their keys in as few calls as it takes; one that was never counted is 0.

        Raises
        ------
        StoreUnavailableError
            If DynamoDB does not answer.
        """
        found = self._metrics(keys)
        return {key: int(found.get(key, {}).get("count", {"N": "0"})["N"]) for key in keys}

    def metrics_and_findings(
        self, keys: Sequence[str]
    ) -> tuple[dict[str, int], RdsOrders, DeadLetterCounts | None]:
        """Read counters, and in the same call what `ReconcileOrders` found last.

        Raises
        ------
        StoreUnavailableError
            If DynamoDB does not answer.
        """
        found = self._metrics([*keys, counters.RDS_ORDERS, counters.DEAD_LETTERS])
        counted = {key: int(found.get(key, {}).get("count", {"N": "0"})["N"]) for key in keys}
        return (
            counted,
            rds_orders(found.get(counters.RDS_ORDERS, {})),
            _dead_letters(found.get(counters.DEAD_LETTERS)),
        )

    def _metrics(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        table = self._names.metrics
        request: Mapping[str, Any] = {
            table: {"Keys": [{"metric": {"S": key}} for key in dict.fromkeys(keys)], "ConsistentRead": True}
        }
        found: dict[str, dict[str, Any]] = {}
        for _ in range(ATTEMPTS):
            try:
                answer = self._client.batch_get_item(RequestItems=request)
            except (BotoCoreError, ClientError) as error:
                raise StoreUnavailableError(f"DynamoDB: {error}") from error
            for item in answer["Responses"].get(table, []):
                found[item["metric"]["S"]] = item
            request = answer.get("UnprocessedKeys", {})
            if not request:
                return found
        raise StoreUnavailableError("DynamoDB: throttled")

    def set_up(self, menu: Mapping[str, Decimal]) -> None:
        """Put the menu's prices and a first `TOTAL_ORDERS` in, and never set a counter back.

        Raises
        ------
        StoreUnavailableError
            If DynamoDB does not answer.
        """
        try:
            self._client.update_item(
                **addition(self._names.metrics, "metric", counters.TOTAL_ORDERS, "count", 0)
            )
            for item, price in menu.items():
                update = addition(self._names.menu, "item", item, "orders", 0)
                update["UpdateExpression"] += " SET price = :price"
                update["ExpressionAttributeValues"][":price"] = {"N": str(price)}
                self._client.update_item(**update)
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailableError(f"DynamoDB: {error}") from error

    def _after(self, error: ClientError, orders: list[Order]) -> tuple[list[Order], str]:
        """Tell which orders still have to be counted after a refused transaction, and why it was refused."""
        codes = [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]
        if "ConditionalCheckFailed" in codes:
            # The transaction's first actions are the orders: those that are kept are counted already.
            return [o for o, code in zip(orders, codes, strict=False) if code != "ConditionalCheckFailed"], ""
        reasons = {code for code in codes if code != "None"} or {error.response["Error"]["Code"]}
        if reasons <= PASSING:
            return orders, ", ".join(sorted(reasons))
        if reasons & {"ValidationError", "ValidationException", "ItemCollectionSizeLimitExceeded"}:
            raise OrderRefusedError("DynamoDB: ValidationException") from error
        raise StoreUnavailableError(f"DynamoDB: {', '.join(sorted(reasons))}") from error

    def _actions(self, orders: Sequence[Order]) -> list[dict[str, Any]]:
        counted = counters.tally(orders, self._zone)
        updates: Iterable[dict[str, Any]] = [
            *(self._metric(counted, key, number) for key, number in sorted(counted.metrics.items())),
            *(
                addition(self._names.menu, "item", item, "orders", number)
                for item, number in sorted(counted.menu.items())
            ),
        ]
        return [*({"Put": self._put(order)} for order in orders), *({"Update": update} for update in updates)]

    def _put(self, order: Order) -> dict[str, Any]:
        return {
            "TableName": self._names.orders,
            "Item": _item(order),
            "ConditionExpression": "attribute_not_exists(orderId)",
        }

    def _metric(self, counted: counters.Tally, key: str, number: int) -> dict[str, Any]:
        update = addition(self._names.metrics, "metric", key, "count", number)
        if key in counted.expiring:
            update["UpdateExpression"] += " SET expires_at = :expires_at"
            expires_at = int(counted.expiring[key].timestamp())
            update["ExpressionAttributeValues"][":expires_at"] = {"N": str(expires_at)}
        return update


def addition(table: str, key: str, value: str, counter: str, number: int) -> dict[str, Any]:
    """Make the update that adds to a counter, which starts at 0."""
    return {
        "TableName": table,
        "Key": {key: {"S": value}},
        "UpdateExpression": "ADD #counter :number",
        "ExpressionAttributeNames": {"#counter": counter},
        "ExpressionAttributeValues": {":number": {"N": str(number)}},
    }


class ItemSerializer(TypeSerializer):
    """Serializes every number that DynamoDB holds; boto3's own refuses 38 digits below 1E-128."""

    def _serialize_n(self, value: int | Decimal) -> str:
        return shortest(value)


def _item(order: Order) -> dict[str, Any]:
    """Write an order down as an item; what was said besides the order's own fields stands next to them."""
    item = {
        **order.attributes,
        "orderId": order.order_id,
        "item": order.item,
        "quantity": order.quantity,
        "customer_name": order.customer_name,
    }
    item.pop("created_at", None)
    if order.created_at is not None:
        item["created_at"] = order.created_at.astimezone(UTC).isoformat(timespec="milliseconds")
    serialize = ItemSerializer().serialize
    return {name: serialize(value) for name, value in item.items()}


def rds_orders(item: dict[str, Any]) -> RdsOrders:
    """Read the item `RDS_ORDERS`; what stands for it before the first run has no `as_of`."""
    if "as_of" not in item:
        return RdsOrders()
    return RdsOrders(
        count=int(item["count"]["N"]),
        # Empty while every run was cut short.
        as_of=datetime.fromisoformat(item["as_of"]["S"]) if item["as_of"]["S"] else None,
        drift=int(item["drift"]["N"]),
        drift_since=_moment(item.get("drift_since")),
        settled_id=int(item["settled_id"]["N"]),
        settled_count=int(item["settled_count"]["N"]),
        marks=tuple(
            Mark(datetime.fromisoformat(mark["M"]["at"]["S"]), int(mark["M"]["id"]["N"]))
            for mark in item["marks"]["L"]
        ),
        version=int(item["version"]["N"]),
    )


def _dead_letters(item: dict[str, Any] | None) -> DeadLetterCounts | None:
    if item is None:
        return None
    return DeadLetterCounts(
        rejected=int(item["rejected"]["N"]),
        waiting=int(item["waiting"]["N"]),
        as_of=datetime.fromisoformat(item["as_of"]["S"]),
    )


def _moment(attribute: dict[str, str] | None) -> datetime | None:
    """Read a time; what wrote the item before may have had none to write."""
    return datetime.fromisoformat(attribute["S"]) if attribute and attribute["S"] else None
