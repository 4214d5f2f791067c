"""Table `IdempotencyKeys`: the order of each key, for 24 hours."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from orders.http_request import Claim
from stores import aws
from stores.dynamodb.client import ConditionFailedError, DynamoDb

KEY_LIFETIME = 24 * 60 * 60  # seconds


class IdempotencyKeys:
    """Claims of keys, by a PutItem each."""

    def __init__(self, table: str, client: Any = None, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._dynamodb = DynamoDb(aws.FOR_REQUESTS, client)
        self._clock = clock

    def claim(self, key: str, claim: Claim) -> Claim:
        """Claim a key unless it is claimed already; return the valid claim.

        Expired claims are ignored: DynamoDB deletes them hours or days later.
        """
        now = int(self._clock())
        try:
            self._dynamodb.call(
                "put_item",
                TableName=self._table,
                Item={
                    "key": {"S": key},
                    "orderId": {"S": claim.order_id},
                    "fingerprint": {"S": claim.fingerprint},
                    "expires_at": {"N": str(now + KEY_LIFETIME)},
                },
                ConditionExpression="attribute_not_exists(#key) OR expires_at <= :now",
                ExpressionAttributeNames={"#key": "key"},
                ExpressionAttributeValues={":now": {"N": str(now)}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailedError as error:
            return Claim(error.item["orderId"]["S"], error.item["fingerprint"]["S"])
        return claim
