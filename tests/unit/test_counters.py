"""What is counted, and how orders are split into transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
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


def yesterday(*local: int, zone: str = "Europe/Berlin", fold: int = 0) -> tuple[int, list[str]]:
    """Tell how many hours were over, and which times of UTC are counted one by one."""
    now = datetime(*local, tzinfo=ZoneInfo(zone), fold=fold)  # type: ignore[misc,arg-type]
    hours, periods = counters.hours_before(now, ZoneInfo(zone))
    return len(hours), [f"{start:%d %H:%M}-{end:%H:%M}" for start, end in periods]


def test_yesterday_ends_at_the_same_time_of_the_day() -> None:
    now = datetime(2026, 11, 22, 2, 40, tzinfo=BERLIN)
    assert counters.hours_before(now, BERLIN) == (
        ["ORDERS#2026-11-21T00", "ORDERS#2026-11-21T01"],
        [(datetime(2026, 11, 21, 1, tzinfo=UTC), datetime(2026, 11, 21, 1, 40, tzinfo=UTC))],
    )
    assert yesterday(2026, 11, 22, 0, 0) == (0, [])
    assert yesterday(2026, 11, 22, 3, 0) == (3, [])


@pytest.mark.parametrize(
    ("now", "zone", "periods"),
    [
        # Put forward from 2:00 to 3:00 yesterday: there was no 2:30.
        ((2026, 3, 30, 2, 30), "Europe/Berlin", []),
        ((2026, 3, 30, 3, 30), "Europe/Berlin", ["29 01:00-01:30"]),
        # Put back from 3:00 to 2:00 yesterday: it was 2:20 twice.
        ((2026, 10, 26, 2, 20), "Europe/Berlin", ["25 00:00-00:20", "25 01:00-01:20"]),
        ((2026, 10, 26, 3, 20), "Europe/Berlin", ["25 02:00-02:20"]),
        # Put forward, and back, by half an hour.
        ((2026, 10, 5, 2, 45), "Australia/Lord_Howe", ["03 15:30-15:45"]),
        ((2026, 4, 6, 1, 45), "Australia/Lord_Howe", ["04 14:00-14:45", "04 15:00-15:15"]),
        # Put forward at midnight.
        ((2026, 3, 9, 0, 30), "America/Havana", []),
        ((2026, 11, 22, 9, 50), "Asia/Kathmandu", ["21 03:15-04:05"]),
    ],
)
def test_yesterday_is_what_the_clock_on_the_wall_showed(
    now: tuple[int, ...], zone: str, periods: list[str]
) -> None:
    assert yesterday(*now, zone=zone)[1] == periods


def test_the_hour_that_comes_twice_today_is_compared_with_yesterdays_twice() -> None:
    assert yesterday(2026, 10, 25, 2, 20) == yesterday(2026, 10, 25, 2, 20, fold=1) == (2, ["24 00:00-00:20"])


CHANGES = [
    datetime(2026, month, day, tzinfo=UTC) for month, day in ((3, 29), (10, 25), (4, 4), (10, 3), (11, 1))
]


@given(
    change=st.sampled_from(CHANGES),
    minutes=st.integers(-60, 50 * 60),
    zone=st.sampled_from(
        [
            "Europe/Berlin",
            "Australia/Lord_Howe",
            "America/Havana",
            "America/St_Johns",
            "Asia/Kathmandu",
            "UTC",
        ]
    ).map(ZoneInfo),
)
@example(change=datetime(2011, 12, 30, 12, tzinfo=UTC), minutes=0, zone=ZoneInfo("Pacific/Apia"))  # no 30th
def test_every_order_of_yesterday_until_this_time_counts_once(
    change: datetime, minutes: int, zone: ZoneInfo
) -> None:
    now = change + timedelta(minutes=minutes)
    hours, periods = counters.hours_before(now, zone)
    end = now.astimezone(zone).replace(tzinfo=None) - timedelta(days=1)
    for ago in range(0, 52 * 60, 5):
        moment = now - timedelta(minutes=ago)
        shown = moment.astimezone(zone).replace(tzinfo=None)
        times = (counters.hour_key(moment, zone) in hours) + sum(a <= moment < b for a, b in periods)
        assert times == (shown.date() == end.date() and shown < end), moment
