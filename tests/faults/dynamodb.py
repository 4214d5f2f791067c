"""DynamoDB in memory: botocore's requests and moto's tables would be most of the tests' time."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from bench.expressions import Expressions
from stores.dynamodb.client import Item
from tests import partiql
from tests.stores import KEYS


class DynamoDbTables:
    """The tables, with the operations that the worker calls, as botocore's client has them."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        """All items, by their table and key."""
        self._lock = threading.Lock()

    def of(self, table: str) -> list[Item]:
        """Return all items of a table."""
        return [item for (name, _), item in self.items.items() if name == table]

    def batch_write_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803
        """Put items."""
        for table, requests in RequestItems.items():
            for request in requests:
                item = request["PutRequest"]["Item"]
                self.items[_key(table, item)] = item
        return {}

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803
        """Read whole items."""
        keys = {
            table: [_key(table, key) for key in request["Keys"]] for table, request in RequestItems.items()
        }
        return {
            "Responses": {
                table: [self.items[key] for key in found if key in self.items]
                for table, found in keys.items()
            }
        }

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Update an item if it meets the condition."""
        key, expressions = _key(request["TableName"], request["Key"]), Expressions(request)
        with self._lock:
            item = self.items.get(key)
            if not expressions.holds(request["ConditionExpression"], item):
                raise error("ConditionalCheckFailedException", "UpdateItem", item)
            self.items[key] = expressions.update(request["UpdateExpression"], item or request["Key"])
        return {}

    def batch_execute_statement(self, Statements: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        """Update items by PartiQL."""
        return partiql.execute(self.update_item, Statements)


def _key(table: str, item: Item) -> tuple[str, str]:
    return table, item[KEYS[table]]["S"]


def error(code: str, operation: str, item: Item | None = None) -> ClientError:
    """Return an error as botocore raises it."""
    response: Any = {"Error": {"Code": code, "Message": ""}, **({"Item": item} if item else {})}
    return ClientError(response, operation)
