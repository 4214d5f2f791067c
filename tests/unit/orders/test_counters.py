"""Names of counters, what orders add to them, and the counters of a period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orders import counters
from orders.counters import Group, tally, tally_groups
from orders.order import Order

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
KEPT = timedelta(days=14)
MOMENTS = st.datetimes(datetime(2026, 10, 1), datetime(2026, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001
ORDERS = st.lists(
    st.builds(
        Order,
        order_id=st.uuids().map(str),
        created_at=st.none() | MOMENTS,
        item=st.sampled_from(["Latte", "Tea", "Tea ", "A#B", "TOTAL_ORDERS"]),
        quantity=st.integers(1, 1000),
    ),
    max_size=60,
)


def order(created_at: datetime | None, item: str = "Latte", quantity: int = 1) -> Order:
    return Order(str(created_at), created_at, item, quantity)


def test_an_order_counts_under_each_of_its_names() -> None:
    late = datetime(2026, 11, 22, 23, 50, tzinfo=UTC)  # 0:50 on the 23rd in Berlin
    assert tally([order(late, quantity=3)], BERLIN, NOW) == {
        "TOTAL_ORDERS": 1,
        "ORDERS#2026-11-23": 1,
        "ORDERS#2026-11-23T00": 1,
        "ITEM#Latte": 3,
        "ITEM_HOUR#2026-11-22T23#Latte": 3,
        "QUARTER#2026-11-22T23:45": 1,
    }


def test_a_legacy_row_without_a_time_counts_in_no_period() -> None:
    assert tally([order(None, quantity=3)], BERLIN, NOW) == {"TOTAL_ORDERS": 1, "ITEM#Latte": 3}


@given(orders=ORDERS)
def test_every_kind_of_counter_adds_up(orders: list[Order]) -> None:
    counted = tally(orders, BERLIN, datetime(2026, 10, 1, tzinfo=UTC))

    def added(prefix: str) -> int:
        return sum(number for name, number in counted.items() if name.startswith(prefix))

    timed = [order for order in orders if order.created_at]
    assert counted["TOTAL_ORDERS"] == len(orders)
    assert added("ORDERS#") == 2 * len(timed)
    assert added("QUARTER#") == len(timed)
    assert added("ITEM#") == sum(order.quantity for order in orders)
    assert added("ITEM_HOUR#") == sum(order.quantity for order in timed)


@given(orders=ORDERS, size=st.integers(1, 20))
def test_orders_count_the_same_as_a_whole_in_parts_and_in_groups(orders: list[Order], size: int) -> None:
    whole = tally(orders, BERLIN, NOW)
    parts = [tally(orders[start : start + size], BERLIN, NOW) for start in range(0, len(orders), size)]
    names = {name for part in parts for name in part}
    assert {name: sum(part[name] for part in parts) for name in names} == whole
    groups = [Group(order.item, order.created_at, 1, order.quantity) for order in orders]
    assert tally_groups(groups, BERLIN, NOW) == whole


def test_the_hour_repeated_at_the_end_of_daylight_saving_time_is_one_hour() -> None:
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in summer time
    counted = tally([order(before), order(before + timedelta(hours=1))], BERLIN, before)
    assert counted["ORDERS#2026-10-25T02"] == 2


@pytest.mark.parametrize(("age", "is_kept"), [(KEPT - timedelta(microseconds=1), True), (KEPT, False)])
@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("ORDERS#2026-11-22T15", datetime(2026, 11, 22, 14, tzinfo=UTC)),
        ("ORDERS#2026-06-22T15", datetime(2026, 6, 22, 13, tzinfo=UTC)),
        ("ITEM_HOUR#2026-11-22T14#Latte", datetime(2026, 11, 22, 14, tzinfo=UTC)),
        ("ITEM_HOUR#2026-11-22T14#A\n#B", datetime(2026, 11, 22, 14, tzinfo=UTC)),
        ("QUARTER#2026-11-22T14:45", datetime(2026, 11, 22, 14, tzinfo=UTC)),
    ],
)
def test_a_counter_of_an_hour_expires_two_weeks_after_the_hour_began(
    name: str, start: datetime, age: timedelta, *, is_kept: bool
) -> None:
    assert counters.expires_at(name, BERLIN) == start + KEPT
    assert counters.is_expired(name, BERLIN, start + age) != is_kept


@pytest.mark.parametrize("name", ["TOTAL_ORDERS", "ORDERS#2026-11-22", "ITEM#Latte", "ITEM#2026-11-22T14"])
def test_other_counters_do_not_expire(name: str) -> None:
    assert not counters.is_expired(name, BERLIN, NOW + 100 * KEPT)


@pytest.mark.parametrize(("age", "names"), [(timedelta(microseconds=1), 6), (timedelta(0), 3)])
def test_an_order_of_an_expired_hour_counts_in_no_hour(age: timedelta, names: int) -> None:
    sent_at = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
    expiry = sent_at.replace(minute=0) + KEPT
    counted = tally([order(sent_at)], BERLIN, expiry - age)
    assert len(counted) == names
    assert counted["ORDERS#2026-11-22"] == 1


@pytest.mark.parametrize(
    ("name", "is_projected"),
    [
        ("TOTAL_ORDERS", True),
        ("ORDERS#2026-11-22", True),
        ("ORDERS#2026-11-22T14", True),
        ("ITEM#Latte", True),
        ("ITEM#", True),
        ("ITEM_HOUR#2026-11-22T14#Latte", False),
        ("QUARTER#2026-11-22T14:15", False),
        ("TIME_ZONE#UTC", False),
    ],
)
def test_dynamodb_has_no_counters_of_quarters_and_of_items_by_hour(name: str, *, is_projected: bool) -> None:
    assert counters.is_projected(name) == is_projected


@given(now=MOMENTS)
def test_the_last_hours_are_sorted_and_distinct(now: datetime) -> None:
    hours = counters.last_hours(now, BERLIN)
    assert hours == sorted(set(hours))
    assert 23 <= len(hours) <= 24
    assert hours[-1] == counters.hour_name(now, BERLIN)


@given(now=MOMENTS, ago=st.integers(-2, 26))
def test_the_counters_of_items_cover_24_hours(now: datetime, ago: int) -> None:
    first, end = counters.item_hours(now)
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=ago)
    (name,) = (n for n in tally([order(start)], UTC, start) if n.startswith(counters.ITEM_HOUR))
    assert (first.encode() <= name.encode() < end.encode()) == (0 <= ago < 24)


# Yesterday until the same time.


def yesterday(*local: int, zone: str = "Europe/Berlin", fold: int = 0) -> dict[str, float]:
    """Return the shares of the quarters that count, by day and time in UTC."""
    now = datetime(*local, tzinfo=ZoneInfo(zone), fold=fold)  # type: ignore[misc,arg-type]
    shares = counters.same_time_yesterday(now, ZoneInfo(zone))
    return {name[len("QUARTER#2026-11-") :].replace("T", " "): share for name, share in shares.items()}


def test_yesterday_ends_at_the_same_time_of_the_day() -> None:
    assert yesterday(2026, 11, 22, 0, 40) == {"20 23:00": 1, "20 23:15": 1, "20 23:30": pytest.approx(2 / 3)}
    assert yesterday(2026, 11, 22, 0, 0) == {}
    assert yesterday(2026, 11, 22, 0, 15) == {"20 23:00": 1}
    assert yesterday(2026, 11, 22, 0, 15, 1) == {"20 23:00": 1, "20 23:15": pytest.approx(1 / 900)}


@pytest.mark.parametrize(
    ("now", "zone", "last"),
    [
        # Daylight saving time began yesterday at 2:00: 2:30 did not exist.
        ((2026, 3, 30, 2, 30), "Europe/Berlin", {"29T00:45": 1}),
        ((2026, 3, 30, 3, 30), "Europe/Berlin", {"29T01:15": 1}),
        # Daylight saving time ended yesterday at 3:00: 2:20 occurred twice.
        ((2026, 10, 26, 2, 20), "Europe/Berlin", {"25T00:15": 1 / 3, "25T01:15": 1 / 3}),
        ((2026, 10, 26, 3, 20), "Europe/Berlin", {"25T02:15": 1 / 3}),
        # Daylight saving time of half an hour.
        ((2026, 10, 5, 2, 45), "Australia/Lord_Howe", {"03T15:30": 1}),
        ((2026, 4, 6, 1, 40), "Australia/Lord_Howe", {"04T14:30": 2 / 3, "04T15:00": 2 / 3}),
        # Daylight saving time began at midnight.
        ((2026, 3, 9, 0, 30), "America/Havana", {}),
        ((2026, 11, 22, 9, 50), "Asia/Kathmandu", {"21T04:00": 1 / 3}),
    ],
)
def test_yesterday_ends_at_the_local_time_of_day(
    now: tuple[int, ...], zone: str, last: dict[str, float]
) -> None:
    shares = counters.same_time_yesterday(datetime(*now, tzinfo=ZoneInfo(zone)), ZoneInfo(zone))  # type: ignore[misc,arg-type]
    expected = {f"QUARTER#2026-{now[1]:02}-{name}": pytest.approx(share) for name, share in last.items()}
    assert {name: shares[name] for name in expected} == expected
    assert max(shares, default="") == max(expected, default="")


def test_both_passes_of_a_repeated_hour_are_compared_with_the_same_hour_of_yesterday() -> None:
    first, second = yesterday(2026, 10, 25, 2, 20), yesterday(2026, 10, 25, 2, 20, fold=1)
    assert first == second
    assert sum(first.values()) == pytest.approx(2 * 4 + 4 / 3)


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
def test_every_quarter_of_yesterday_until_this_time_counts_once(
    change: datetime, minutes: int, zone: ZoneInfo
) -> None:
    now = change + timedelta(minutes=minutes)
    shares = counters.same_time_yesterday(now, zone)
    end = now.astimezone(zone).replace(tzinfo=None) - timedelta(days=1)
    for ago in range(0, 52 * 60, 15):
        quarter = counters.start_of_quarter(now - timedelta(minutes=ago))
        local = quarter.astimezone(zone).replace(tzinfo=None)
        share = min(1, (end - local) / timedelta(minutes=15)) if local.date() == end.date() else 0
        assert shares.pop(counters.quarter_name(quarter), 0) == pytest.approx(max(0, share)), quarter
    assert shares == {}
