"""The menu: the items of `CafeMenu` that have a price."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from stores import aws
from stores.dynamodb.client import DynamoDb


class Menu:
    """The index of `CafeMenu` by price.

    The table also counts items that are not on the menu. These have no price and are not in the index, so
    they do not add to the cost of reading it.
    """

    def __init__(self, table: str, index: str, client: Any = None) -> None:
        self._table = table
        self._index = index
        self._dynamodb = DynamoDb(aws.FOR_REQUESTS, client)

    def prices(self) -> dict[str, Decimal]:
        """Return the price of each item, sorted by item."""
        items = self._dynamodb.scan(self._table, IndexName=self._index)
        return dict(sorted((item["item"]["S"], Decimal(item["price"]["N"])) for item in items))
