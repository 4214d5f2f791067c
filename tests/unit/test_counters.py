"""What is counted, and how orders are split into transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from orders import counters
from orders.order import Order

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ORDERS = st.lists(
    st.builds(
        Order,
        order_id=st.uuids().map(str),
        created_at=MOMENTS,
        item=st.sampled_from(["Latte", "Tea", "Coffee", "Mocha"]),
        quantity=st.integers(1, 1000),
    ),
    max_size=60,
    unique_by=lambda order: order.order_id,
)


def order(created_at: datetime, item: str = "Latte", quantity: int = 1) -> Order:
    return Order(str(created_at), created_at, item, quantity)


def test_an_order_counts_on_the_cafes_day_and_not_on_utcs() -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert counters.day_key(late, BERLIN) == "ORDERS#2026-11-23"
    assert counters.hour_key(late, BERLIN) == "ORDERS#2026-11-23T00"


@given(orders=ORDERS)
def test_every_counter_adds_up(orders: list[Order]) -> None:
    counted = counters.tally(orders, BERLIN)
    # Each order is in the total, in a day and in an hour.
    assert counted.metrics["TOTAL_ORDERS"] == len(orders)
    assert counted.metrics.total() == 3 * len(orders)
    assert sum(counted.menu.values()) == sum(order.quantity for order in orders)


@given(orders=ORDERS, max_actions=st.integers(5, 100))
def test_transactions_hold_every_order_once_and_fit(orders: list[Order], max_actions: int) -> None:
    groups = list(counters.transactions(orders, BERLIN, max_actions, max_bytes=10**9))
    assert [order for group in groups for order in group] == orders
    assert all(len(group) + counters.tally(group, BERLIN).size <= max_actions for group in groups)


def test_large_orders_are_split_by_their_bytes() -> None:
    note = {"note": "x" * 10_000}
    orders = [
        Order(str(number), datetime(2026, 1, 1, tzinfo=UTC), "Tea", 1, "Ann", note) for number in range(9)
    ]
    groups = list(counters.transactions(orders, BERLIN, max_actions=100, max_bytes=100_000))
    assert [len(group) for group in groups] == [2, 2, 2, 2, 1]


@given(now=MOMENTS)
def test_the_last_hours_are_in_order_and_each_is_there_once(now: datetime) -> None:
    hours = counters.last_hours(now, BERLIN)
    assert hours == sorted(set(hours))
    assert 23 <= len(hours) <= 24
    assert hours[-1] == counters.hour_key(now, BERLIN)


def test_the_hour_that_winter_time_repeats_is_one_hour() -> None:
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in summer time
    counted = counters.tally([order(before), order(before + timedelta(hours=1))], BERLIN)
    assert counted.metrics["ORDERS#2026-10-25T02"] == 2


def test_an_hour_expires_and_a_day_does_not() -> None:
    counted = counters.tally([order(datetime(2026, 11, 22, 14, 5, tzinfo=UTC))], BERLIN)
    assert counted.expiring == {"ORDERS#2026-11-22T15": datetime(2026, 12, 6, 14, tzinfo=UTC)}
