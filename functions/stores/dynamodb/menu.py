"""What the cafe offers: the items of `CafeMenu` that have a price."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from orders.errors import StoreUnavailableError
from stores.dynamodb.tables import QUICKER


class Menu:
    """The index of `CafeMenu` by price, which holds items and prices and nothing else.

    Anything can be ordered, and is counted in the table. What has no price was only ordered: it is not in
    the index, so that reading the index costs what is on the menu.
    """

    def __init__(self, table: str, index: str, client: Any = None) -> None:
        self._table = table
        self._index = index
        self._client: Any = client or boto3.client("dynamodb", config=QUICKER)

    def prices(self) -> dict[str, Decimal]:
        """Read what each item costs, sorted by item.

        Raises
        ------
        StoreUnavailableError
            If DynamoDB does not answer.
        """
        prices: dict[str, Decimal] = {}
        request: dict[str, Any] = {"TableName": self._table, "IndexName": self._index}
        while True:
            try:
                answer = self._client.scan(**request)
            except (BotoCoreError, ClientError) as error:
                raise StoreUnavailableError(f"DynamoDB: {error}") from error
            prices |= {item["item"]["S"]: Decimal(item["price"]["N"]) for item in answer["Items"]}
            if not answer.get("LastEvaluatedKey"):
                return dict(sorted(prices.items()))
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
