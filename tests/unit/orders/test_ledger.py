"""Recording in both stores, one after the other, with any failure of either."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orders.counters import Counted
from orders.failures import Conflict, Defect, OrderRefusedError, Refused, StoreUnavailableError
from orders.ledger import Failures, Ledger, Written
from orders.order import Order
from orders.states import Progress, State

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)


class Store:
    """A store that refuses orders by their item, fails on others, or on everything while it is down."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.down = False
        self.refused_item = ""
        self.defective_item = ""
        self.calls: list[list[str]] = []

    def begin(self, orders: Sequence[Order]) -> None:
        self.calls.append([order.order_id for order in orders])
        if self.down:
            raise StoreUnavailableError("down")
        if any(order.item == self.defective_item for order in orders):
            raise KeyError("Ann")


class Database(Store):
    def __init__(self) -> None:
        super().__init__()
        self.rows_without_order: set[str] = set()
        self.names: set[str] = set()
        self.adopted: dict[str, Progress] = {}

    def record(self, orders: Sequence[Order]) -> dict[str, Order | None]:
        self.begin(orders)
        if any(order.item == self.refused_item for order in orders):
            raise OrderRefusedError("refused")
        new = {order.order_id for order in orders} - self.orders.keys()
        for order in orders:
            self.orders.setdefault(order.order_id, order)
        return {
            order.order_id: None
            if order.order_id in self.rows_without_order
            else replace(self.orders[order.order_id], is_new=order.order_id in new)
            for order in orders
        }

    def adopt(self, newer: Mapping[str, Progress]) -> None:
        self.adopted |= newer

    def counted(self, names: Collection[str]) -> dict[str, Counted]:
        self.names |= set(names)
        return {name: Counted(1, 1) for name in names}


class Projection(Store):
    def __init__(self) -> None:
        super().__init__()
        self.counters: set[str] = set()
        self.newer: dict[str, Progress] = {}

    def write(self, orders: Sequence[Order], counted: Mapping[str, Counted]) -> Written:
        self.begin(orders)
        self.counters |= counted.keys()
        accepted = [order for order in orders if order.item != self.refused_item]
        self.orders |= {order.order_id: order for order in accepted}
        refused: Failures = {order.order_id: Refused("refused") for order in orders if order not in accepted}
        return Written(refused, self.newer)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def projection() -> Projection:
    return Projection()


@pytest.fixture
def ledger(database: Database, projection: Projection) -> Ledger:
    return Ledger(database, projection, UTC)


def orders(count: int) -> dict[str, Order]:
    """Return orders by the ids of their messages."""
    return {f"m{number}": Order(f"o{number}", NOW, f"item {number}", 1) for number in range(count)}


def test_orders_are_in_both_stores(ledger: Ledger, database: Database, projection: Projection) -> None:
    assert ledger.record(orders(10)) == {}
    assert list(database.orders) == list(projection.orders) == [f"o{number}" for number in range(10)]


def test_an_order_is_new_once_and_only_in_both_stores(
    ledger: Ledger, database: Database, projection: Projection
) -> None:
    assert ledger.record_batch(orders(2)).new == {"o0", "o1"}
    assert ledger.record_batch(orders(3)).new == {"o2"}
    projection.refused_item = "item 3"
    assert ledger.record_batch(orders(5)).new == {"o4"}
    projection.refused_item = ""
    assert ledger.record_batch(orders(5)).new == set()


def test_a_state_that_only_the_projection_has_is_taken_over(
    ledger: Ledger, database: Database, projection: Projection
) -> None:
    projection.newer = {"o1": Progress(State.READY, 7, NOW)}
    assert ledger.record(orders(2)) == {}
    assert database.adopted == projection.newer


def test_no_orders_need_no_call(ledger: Ledger, database: Database, projection: Projection) -> None:
    assert ledger.record({}) == {}
    assert database.calls == projection.calls == []


def test_orders_are_inserted_in_the_order_of_their_ids(ledger: Ledger, database: Database) -> None:
    ledger.record(dict(reversed(orders(5).items())))
    assert database.calls == [["o0", "o1", "o2", "o3", "o4"]]


def test_only_the_counters_that_dynamodb_has_are_projected(
    ledger: Ledger, database: Database, projection: Projection
) -> None:
    now = datetime.now(UTC)
    ledger.record({"m1": Order("o1", now, "Tea", 2)})
    assert projection.counters == {
        "TOTAL_ORDERS",
        f"ORDERS#{now:%Y-%m-%d}",
        f"ORDERS#{now:%Y-%m-%dT%H}",
        "ITEM#Tea",
    }
    assert database.names == projection.counters  # what MySQL alone has is not even read


def test_nothing_is_projected_while_the_database_is_down(
    ledger: Ledger, database: Database, projection: Projection
) -> None:
    database.down = True
    assert ledger.record(orders(3)) == dict.fromkeys(["m0", "m1", "m2"], "down")
    assert projection.calls == []
    assert len(database.calls) == 1


def test_orders_that_are_not_projected_are_reported(ledger: Ledger, projection: Projection) -> None:
    projection.down = True
    assert ledger.record(orders(3)) == dict.fromkeys(["m0", "m1", "m2"], "down")


def test_counters_that_cannot_be_read_fail_the_orders(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(names: Collection[str]) -> dict[str, Counted]:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(database, "counted", counted)
    assert ledger.record(orders(2)) == dict.fromkeys(["m0", "m1"], "gone")


def test_only_the_order_that_the_database_refuses_fails(
    ledger: Ledger, database: Database, projection: Projection
) -> None:
    database.refused_item = "item 5"
    failures = ledger.record(orders(9))
    assert failures == {"m5": "refused"}
    assert isinstance(failures["m5"], Refused)
    assert set(projection.orders) == {f"o{number}" for number in range(9)} - {"o5"}


def test_an_order_that_dynamodb_refuses_is_counted_and_reported(
    ledger: Ledger, database: Database, projection: Projection
) -> None:
    projection.refused_item = "item 1"
    assert ledger.record(orders(3)) == {"m1": "refused"}
    assert set(database.orders) == {"o0", "o1", "o2"}
    assert "ITEM#item 1" in projection.counters


def test_only_the_order_that_reveals_a_defect_fails(
    ledger: Ledger, database: Database, projection: Projection
) -> None:
    database.defective_item = "item 2"
    failures = ledger.record(orders(5))
    assert set(failures) == {"m2"}
    assert isinstance(failures["m2"], Defect)
    assert failures["m2"].startswith("KeyError in test_ledger.py, line ")
    assert set(projection.orders) == {"o0", "o1", "o3", "o4"}


def test_a_defect_in_the_projection_is_reported_without_the_contents_of_an_order(
    ledger: Ledger, projection: Projection
) -> None:
    projection.defective_item = "item 0"
    failures = ledger.record(orders(1))
    assert failures["m0"].startswith("KeyError in test_ledger.py, line ")
    assert isinstance(failures["m0"], Defect)


def test_an_order_that_is_in_a_batch_twice_is_written_once(
    ledger: Ledger, database: Database, projection: Projection
) -> None:
    same = orders(1)["m0"]
    assert ledger.record({"m1": same, "m2": same}) == {}
    assert database.calls == projection.calls == [["o0"]]


@pytest.mark.parametrize(
    ("other", "differing"),
    [
        (Order("o1", NOW, "Tea", 1, "Ann"), "item"),
        (Order("o1", NOW, "Latte", 2, "Ann"), "quantity"),
        (Order("o1", NOW, "Latte", 1, "Zoë"), "customer_name"),
        (Order("o1", NOW, "Tea", 2, "Zoë"), "item, quantity, customer_name"),
    ],
)
@pytest.mark.parametrize("in_one_batch", [True, False])
def test_another_order_under_a_used_id_is_a_conflict_of_the_later_message(
    ledger: Ledger, projection: Projection, other: Order, differing: str, in_one_batch: bool
) -> None:
    first = Order("o1", NOW, "Latte", 1, "Ann")
    if in_one_batch:
        failures = ledger.record({"m1": first, "m2": other, "m3": first})
    else:
        assert ledger.record({"m1": first}) == {}
        failures = ledger.record({"m2": other})
    assert failures == {"m2": f"orderId o1 belongs to another order, with another {differing}"}
    assert isinstance(failures["m2"], Conflict)
    assert projection.orders == {"o1": first}


def test_an_order_that_differs_only_in_time_and_further_fields_is_the_same(
    ledger: Ledger, projection: Projection
) -> None:
    first = Order("o1", NOW, "Latte", 1, "Ann", {"table_number": 4})
    ledger.record({"m1": first})
    projection.orders.clear()
    assert ledger.record({"m2": Order("o1", NOW.replace(day=23), "Latte", 1, "Ann")}) == {}
    assert projection.orders == {"o1": first}


def test_an_order_with_the_id_of_an_invalid_row_is_a_conflict(
    ledger: Ledger, database: Database, projection: Projection
) -> None:
    database.rows_without_order.add("o1")
    failures = ledger.record(orders(2))
    assert failures == {"m1": "orderId o1 belongs to a row that holds no order"}
    assert isinstance(failures["m1"], Conflict)
    assert set(projection.orders) == {"o0"}


def test_a_conflict_stays_a_conflict_when_the_projection_fails(
    ledger: Ledger, projection: Projection
) -> None:
    projection.down = True
    first, other = Order("o1", NOW, "Latte", 1), Order("o1", NOW, "Tea", 1)
    failures = ledger.record({"m1": first, "m2": other})
    assert failures["m1"] == "down"
    assert isinstance(failures["m2"], Conflict)
