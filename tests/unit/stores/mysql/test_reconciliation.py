"""Rows of a period for a replay, and the state of the database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from orders import replay
from orders.exact_json import decode
from orders.order import Order
from tests.unit.both_stores import BothStores, orders

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def every_minute(count: int, **attributes: Any) -> list[Order]:
    return [Order(f"o{n}", NOON + timedelta(minutes=n), "Tea", 1, "Ann", attributes) for n in range(count)]


def pages(both: BothStores, start: str, end: str, limit: int) -> list[list[str]]:
    found, after = [], 0
    while True:
        page = replay.replay(both.rows, {"from": start, "to": end, "after": after, "limit": limit})
        found.append([json.loads(order)["orderId"] for order in page["orders"]])
        if page["next"] is None:
            return found
        after = page["next"]


def test_a_period_is_read_in_pages_sorted_by_time(both: BothStores) -> None:
    both.insert(every_minute(10)[::-1])
    assert pages(both, "2026-11-22T12:02:00Z", "2026-11-22T13:08:00+01:00", 4) == [
        ["o2", "o3", "o4", "o5"],
        ["o6", "o7"],
    ]
    assert pages(both, "2026-11-22T12:02:00", "2026-11-22T12:06:00", 4) == [["o2", "o3", "o4", "o5"], []]
    assert pages(both, "2027-01-01", "2027-01-02", 4) == [[]]


def test_orders_with_the_same_time_are_read_once_each(both: BothStores) -> None:
    both.insert([Order(f"o{n}", NOON, item, 1 + n % 2) for n, item in enumerate(["Tea", "Latte"] * 6)])
    found = [order_id for page in pages(both, "2026-11-22", "2026-11-23", 5) for order_id in page]
    assert sorted(found) == sorted(f"o{n}" for n in range(12))


def test_an_order_is_replayed_with_all_its_fields(both: BothStores) -> None:
    attributes = {"table": 4, "tip": Decimal("0.50"), "item": "x"}
    both.insert([Order("o1", NOON, "Café ☕", 3, "Zoë", attributes)])
    (order,) = replay.replay(both.rows, {"from": "2026-11-22", "to": "2026-11-23"})["orders"]
    assert decode(order) == {
        "orderId": "o1",
        "item": "Café ☕",
        "quantity": 3,
        "customer_name": "Zoë",
        "created_at": "2026-11-22T12:00:00.000Z",
        "table": 4,
        "tip": Decimal("0.5"),
    }


def test_a_row_with_broken_attributes_is_named_and_the_others_are_replayed(both: BothStores) -> None:
    both.insert(every_minute(5))
    both.sql("UPDATE orders SET attributes = '{' WHERE order_id IN ('o1', 'o3')")
    both.sql("UPDATE orders SET attributes = '[]' WHERE order_id = 'o4'")
    assert pages(both, "2026-11-22", "2026-11-23", 2) == [["o0"], ["o2"], []]
    page = replay.replay(both.rows, {"from": "2026-11-22", "to": "2026-11-23"})
    assert page["bad_rows"] == {
        "2": "its attributes are not JSON",
        "4": "its attributes are not JSON",
        "5": "its attributes are not a JSON object",
    }


def test_a_page_of_large_orders_fits_a_lambda_response(both: BothStores) -> None:
    for order in every_minute(6, note="x" * 1_000_000):
        both.insert([order])
    page = replay.replay(both.rows, {"from": "2026-11-22", "to": "2026-11-23"})
    assert 3 <= len(page["orders"]) <= 4
    assert len(json.dumps(page)) < 6_000_000
    assert len(pages(both, "2026-11-22", "2026-11-23", 500)) == 2


@pytest.mark.parametrize("limit", [501, -1])
def test_a_limit_out_of_its_range_is_refused(both: BothStores, limit: int) -> None:
    with pytest.raises(ValueError, match="1 to 500"):
        replay.replay(both.rows, {"from": "2026-11-22", "to": "2026-11-23", "limit": limit})


def test_a_page_costs_only_the_reads_of_its_own_orders(both: BothStores) -> None:
    both.insert(every_minute(3000))
    both.sql("ANALYZE TABLE orders")
    (row,) = both.rows.period(NOON, NOON + timedelta(days=9), 0, 1)
    assert both.rows_read(lambda: both.rows.period(NOON, NOON + timedelta(days=9), row.id, 20)) < 60


def test_the_state_of_the_database_has_its_schema_and_its_latest_order(both: BothStores) -> None:
    assert (both.rows.schema(), both.rows.last_order_at(NOON)) == (4, None)
    both.insert(orders(1, sent_at=NOON))
    assert both.rows.last_order_at(NOON) == NOON


def test_a_row_dated_in_the_future_is_counted_and_is_not_the_latest_order(both: BothStores) -> None:
    both.insert([*orders(1, sent_at=NOON), *orders(2, sent_at=NOON + timedelta(days=3650))])
    assert (both.rows.last_order_at(NOON), both.rows.count_after(NOON)) == (NOON, 1)
