"""The table of idempotency keys, and a clock for them."""

from __future__ import annotations

import threading
from typing import Any

TABLE = "IdempotencyKeys"
NOON = 1_800_000_000.9


class AtomicClient:
    """A client of moto that, as DynamoDB, puts no other item between a condition's check and its put."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb
        self._lock = threading.Lock()

    def put_item(self, **request: Any) -> Any:
        """Put an item if the current one meets the condition."""
        with self._lock:
            return self._dynamodb.put_item(**request)


def create_table(dynamodb: Any) -> AtomicClient:
    """Create the table; return a client for concurrent claims."""
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return AtomicClient(dynamodb)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now
