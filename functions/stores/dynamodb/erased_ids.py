"""The table `ErasedOrders`: ids of orders that were erased on request, in case the database is restored."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from orders.times import iso
from stores.dynamodb.client import MAX_PUTS, DynamoDb
from stores.parallel import batches

PAGE = 500  # ids


class ErasedIds:
    """Ids with the time of their erasure."""

    def __init__(self, dynamodb: DynamoDb, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def add(self, order_ids: Collection[str]) -> None:
        """Add ids."""
        at = {"S": iso(datetime.now(UTC))}
        items = [{"orderId": {"S": order_id}, "erased_at": at} for order_id in sorted(set(order_ids))]
        for some in batches(items, MAX_PUTS):
            self._dynamodb.put(self._table, some)

    def pages(self, after: str | None) -> Iterator[list[str]]:
        """Yield all ids in pages, or those after an id, in the table's order."""
        start = {"ExclusiveStartKey": {"orderId": {"S": after}}} if after else {}
        page: list[str] = []
        for item in self._dynamodb.scan(self._table, ConsistentRead=True, **start):
            page.append(item["orderId"]["S"])
            if len(page) == PAGE:
                yield page
                page = []
        if page:
            yield page
