"""DynamoDB in memory: botocore's requests to moto take most of the time of the tests that send them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError
from botocore.validate import ParamValidator

from bench.expressions import Expressions
from stores.dynamodb.client import Item, TableNames
from tests import partiql

NAMES = TableNames("Orders", "CafeMenu", "CafeOrderMetrics")
ERASED = "ErasedOrders"
KEYS = {"Orders": "orderId", "CafeMenu": "item", "CafeOrderMetrics": "metric", ERASED: "orderId"}


class DynamoDbTables:
    """The tables, with operations as botocore's client has them."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        """All items, by their table and key."""
        self._lock = threading.Lock()

    def of(self, table: str) -> list[Item]:
        """Return all items of a table."""
        return [item for (name, _), item in [*self.items.items()] if name == table]

    def batch_write_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803
        """Put items."""
        for table, requests in RequestItems.items():
            for request in requests:
                item = request["PutRequest"]["Item"]
                self.items[_key(table, item)] = item
        return {}

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803
        """Read items, or some of their attributes."""
        return {
            "Responses": {
                table: [
                    _projection(self.items[key], request.get("ProjectionExpression"))
                    for key in (_key(table, each) for each in request["Keys"])
                    if key in self.items
                ]
                for table, request in RequestItems.items()
            }
        }

    def get_item(self, TableName: str, Key: Item) -> dict[str, Any]:  # noqa: N803
        """Read an item."""
        item = self.items.get(_key(TableName, Key))
        return {} if item is None else {"Item": item}

    def scan(self, TableName: str, **request: Any) -> dict[str, Any]:  # noqa: N803
        """Read all items of a table, or those after a key."""
        items = self.of(TableName)
        if start := request.get("ExclusiveStartKey"):
            items = items[1 + [_key(TableName, each) for each in items].index(_key(TableName, start)) :]
        return {"Items": items}

    def put_item(self, **request: Any) -> dict[str, Any]:
        """Put an item if the current one meets the condition."""
        return self._write(request, request["Item"], lambda _: request["Item"])

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Update an item if it meets the condition."""
        key, expressions = request["Key"], Expressions(request)
        return self._write(
            request, key, lambda item: expressions.update(request["UpdateExpression"], item or key)
        )

    def delete_item(self, TableName: str, Key: Item) -> dict[str, Any]:  # noqa: N803
        """Delete an item."""
        self.items.pop(_key(TableName, Key), None)
        return {}

    def batch_execute_statement(self, Statements: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        """Update items by PartiQL."""
        return partiql.execute(self.update_item, Statements)

    def _write(
        self, request: Mapping[str, Any], key: Item, change: Callable[[Item | None], Item]
    ) -> dict[str, Any]:
        place = _key(request["TableName"], key)
        with self._lock:
            item = self.items.get(place)
            if not Expressions(request).holds(request.get("ConditionExpression"), item):
                raise error("ConditionalCheckFailedException", "a write", item)
            self.items[place] = change(item)
        return {}


class ValidatingClient:
    """A client of tables in memory that validates requests as botocore does.

    Parameters
    ----------
    model
        A client of botocore's, for its description of the service.
    """

    def __init__(self, tables: DynamoDbTables, model: Any) -> None:
        self._tables = tables
        self._meta = model.meta

    def __getattr__(self, name: str) -> Any:
        operation = self._meta.service_model.operation_model(self._meta.method_to_api_mapping[name])
        call = getattr(self._tables, name)

        def validate_and_call(**request: Any) -> Any:
            report = ParamValidator().validate(request, operation.input_shape)
            if report.has_errors():
                raise ParamValidationError(report=report.generate_report())
            return call(**request)

        return validate_and_call


def _key(table: str, item: Item) -> tuple[str, str]:
    return table, item[KEYS[table]]["S"]


def _projection(item: Item, attributes: str | None) -> Item:
    if attributes is None:
        return item
    return {name: item[name] for name in attributes.split(", ") if name in item}


def error(code: str, operation: str, item: Item | None = None) -> ClientError:
    """Return an error as botocore raises it."""
    response: Any = {"Error": {"Code": code, "Message": ""}, **({"Item": item} if item else {})}
    return ClientError(response, operation)
