"""Batches of every size, through the worker's handler."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import order_processor
from orders.ledger import Ledger
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.projection import Projection
from stores.mysql.orders import OrdersDatabase
from tests.dynamodb import NAMES, DynamoDbTables
from tests.stores import BERLIN, number_of

NOW = datetime.now(UTC)


@pytest.fixture
def tables(database: OrdersDatabase, monkeypatch: pytest.MonkeyPatch) -> DynamoDbTables:
    """DynamoDB's tables, to which the worker's handler writes."""
    tables = DynamoDbTables()
    ledger = Ledger(database, Projection(DynamoDb(client=tables), NAMES, BERLIN), BERLIN)
    monkeypatch.setattr(order_processor, "ledger", lambda: ledger)
    monkeypatch.setattr(order_processor, "log_each", lambda *_: None)
    return tables


def event(first: int, count: int, **fields: object) -> dict[str, Any]:
    """Return messages with numbered orders, of which every seventh is there twice."""
    attributes = {"SentTimestamp": str(round(NOW.timestamp() * 1000))}
    bodies = [
        json.dumps({"orderId": f"o{number}", "item": f"item {number % 9}", "quantity": 1, **fields})
        for number in range(first, first + count)
    ]
    return {
        "Records": [
            {"messageId": f"m{number}", "body": body, "attributes": attributes}
            for number, body in enumerate([*bodies, *bodies[::7]])
        ]
    }


def in_dynamodb(tables: DynamoDbTables) -> int:
    return sum(table == NAMES.orders for table, _ in tables.items)


@pytest.mark.parametrize("count", [1, 2, 10, 25, 26, 1000, 10_000])
def test_a_batch_of_any_size_is_recorded_and_counted_once(
    database: OrdersDatabase, tables: DynamoDbTables, count: int
) -> None:
    # The second batch has half of the first one's orders, as a delivery after a crash may have.
    for first in (0, count // 2):
        response = order_processor.handler(event(first, count), None)
        assert response == {"batchItemFailures": []}
    recorded = count + count // 2
    assert number_of(database) == in_dynamodb(tables) == recorded
    assert database.counted(["TOTAL_ORDERS"])["TOTAL_ORDERS"].value == recorded
    assert tables.items[NAMES.metrics, "TOTAL_ORDERS"]["count"] == {"N": str(recorded)}
    menu = [item["orders"]["N"] for (table, _), item in tables.items.items() if table == NAMES.menu]
    assert sum(map(int, menu)) == recorded


@pytest.mark.parametrize(("count", "size"), [(4, 250_000), (400, 2500)])
def test_a_batch_of_a_megabyte_is_recorded(
    database: OrdersDatabase, tables: DynamoDbTables, count: int, size: int
) -> None:
    # Quotes and backslashes are escaped twice on their way to MySQL; half of the characters have two bytes.
    note = ("\"\\'é" * size)[: size // 2]
    assert order_processor.handler(event(0, count, note=note), None) == {"batchItemFailures": []}
    assert number_of(database) == in_dynamodb(tables) == count
    assert tables.items[NAMES.orders, "o0"]["note"] == {"S": note}
    # The message lacks the note: the worker reads it from MySQL.
    tables.items.clear()
    assert order_processor.handler(event(0, 1), None) == {"batchItemFailures": []}
    assert tables.items[NAMES.orders, "o0"]["note"] == {"S": note}
