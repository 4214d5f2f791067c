"""Both books, in their order, whatever one of them says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from orders.errors import OrderRefusedError, StoreUnavailableError
from orders.ledger import Ledger
from orders.order import Order

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Book:
    """A store that refuses orders by their item, or everything while it is down."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.down = False
        self.refused_item = ""
        self.calls: list[list[str]] = []

    def write(self, orders: Sequence[Order]) -> None:
        self.calls.append([order.order_id for order in orders])
        if self.down:
            raise StoreUnavailableError("down")
        if any(order.item == self.refused_item for order in orders):
            raise OrderRefusedError("refused")
        for order in orders:
            self.orders.setdefault(order.order_id, order)


class Database(Book):
    def insert(self, orders: Sequence[Order]) -> list[Order]:
        self.write(orders)
        return [self.orders[order.order_id] for order in orders]


class Tables(Book):
    def transactions(self, orders: Sequence[Order]) -> list[list[Order]]:
        return [list(orders[start : start + 4]) for start in range(0, len(orders), 4)]

    def count(self, orders: Sequence[Order]) -> None:
        self.write(orders)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
def ledger(database: Database, tables: Tables) -> Ledger:
    return Ledger(database, tables)


def orders(count: int) -> list[Order]:
    return [Order(f"o{number}", NOW, f"item {number}", 1) for number in range(count)]


def test_orders_are_in_both_books(ledger: Ledger, database: Database, tables: Tables) -> None:
    assert ledger.record(orders(10)) == {}
    assert list(database.orders) == list(tables.orders) == [f"o{number}" for number in range(10)]


def test_nothing_is_counted_while_the_database_is_down(
    ledger: Ledger, database: Database, tables: Tables
) -> None:
    database.down = True
    assert ledger.record(orders(3)) == dict.fromkeys(["o0", "o1", "o2"], "down")
    assert tables.calls == []


def test_orders_that_are_not_counted_are_reported(ledger: Ledger, tables: Tables) -> None:
    tables.down = True
    assert set(ledger.record(orders(3))) == {"o0", "o1", "o2"}


def test_tables_that_are_down_are_asked_once_for_a_batch_of_many_transactions(
    ledger: Ledger, tables: Tables
) -> None:
    tables.down = True
    assert ledger.record(orders(30)) == {f"o{number}": "down" for number in range(30)}
    assert len(tables.calls) == 1


@pytest.mark.parametrize("store", ["database", "tables"])
def test_an_order_that_a_store_refuses_does_not_take_its_neighbours_with_it(
    ledger: Ledger, database: Database, tables: Tables, store: str
) -> None:
    (database if store == "database" else tables).refused_item = "item 5"
    assert ledger.record(orders(9)) == {"o5": "refused"}
    assert set(tables.orders) == {f"o{number}" for number in range(9)} - {"o5"}


def test_a_defect_that_one_order_brings_to_light_does_not_take_its_neighbours_with_it(
    ledger: Ledger, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(orders: Sequence[Order]) -> None:
        for order in orders:
            if order.order_id == "o2":
                raise KeyError(order.customer_name)
        tables.write(orders)

    monkeypatch.setattr(tables, "count", count)
    failures = ledger.record(orders(5))
    assert set(failures) == {"o2"}
    assert failures["o2"].startswith("KeyError in test_ledger.py, line ")
    assert set(tables.orders) == {"o0", "o1", "o3", "o4"}


def test_an_order_that_is_there_twice_in_a_batch_is_written_once(ledger: Ledger, database: Database) -> None:
    ledger.record([*orders(2), *orders(2)])
    assert database.calls == [["o0", "o1"]]


def test_two_messages_of_one_order_count_what_the_database_kept(ledger: Ledger, tables: Tables) -> None:
    ledger.record([Order("o1", NOW, "Latte", 1)])
    tables.orders.clear()
    ledger.record([Order("o1", NOW, "Tea", 5)])
    assert tables.orders["o1"].item == "Latte"
