"""The table `Orders` in DynamoDB: copies of MySQL's orders with their states and versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from orders.order import OWN_ATTRIBUTES, Order
from orders.states import LATE_AFTER, Progress, State
from stores.dynamodb.client import ConditionFailedError, DynamoDb, Item, attribute, integer

# Also true if the item is missing or has no version.
NOT_NEWER = "NOT state_version > :version"
SAME = "state_version = :version"
UNVERSIONED = "attribute_not_exists(state_version)"
STATE = "orderId, order_state, state_version, state_at"
KEPT = {"orderId", "item", "quantity", *OWN_ATTRIBUTES}  # attributes of an erased order
ERASE_ATTEMPTS = 5


class OrderItems:
    """Orders by id; methods that put raise OrderRefusedError if DynamoDB refuses an item."""

    def __init__(self, dynamodb: DynamoDb, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def put(self, orders: Sequence[Order]) -> None:
        """Put a batch of orders unconditionally."""
        self._dynamodb.put(self._table, [item(order) for order in orders])

    def put_unless_newer(self, order: Order) -> Progress | None:
        """Put an order unless the table has a newer version, whose state is returned; None if it was put."""
        try:
            self._dynamodb.call(
                "put_item",
                TableName=self._table,
                Item=item(order),
                ConditionExpression=NOT_NEWER,
                ExpressionAttributeValues={":version": {"N": str(order.version)}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailedError as error:
            return progress_of(error.item)
        return None

    def erase(self, order_id: str) -> bool:
        """Remove the name and the further attributes of an order; return whether it has none then."""
        for _ in range(ERASE_ATTEMPTS):
            found = list(self._get([order_id]))
            if not found or found[0].keys() <= KEPT:
                return True
            kept = {name: value for name, value in found[0].items() if name in KEPT}
            version = {":version": kept["state_version"]} if "state_version" in kept else None
            try:
                self._dynamodb.call(
                    "put_item",
                    TableName=self._table,
                    Item=kept,
                    ConditionExpression=SAME if version else UNVERSIONED,
                    **({"ExpressionAttributeValues": version} if version else {}),
                )
            except ConditionFailedError:
                continue  # a function has moved the order
        return False

    def personal(self, order_ids: Sequence[str]) -> list[str]:
        """Return the ids of those orders that have a name or further attributes, consistently."""
        return [item["orderId"]["S"] for item in self._get(order_ids) if not item.keys() <= KEPT]

    def versions(self, order_ids: Sequence[str]) -> dict[str, int]:
        """Read the versions of existing orders consistently; 0 for one without a state."""
        found = self._get(order_ids, "orderId, state_version")
        return {each["orderId"]["S"]: _version(each) for each in found}

    def newer(self, orders: Sequence[Order]) -> dict[str, Progress]:
        """Read the states of those orders that have a later version in the table, consistently."""
        ours = {order.order_id: order.version for order in orders}
        found = {each["orderId"]["S"]: progress_of(each) for each in self._get(list(ours), STATE)}
        return {
            name: progress for name, progress in found.items() if progress and progress.version > ours[name]
        }

    def _get(self, order_ids: Sequence[str], attributes: str | None = None) -> Iterator[Item]:
        keys = [{"orderId": {"S": order_id}} for order_id in order_ids]
        # One response at a time: an item may have 400 KB, a response 16 MB.
        return self._dynamodb.get(self._table, keys, consistent=True, attributes=attributes)


def is_moved(order: Order) -> bool:
    """Return whether an order was moved."""
    return order.version > 1


def is_late(order: Order) -> bool:
    """Return whether an order that was never moved was sent long ago, or has no state."""
    if is_moved(order):
        return False
    if order.progress is None or order.created_at is None:
        return True
    return datetime.now(UTC) - order.created_at > LATE_AFTER


def item(order: Order) -> Item:
    """Return an order as an item, with its further attributes beside its fields."""
    found: Item = {
        name: attribute(value) for name, value in order.attributes.items() if name not in OWN_ATTRIBUTES
    }
    found["orderId"] = {"S": order.order_id}
    found["item"] = {"S": order.item}
    found["quantity"] = {"N": str(order.quantity)}
    if not order.is_erased:
        found["customer_name"] = {"S": order.customer_name}
    if order.created_at is not None:
        found["created_at"] = {"S": _iso(order.created_at)}
    if order.number is not None:
        found["pickup_number"] = {"S": order.number}
    if order.progress is not None:
        found["order_state"] = {"S": str(order.progress.state)}
        found["state_version"] = {"N": str(order.progress.version)}
        if order.progress.at is not None:
            found["state_at"] = {"S": _iso(order.progress.at)}
    return found


def progress_of(found: Item) -> Progress | None:
    """Return the state in an item, None without a valid one."""
    try:
        state = State(found["order_state"]["S"])
        at = datetime.fromisoformat(found["state_at"]["S"]) if "state_at" in found else None
        return Progress(state, _version(found), at, at if state is State.READY else None)
    except (KeyError, ValueError):
        return None


def _version(found: Item) -> int:
    return integer(found, "state_version")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
