"""The projection: orders and counters in DynamoDB as MySQL has them.

Everything here may be written again, by anybody: an order is put with the same content, a counter is set
only over an older version, and an order that was moved never over a newer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import tzinfo
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from orders import counters
from orders.counters import Counted
from orders.errors import Defect, OrderRefusedError, Refused, StoreUnavailableError, location_of
from orders.ledger import Written
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
from stores.parallel import call_in_parallel

T = TypeVar("T")

CURRENT = "attribute_not_exists(#version) OR #version < :version"
OLDER = '"version" < ?'  # the same in PartiQL, but for an item without a version
AS_READ = "#version = :read_version"


class Projection:
    """Orders by id, and the counters that pages show, by the hours of the cafe's time zone.

    Every method raises StoreUnavailableError if DynamoDB does not answer.
    """

    def __init__(self, dynamodb: DynamoDb, names: TableNames, zone: tzinfo) -> None:
        self._dynamodb = dynamodb
        self._names = names
        self._orders = OrderItems(dynamodb, names.orders)
        self._zone = zone
        self._threads = ThreadPoolExecutor(CONNECTIONS)

    def write(self, orders: Sequence[Order], counted: Mapping[str, Counted]) -> Written:
        """Put orders, and set counters that are older, in calls of which several run at once.

        Orders that nobody has moved go in batches, which have no conditions. One that was sent long ago may
        come back after the database was restored, and have been moved before: it is looked up first.
        """
        refused: dict[str, str] = {}
        not_set: dict[str, Counted] = {}
        numbers = list(counted.items())
        newer = self._orders.newer([order for order in orders if is_late(order)])
        first = [o for o in orders if not is_moved(o) and o.order_id not in newer]
        self._all_at_once(
            [
                *(partial(self._put, some, refused) for some in _groups(first, MAX_PUTS)),
                *(partial(self._put_moved, order, refused, newer) for order in orders if is_moved(order)),
                *(partial(self._show_together, some, not_set) for some in _groups(numbers, MAX_STATEMENTS)),
            ]
        )
        self._all_at_once(partial(self.set_counter, name, number) for name, number in not_set.items())
        return Written(refused, newer)

    def set_counter(self, name: str, counted: Counted, read: Counted | None = None) -> bool:
        """Set one counter if DynamoDB has an older version of it; return whether it was set.

        Where what was `read` in DynamoDB is wrong, the counter is set if it still has that version.
        """
        table, key, counter = self._place(name)
        values = {":value": _number(counted.value), ":version": _number(counted.version)}
        update = "SET #counter = :value, #version = :version"
        if expires_at := counters.expires_at(name, self._zone):
            update += ", expires_at = :expires_at"
            values[":expires_at"] = _number(int(expires_at.timestamp()))
        if read:
            values[":read_version"] = _number(read.version)
        try:
            self._dynamodb.call(
                "update_item",
                TableName=table,
                Key=key,
                UpdateExpression=update,
                ConditionExpression=AS_READ if read else CURRENT,
                ExpressionAttributeNames={"#counter": counter, "#version": "version"},
                ExpressionAttributeValues=values,
            )
        except ConditionFailedError:
            return False  # Somebody has shown a later version.
        return True

    def set_up(self, menu: Mapping[str, Decimal]) -> None:
        """Put the menu's prices and a first `TOTAL_ORDERS` in, and never set a counter back."""
        self._begin(counters.TOTAL_ORDERS)
        for item, price in menu.items():
            self._begin(counters.item_name(item), price)

    def _begin(self, name: str, price: Decimal | None = None) -> None:
        table, key, counter = self._place(name)
        update, values = "ADD #counter :none", {":none": _number(0)}
        if price is not None:
            update += " SET price = :price"
            values[":price"] = {"N": str(price)}
        self._dynamodb.call(
            "update_item",
            TableName=table,
            Key=key,
            UpdateExpression=update,
            ExpressionAttributeNames={"#counter": counter},
            ExpressionAttributeValues=values,
        )

    def read(self, names: Iterable[str]) -> dict[str, Counted]:
        """Read counters consistently; one that nobody has set is missing, one without a version has 0."""
        keys: dict[str, list[Item]] = {}
        for name in names:
            table, key, _ = self._place(name)
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
        # There may be metrics of somebody else's.
        found = dict(map(_counted, items))
        return {name for name, counted in found.items() if counted.value and counters.is_projected(name)}

    def behind(self, versions: Mapping[str, int]) -> set[str]:
        """Return which orders, of those with these versions, are not there or have an older one."""
        found = self._orders.versions(list(versions))
        return {order_id for order_id, version in versions.items() if found.get(order_id, -1) < version}

    def _show_together(self, counted: Sequence[tuple[str, Counted]], not_set: dict[str, Counted]) -> None:
        """Set counters in one call; add those to `not_set` that DynamoDB may still lack.

        New counters are among them, because an UPDATE makes no item.
        """
        statements = [self._statement(name, number) for name, number in counted]
        results = self._dynamodb.call("batch_execute_statement", Statements=statements)["Responses"]
        for (name, number), result in zip(counted, results, strict=True):
            if (error := result.get("Error")) and integer(error.get("Item", {}), "version") < number.version:
                not_set[name] = number

    def _statement(self, name: str, counted: Counted) -> dict[str, Any]:
        """Return what sets a counter of which DynamoDB has an older version."""
        table, key, counter = self._place(name)
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
        """Put orders at once; where one is refused or makes it fail, halve until it alone is left out."""
        try:
            self._orders.put(orders)
            return
        except StoreUnavailableError:
            raise
        except OrderRefusedError as error:
            reason = Refused(str(error))
        # A defect of ours that one order brings to light must not take its neighbours along.
        except Exception as error:  # noqa: BLE001
            reason = Defect(location_of(error))
        if len(orders) == 1:
            refused[orders[0].order_id] = reason
            return
        middle = len(orders) // 2
        self._put(orders[:middle], refused)
        self._put(orders[middle:], refused)

    def _put_moved(self, order: Order, refused: dict[str, str], newer: dict[str, Progress]) -> None:
        """Put an order that was moved, unless DynamoDB has a newer version."""
        try:
            found = self._orders.put_unless_newer(order)
        except StoreUnavailableError:
            raise
        except OrderRefusedError as error:
            refused[order.order_id] = Refused(str(error))
        except Exception as error:  # noqa: BLE001
            refused[order.order_id] = Defect(location_of(error))
        else:
            if found:
                newer[order.order_id] = found

    def _place(self, name: str) -> tuple[str, Item, str]:
        """Return a counter's table, key, and attribute."""
        if item := counters.item_of(name):
            return self._names.menu, {"item": {"S": item}}, "orders"
        return self._names.metrics, {"metric": {"S": name}}, "count"

    def _all_at_once(self, jobs: Iterable[Callable[[], object]]) -> None:
        """Run jobs; once DynamoDB is away, none starts that would wait for it again."""
        call_in_parallel(self._threads, lambda job: job(), jobs)


def _groups(some: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (some[start : start + size] for start in range(0, len(some), size))


def _counted(item: Item) -> tuple[str, Counted]:
    name, counter = (
        (counters.item_name(item["item"]["S"]), "orders")
        if "item" in item
        else (item["metric"]["S"], "count")
    )
    return name, Counted(integer(item, counter), integer(item, "version"))


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
