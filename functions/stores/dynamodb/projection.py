"""The projection: copies of MySQL's orders and counters in DynamoDB.

Any write may be repeated: an order is put with the same content, and a counter or a moved order never
replaces a newer version.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import tzinfo
from decimal import Decimal
from functools import partial
from typing import Any

from orders import counters
from orders.counters import Counted
from orders.ledger import Written, write_in_halves
from orders.order import Order
from orders.states import Progress
from stores.aws import CONNECTIONS
from stores.dynamodb.client import (
    MAX_PUTS,
    MAX_STATEMENTS,
    ConditionFailedError,
    DynamoDb,
    Item,
    TableNames,
    integer,
)
from stores.dynamodb.order_items import OrderItems, is_late, is_moved
from stores.parallel import batches, call_in_parallel

CURRENT = "attribute_not_exists(#version) OR #version < :version"
OLDER = '"version" < ?'  # in PartiQL; false for an item without a version
AS_READ = "#version = :read_version"


class Projection:
    """Orders by id, and counters by name."""

    def __init__(self, dynamodb: DynamoDb, names: TableNames, zone: tzinfo) -> None:
        self._dynamodb = dynamodb
        self._names = names
        self._orders = OrderItems(dynamodb, names.orders)
        self._zone = zone
        self._threads = ThreadPoolExecutor(CONNECTIONS)

    def write(self, orders: Sequence[Order], counted: Mapping[str, Counted]) -> Written:
        """Put orders, and set counters that are older in DynamoDB, by parallel calls.

        Orders that were never moved are put in batches, which allow no conditions. Those that were sent long
        ago are looked up first: a restored database may have lost their moves.
        """
        refused: dict[str, str] = {}
        not_set: dict[str, Counted] = {}
        numbers = list(counted.items())
        newer = self._orders.newer([order for order in orders if is_late(order)])
        first = [o for o in orders if not is_moved(o) and o.order_id not in newer]
        self._run(
            [
                *(partial(self._put, some, refused) for some in batches(first, MAX_PUTS)),
                *(partial(self._put_moved, order, refused, newer) for order in orders if is_moved(order)),
                *(partial(self._set_counters, some, not_set) for some in batches(numbers, MAX_STATEMENTS)),
            ]
        )
        self._run(partial(self.set_counter, name, number) for name, number in not_set.items())
        return Written(refused, newer)

    def set_counter(self, name: str, counted: Counted, read: Counted | None = None) -> bool:
        """Set a counter if DynamoDB has an older version; return whether it was set.

        With `read`, replace a wrong value: the counter is set if it still has the version that was read.
        """
        table, key, counter = self._location(name)
        values = {":value": _number(counted.value), ":version": _number(counted.version)}
        update = "SET #counter = :value, #version = :version"
        if expires_at := counters.expires_at(name, self._zone):
            update += ", expires_at = :expires_at"
            values[":expires_at"] = _number(int(expires_at.timestamp()))
        if read:
            values[":read_version"] = _number(read.version)
        try:
            self._dynamodb.update(
                table,
                key,
                update,
                values,
                ConditionExpression=AS_READ if read else CURRENT,
                ExpressionAttributeNames={"#counter": counter, "#version": "version"},
            )
        except ConditionFailedError:
            return False
        return True

    def set_up(self, menu: Mapping[str, Decimal]) -> None:
        """Write the menu's prices, and create `TOTAL_ORDERS` and the items' counters if they are missing."""
        self._create_counter(counters.TOTAL_ORDERS)
        for item, price in menu.items():
            self._create_counter(counters.item_name(item), price)

    def _create_counter(self, name: str, price: Decimal | None = None) -> None:
        table, key, counter = self._location(name)
        update, values = "ADD #counter :none", {":none": _number(0)}
        if price is not None:
            update += " SET price = :price"
            values[":price"] = {"N": str(price)}
        self._dynamodb.update(table, key, update, values, ExpressionAttributeNames={"#counter": counter})

    def read(self, names: Iterable[str]) -> dict[str, Counted]:
        """Read existing counters consistently; one without a version has version 0."""
        keys: dict[str, list[Item]] = {}
        for name in names:
            table, key, _ = self._location(name)
            keys.setdefault(table, []).append(key)
        items = [item for table in keys for item in self._dynamodb.get(table, keys[table], consistent=True)]
        return dict(map(_counted, items))

    def names(self) -> set[str]:
        """Return the names of all counters that are not 0, consistently."""
        items = (
            item
            for table in (self._names.menu, self._names.metrics)
            for item in self._dynamodb.scan(table, ConsistentRead=True)
        )
        # The table may have other metrics.
        found = dict(map(_counted, items))
        return {name for name, counted in found.items() if counted.value and counters.is_projected(name)}

    def erase(self, order_ids: Collection[str]) -> list[str]:
        """Remove names and further attributes of orders; return the ids of those that kept changing."""
        personal = self._orders.personal(sorted(set(order_ids)))
        erased = call_in_parallel(self._threads, self._orders.erase, personal)
        return [order_id for order_id, is_erased in zip(personal, erased, strict=True) if not is_erased]

    def behind(self, versions: Mapping[str, int]) -> set[str]:
        """Return the ids of orders that are missing or have an older version than in `versions`."""
        found = self._orders.versions(list(versions))
        return {order_id for order_id, version in versions.items() if found.get(order_id, -1) < version}

    def _set_counters(self, counted: Sequence[tuple[str, Counted]], not_set: dict[str, Counted]) -> None:
        """Set counters by one call; add those to `not_set` that may be missing, as UPDATE creates no item."""
        statements = [self._statement(name, number) for name, number in counted]
        results = self._dynamodb.call("batch_execute_statement", Statements=statements)["Responses"]
        for (name, number), result in zip(counted, results, strict=True):
            if (error := result.get("Error")) and integer(error.get("Item", {}), "version") < number.version:
                not_set[name] = number

    def _statement(self, name: str, counted: Counted) -> dict[str, Any]:
        """Return a PartiQL statement that sets a counter if DynamoDB has an older version."""
        table, key, counter = self._location(name)
        ((key_name, key_value),) = key.items()
        numbers = {counter: counted.value, "version": counted.version}
        if expires_at := counters.expires_at(name, self._zone):
            numbers["expires_at"] = int(expires_at.timestamp())
        changes = " ".join(f'SET "{each}" = ?' for each in numbers)
        return {
            "Statement": f'UPDATE "{table}" {changes} WHERE "{key_name}" = ? AND {OLDER}',
            "Parameters": [*map(_number, numbers.values()), key_value, _number(counted.version)],
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _put(self, orders: Sequence[Order], refused: dict[str, str]) -> None:
        refused.update(write_in_halves(orders, self._orders.put))

    def _put_moved(self, order: Order, refused: dict[str, str], newer: dict[str, Progress]) -> None:
        """Put an order that was moved, unless DynamoDB has a newer version."""

        def put(_orders: Sequence[Order]) -> None:
            if found := self._orders.put_unless_newer(order):
                newer[order.order_id] = found

        refused.update(write_in_halves([order], put))

    def _location(self, name: str) -> tuple[str, Item, str]:
        """Return a counter's table, key, and attribute."""
        if item := counters.item_of(name):
            return self._names.menu, {"item": {"S": item}}, "orders"
        return self._names.metrics, {"metric": {"S": name}}, "count"

    def _run(self, jobs: Iterable[Callable[[], object]]) -> None:
        call_in_parallel(self._threads, lambda job: job(), jobs)


def _counted(item: Item) -> tuple[str, Counted]:
    name, counter = (
        (counters.item_name(item["item"]["S"]), "orders")
        if "item" in item
        else (item["metric"]["S"], "count")
    )
    return name, Counted(integer(item, counter), integer(item, "version"))


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
