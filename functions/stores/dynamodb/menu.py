"""What the cafe offers: the items of `CafeMenu` that have a price."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from stores import aws
from stores.dynamodb.client import DynamoDb


class Menu:
    """The index of `CafeMenu` by price, which holds items and prices and nothing else.

    Anything can be ordered, and is counted in the table. What has no price was only ordered: it is not in
    the index, so that reading the index costs what is on the menu.
    """

    def __init__(self, table: str, index: str, client: Any = None) -> None:
        self._table = table
        self._index = index
        self._dynamodb = DynamoDb(aws.FOR_REQUESTS, client)

    def prices(self) -> dict[str, Decimal]:
        """Read what each item costs, sorted by item; raise StoreUnavailableError if that fails."""
        items = self._dynamodb.scan(self._table, IndexName=self._index)
        return dict(sorted((item["item"]["S"], Decimal(item["price"]["N"])) for item in items))
