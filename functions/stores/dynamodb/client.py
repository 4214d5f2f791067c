"""DynamoDB calls with retries and the functions' own errors."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orders.exact_json import shortest
from orders.failures import OrderRefusedError, StoreUnavailableError
from stores import aws

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MAX_KEYS = 100
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
MAX_PUTS = 25
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
MAX_STATEMENTS = 25
ATTEMPTS = 8
LONGEST_PAUSE = 1.0  # seconds
TRANSIENT = {
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "InternalServerError",
    "TransactionConflictException",  # an earlier release writes in transactions
}
REFUSED = {"ValidationException", "ItemCollectionSizeLimitExceededException"}
WRITES = {"batch_write_item", "put_item", "update_item"}

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TableNames:
    """Names of the three tables."""

    orders: str
    menu: str
    metrics: str


class ConditionFailedError(Exception):
    """A write's condition is not met; `item` is the stored item, if the write requested it."""

    def __init__(self, item: Item) -> None:
        super().__init__()
        self.item = item


class DynamoDb:
    """DynamoDB with retries.

    Every method that writes raises OrderRefusedError if DynamoDB refuses an item.
    """

    def __init__(self, config: aws.ClientConfig = aws.FOR_BATCHES, client: Any = None) -> None:
        self._client: Any = client or aws.client("dynamodb", config)

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Call an operation, such as `update_item`; raise ConditionFailedError if its condition fails."""
        for attempt in range(ATTEMPTS):
            try:
                response: dict[str, Any] = getattr(self._client, operation)(**request)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ConditionalCheckFailedException":
                    item: Any = error.response.get("Item", {})
                    raise ConditionFailedError(item) from error
                if code in REFUSED and operation in WRITES:
                    raise OrderRefusedError(f"DynamoDB: {code}") from error
                if code not in TRANSIENT or attempt == ATTEMPTS - 1:
                    raise StoreUnavailableError(f"DynamoDB: {code}") from error
            except BotoCoreError as error:
                raise StoreUnavailableError(f"DynamoDB: {error}") from error
            else:
                return response
            _pause(attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def update(self, table: str, key: Item, update: str, values: Mapping[str, Item], **options: Any) -> None:
        """Update an item; raise ConditionFailedError if a condition among the `options` fails."""
        self.call(
            "update_item",
            TableName=table,
            Key=key,
            UpdateExpression=update,
            ExpressionAttributeValues=values,
            **options,
        )

    def get(
        self, table: str, keys: Sequence[Item], *, consistent: bool, attributes: str | None = None
    ) -> Iterator[Item]:
        """Yield the items of those keys that exist, or some of their `attributes`, in any order."""
        options = {"ProjectionExpression": attributes} if attributes else {}
        for start in range(0, len(keys), MAX_KEYS):
            some = keys[start : start + MAX_KEYS]
            request = {table: {"Keys": some, "ConsistentRead": consistent, **options}}
            for response in self._batches("batch_get_item", request, "UnprocessedKeys"):
                yield from response["Responses"].get(table, [])

    def put(self, table: str, items: Sequence[Item]) -> None:
        """Put up to `MAX_PUTS` items unconditionally."""
        request = {table: [{"PutRequest": {"Item": item}} for item in items]}
        for _ in self._batches("batch_write_item", request, "UnprocessedItems"):
            continue

    def scan(self, table: str, **options: Any) -> Iterator[Item]:
        """Yield every item of a table or an index; `options` are parameters of Scan."""
        request = {"TableName": table, **options}
        while True:
            response = self.call("scan", **request)
            yield from response["Items"]
            if not response.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = response["LastEvaluatedKey"]

    def _batches(self, operation: str, request: Any, unprocessed: str) -> Iterator[dict[str, Any]]:
        """Yield the responses to a batch and to the unprocessed parts of it."""
        for attempt in range(ATTEMPTS):
            response = self.call(operation, RequestItems=request)
            yield response
            request = response.get(unprocessed)
            if not request:
                return
            _pause(attempt)
        raise StoreUnavailableError("DynamoDB: throttled")


def attribute(value: object) -> dict[str, Any]:
    """Return a JSON value with numbers of `exact_json.exact` as a typed attribute of DynamoDB."""
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": shortest(value)}
        case None:
            return {"NULL": True}
        case list():
            return {"L": [attribute(element) for element in value]}
        case dict():
            return {"M": {name: attribute(element) for name, element in value.items()}}
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def integer(item: Item, name: str) -> int:
    """Return an integer attribute; 0 if it is missing or has another type."""
    try:
        return int(item[name]["N"])
    except (KeyError, ValueError):
        return 0


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.02 * 2**attempt)))  # noqa: S311
