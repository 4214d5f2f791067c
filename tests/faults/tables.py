"""DynamoDB without a client, whose requests would be most of the tests' time."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError
from moto.backends import get_backend
from moto.dynamodb.exceptions import ConditionalCheckFailed

from stores.dynamodb.client import Item, TableNames
from tests import partiql


class Tables:
    """moto's tables: the operations that the worker calls, as botocore's client has them."""

    def __init__(self, names: TableNames) -> None:
        self.names = names
        self._backend: Any = get_backend("dynamodb")["123456789012"]["us-east-1"]

    def clear(self) -> None:
        """Remove all items."""
        for table in (self.names.orders, self.names.menu, self.names.metrics):
            self._backend.tables[table].items.clear()

    def items(self, table: str) -> list[Item]:
        """Return all items of a table."""
        return [item.to_json()["Attributes"] for item in self._backend.tables[table].items.values()]

    def batch_write_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803
        """Put items."""
        for table, requests in RequestItems.items():
            for request in requests:
                self._backend.put_item(table, request["PutRequest"]["Item"])
        return {}

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803
        """Read whole items."""
        found = {
            table: [self._backend.get_item(table, key) for key in request["Keys"]]
            for table, request in RequestItems.items()
        }
        return {
            "Responses": {
                table: [item.to_json()["Attributes"] for item in items if item]
                for table, items in found.items()
            }
        }

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Update an item on a condition."""
        try:
            self._backend.update_item(
                request["TableName"],
                request["Key"],
                update_expression=request["UpdateExpression"],
                expression_attribute_names=request["ExpressionAttributeNames"],
                expression_attribute_values=request["ExpressionAttributeValues"],
                condition_expression=request["ConditionExpression"],
            )
        except ConditionalCheckFailed:
            there = self._backend.get_item(request["TableName"], request["Key"])
            item = there.to_json()["Attributes"] if there else None
            raise error("ConditionalCheckFailedException", "UpdateItem", item) from None
        return {}

    def batch_execute_statement(self, Statements: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        """Update items by PartiQL."""
        return partiql.execute(self.update_item, Statements)


class TablesInMemory:
    """The same writes on a dictionary, for thousands of orders and several threads."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self._lock = threading.Lock()

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        """Put items."""
        for table, requests in RequestItems.items():
            for request in requests:
                item = request["PutRequest"]["Item"]
                self.items[table, item["orderId"]["S"]] = item
        return {}

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Update an item over an older version; make one where the condition lets it."""
        ((_, key),) = request["Key"].items()
        place = request["TableName"], key["S"]
        may_make = "attribute_not_exists" in request["ConditionExpression"]
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        changes = dict(
            change.split(" = ") for change in request["UpdateExpression"][len("SET ") :].split(", ")
        )
        new = {names.get(name, name): values[value] for name, value in changes.items()}
        with self._lock:
            there = self.items.get(place)
            is_older = int(there["version"]["N"]) < int(new["version"]["N"]) if there else may_make
            if not is_older:
                raise error("ConditionalCheckFailedException", "UpdateItem", there)
            self.items[place] = new
        return {}

    def batch_execute_statement(self, Statements: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        """Update items by PartiQL."""
        return partiql.execute(self.update_item, Statements)


def error(code: str, operation: str, item: Item | None = None) -> ClientError:
    """Return an error as botocore raises it."""
    response: Any = {"Error": {"Code": code, "Message": ""}, **({"Item": item} if item else {})}
    return ClientError(response, operation)
