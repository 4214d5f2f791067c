"""The table of idempotency keys, and a clock for them."""

from __future__ import annotations

from typing import Any

TABLE = "IdempotencyKeys"
NOON = 1_800_000_000.9


def create_table(dynamodb: Any) -> None:
    """Create the table."""
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now
