"""Invariants of both stores: what must hold after every step."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from boto3.dynamodb.types import TypeDeserializer

from orders.counters import Counted, is_expired, is_projected
from orders.exact_json import encode
from orders.failures import Conflict
from stores.dynamodb.client import Item
from tests.dynamodb import NAMES, DynamoDbTables
from tests.faults.messages import RecordedOrder
from tests.faults.mysql import Database, Tables
from tests.faults.queue import Message, Queue
from tests.faults.runs import Reconciliation, Run

T = TypeVar("T")
ZONE = ZoneInfo("Europe/Berlin")
DESERIALIZE = TypeDeserializer().deserialize


class Invariants:
    """Compares the stores with each other and with what they held earlier.

    Parameters
    ----------
    now
        Returns the simulated time.
    """

    def __init__(self, database: Database, dynamodb: DynamoDbTables, now: Callable[[], datetime]) -> None:
        self._database = database
        self._dynamodb = dynamodb
        self._now = now
        self.order_in: dict[str, RecordedOrder | None] = {}
        """The order in each message, by SQS's message id; None in a malformed message."""
        self.redriven: set[str] = set()
        """The ids of dead letters that were redriven and deleted."""
        self.errors: Counter[str] = Counter()
        """By how much MySQL's counters are wrong, by name."""
        self._sent: dict[str, list[RecordedOrder]] = defaultdict(list)
        """The orders that were sent, by order id."""
        self._counted_at: dict[str, dict[str, int]] = {}
        """The versions that an order's counters had when it was counted, by order id and name."""
        self._values: dict[str, dict[int, int]] = defaultdict(dict)
        """The values that MySQL's counters have had, by name and version."""
        self._projected: dict[str, int] = {}
        """The latest versions of DynamoDB's counters, by name."""
        self._parsed: dict[str, tuple[Item, RecordedOrder, str | None]] = {}
        """DynamoDB's items when they were last read, each with its order and pick-up number, by id."""

    def expect(self, message: Message, order: RecordedOrder | None) -> None:
        """Expect the order of a message to be recorded; none of a malformed message."""
        self.order_in[message.message_id] = order
        if order is not None:
            self._sent[order.order_id].append(order)

    def is_recordable(self, message: Message) -> bool:
        """Return whether a message holds an order whose id no other order has."""
        order = self.order_in[message.message_id]
        if order is None:
            return False
        recorded = self._database.read().rows.get(order.order_id)
        return recorded is None or order.is_same_order(recorded)

    def check(self) -> Tables:
        """Check MySQL's counters, and that DynamoDB has only what MySQL has or had; return MySQL's tables."""
        tables = self._database.read()
        rows = tables.rows
        counters = self._check_counters(
            tables, {order_id: row for order_id, row in rows.items() if order_id not in tables.uncounted}
        )
        for order_id in rows.keys() - self._counted_at.keys():
            names = self._tally([rows[order_id]])
            self._counted_at[order_id] = {name: counters[name].version for name in names if name in counters}
        for order_id, item in self._items(tables).items():
            assert order_id in rows, f"DynamoDB has {order_id}, which MySQL lacks"
            assert item == rows[order_id], "the stores have different orders"
        for name, counter in self.projected().items():
            assert self._values[name].get(counter.version) == counter.value, (
                f"DynamoDB's {name} is {counter}, which MySQL's never was"
            )
            assert counter.version >= self._projected.get(name, 0), f"DynamoDB's {name} has gone back"
            self._projected[name] = counter.version
        return tables

    def check_response(self, run: Run, failed: set[str]) -> list[Message]:
        """Check the messages that succeeded and the reported conflicts; return the former."""
        tables = self.check()
        rows, items, projected = tables.rows, self._items(tables), self.projected()
        done = [message for message in run.batch if message.message_id not in failed]
        for message in done:
            order = self.order_in[message.message_id]
            about = f"{message.message_id} succeeded, and"
            assert order is not None, f"{about} is malformed"
            assert order.order_id in rows, f"{about} MySQL does not have it"
            assert order.is_same_order(rows[order.order_id]), f"{about} MySQL has another order under its id"
            assert order.order_id in items, f"{about} DynamoDB does not have it"
            for name, version in self._unexpired(self._counted_at[order.order_id]).items():
                assert not is_projected(name) or projected[name].version >= version, (
                    f"{about} DynamoDB's {name} does not include it"
                )
        for message_id, reason in run.reasons.items():
            if isinstance(reason, Conflict):
                order = self.order_in[message_id]
                assert order is not None
                assert not order.is_same_order(rows[order.order_id]), f"{message_id} is not a conflict"
        return done

    def check_outcome(self, run: Reconciliation) -> None:
        """Check that DynamoDB lacks no order when a comparison finds the stores in sync."""
        if run.outcome.rds_orders is None or run.outcome.unchecked or run.outcome.reason:
            return
        lacking = run.counted - self._items(self._database.read()).keys()
        assert not lacking, f"{run.name} finds the stores in sync, and DynamoDB lacks {lacking}"

    def check_end(self, queue: Queue) -> None:
        """Check that every order is recorded, and that DynamoDB's counters are MySQL's, to the version."""
        tables = self.check()
        rows, items = tables.rows, self._items(tables)
        assert rows.keys() == self._sent.keys(), "MySQL does not have exactly the orders that were sent"
        assert items.keys() == self._sent.keys(), "DynamoDB does not have exactly the orders that were sent"
        for order_id, sent in self._sent.items():
            assert rows[order_id] in sent, "an order was changed"
        counters = self._check_counters(tables, rows)
        expected = {name: counter for name, counter in counters.items() if is_projected(name)}
        assert self._unexpired(self.projected()) == expected, "DynamoDB's counters are not MySQL's"
        assert not queue.messages
        left = {
            message_id
            for message_id, order in self.order_in.items()
            if order is None or not order.is_same_order(rows[order.order_id])
        }
        assert {message.message_id for message in queue.dead} == left - self.redriven

    def _check_counters(self, tables: Tables, rows: Mapping[str, RecordedOrder]) -> dict[str, Counted]:
        """Check that MySQL's counters are the totals of rows, and that versions grow; return the counters."""
        counters = self._unexpired(tables.counters)
        values = {name: counter.value for name, counter in counters.items()}
        expected = self._tally(rows.values())
        expected.update(self.errors)
        assert values == expected, "MySQL's counters are not the totals of its rows"
        for name, counter in counters.items():
            earlier = self._values[name]
            assert counter.version >= max(earlier, default=0), f"MySQL's {name} has an older version"
            assert earlier.setdefault(counter.version, counter.value) == counter.value, (
                f"MySQL's {name} has changed, and its version has not"
            )
        return counters

    def _items(self, tables: Tables) -> dict[str, RecordedOrder]:
        """Return DynamoDB's orders by their ids; check that they have MySQL's pick-up numbers."""
        found = self._dynamodb.of(NAMES.orders)
        self._parsed = {item["orderId"]["S"]: self._parse(item) for item in found}
        for order_id, (_, _, number) in self._parsed.items():
            assert number in (None, tables.numbers.get(order_id))
        return {order_id: order for order_id, (_, order, _) in self._parsed.items()}

    def projected(self) -> dict[str, Counted]:
        """Return DynamoDB's counters by name."""
        metrics, menu = self._dynamodb.of(NAMES.metrics), self._dynamodb.of(NAMES.menu)
        return {
            **{item["metric"]["S"]: _counted(item, "count") for item in metrics},
            **{f"ITEM#{item['item']['S']}": _counted(item, "orders") for item in menu},
        }

    def _unexpired(self, counters: Mapping[str, T]) -> dict[str, T]:
        """Return the counters that are not expired."""
        return {name: value for name, value in counters.items() if not is_expired(name, ZONE, self._now())}

    def _tally(self, orders: Iterable[RecordedOrder]) -> Counter[str]:
        """Return the totals of orders, computed without the code under test."""
        totals: Counter[str] = Counter()
        for order in orders:
            utc, local = order.created_at, order.created_at.astimezone(ZONE)
            totals["TOTAL_ORDERS"] += 1
            totals[f"ORDERS#{local:%Y-%m-%d}"] += 1
            totals[f"ORDERS#{local:%Y-%m-%dT%H}"] += 1
            totals[f"QUARTER#{utc:%Y-%m-%dT%H}:{utc.minute // 15 * 15:02}"] += 1
            totals[f"ITEM#{order.item}"] += order.quantity
            totals[f"ITEM_HOUR#{utc:%Y-%m-%dT%H}#{order.item}"] += order.quantity
        return Counter(self._unexpired(totals))

    def _parse(self, item: Item) -> tuple[Item, RecordedOrder, str | None]:
        """Return an item with its order and its pick-up number."""
        parsed = self._parsed.get(item["orderId"]["S"])
        if parsed is not None and parsed[0] is item:  # a write makes another item
            return parsed
        fields = {name: DESERIALIZE(value) for name, value in item.items()}
        order_id, created_at = fields.pop("orderId"), datetime.fromisoformat(fields.pop("created_at"))
        if "order_state" in fields:  # not in the items of the previous release
            assert fields.pop("state_at") == created_at.isoformat(timespec="milliseconds")
            assert (fields.pop("order_state"), fields.pop("state_version")) == ("received", 1)
        number = fields.pop("pickup_number", None)
        order = RecordedOrder(
            order_id,
            created_at,
            fields.pop("item"),
            int(fields.pop("quantity")),
            fields.pop("customer_name"),
            encode(fields, sort_keys=True),
        )
        return item, order, number


def _counted(item: dict[str, Any], counter: str) -> Counted:
    return Counted(int(item[counter]["N"]), int(item["version"]["N"]))
