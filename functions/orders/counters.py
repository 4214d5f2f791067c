"""What is counted, and under which name.

Names are those of the items in `CafeOrderMetrics`, and three kinds more: the quantity of an item, which is in
`CafeMenu`, and two that MySQL alone keeps, of an item and hour and of a quarter of an hour. The days and
hours of the metrics are the cafe's; the other times are in UTC, so that another time zone moves nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orders.order import Order

TOTAL_ORDERS = "TOTAL_ORDERS"
TODAY_ORDERS = "TODAY_ORDERS"  # what the API calls the current day's item
RDS_ORDERS = "RDS_ORDERS"  # what `ReconcileOrders` found; no counter
DEAD_LETTERS = "DEAD_LETTERS"  # what its sweep left in `OrderDLQ`; no counter
METRIC = re.compile(r"TOTAL_ORDERS|ORDERS#\d{4}-\d\d-\d\d(T\d\d)?")
EXPIRING = re.compile(r"(ORDERS|ITEM_HOUR|QUARTER)#(\d{4}-\d\d-\d\dT\d\d)(?::(\d\d))?(#.*)?", re.DOTALL)
LOCAL = "ORDERS#"  # days and hours of the cafe's clock
ITEM = "ITEM#"
ITEM_HOUR = "ITEM_HOUR#"
QUARTER = "QUARTER#"
HOURS_KEPT = timedelta(days=14)
# Time zones differ from UTC by multiples of it, so that no quarter is in two days or hours.
QUARTER_LENGTH = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Counted:
    """A counter's value, and its version, which grows with every change of the value."""

    value: int
    version: int


@dataclass(frozen=True, slots=True)
class Group:
    """Orders that were sent in the same quarter of an hour, for one item."""

    item: str | None  # None for orders of all items, whose quantities another group has
    sent_at: datetime | None  # any time in the quarter, in UTC; None for all times, or an unknown one
    orders: int
    quantity: int


def tally(orders: Iterable[Order], zone: tzinfo, now: datetime) -> Counter[str]:
    """Return what orders add to each counter, by the counter's name.

    Each order counts on the day and in the hour in which it was sent by the cafe's clock. One that was sent
    in an hour that has expired counts in no hour, one of an unknown time on no day.
    """
    groups: dict[tuple[str, datetime | None], list[int]] = {}
    for order in orders:
        quarter = order.created_at and start_of_quarter(order.created_at)
        numbers = groups.setdefault((order.item, quarter), [0, 0])
        numbers[0] += 1
        numbers[1] += order.quantity
    return tally_groups((Group(*key, *numbers) for key, numbers in groups.items()), zone, now)


def tally_groups(groups: Iterable[Group], zone: tzinfo, now: datetime) -> Counter[str]:
    """Return what groups of orders add to each counter."""
    counted: Counter[str] = Counter()
    for group in groups:
        counted[TOTAL_ORDERS] += group.orders
        if group.item is not None:
            counted[item_name(group.item)] += group.quantity
        if group.sent_at is None:
            continue
        day, hour, utc_hour, quarter = _names_of_time(start_of_quarter(group.sent_at), zone)
        counted[day] += group.orders
        if not is_expired(hour, zone, now):
            counted[hour] += group.orders
        if not is_expired(quarter, zone, now):
            counted[quarter] += group.orders
            if group.item is not None:
                counted[f"{ITEM_HOUR}{utc_hour}#{group.item}"] += group.quantity
    return counted


@lru_cache(maxsize=8192)
def _names_of_time(quarter: datetime, zone: tzinfo) -> tuple[str, str, str, str]:
    return (
        day_name(quarter, zone),
        hour_name(quarter, zone),
        _utc_hour(quarter),
        quarter_name(quarter),
    )


def _utc_hour(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H}"


def day_name(moment: datetime, zone: tzinfo) -> str:
    """Return the counter of a day, such as `ORDERS#2026-11-22`."""
    return f"ORDERS#{moment.astimezone(zone):%Y-%m-%d}"


def hour_name(moment: datetime, zone: tzinfo) -> str:
    """Return the counter of an hour, such as `ORDERS#2026-11-22T14`.

    The hour that a change to winter time repeats is one hour here, as it is on the cafe's clock.
    """
    return f"ORDERS#{moment.astimezone(zone):%Y-%m-%dT%H}"


def quarter_name(moment: datetime) -> str:
    """Return the counter of a quarter of an hour, such as `QUARTER#2026-11-22T14:15`, in UTC."""
    return f"{QUARTER}{start_of_quarter(moment):%Y-%m-%dT%H:%M}"


def item_name(item: str) -> str:
    """Return the counter of an item."""
    return ITEM + item


def item_of(name: str) -> str | None:
    """Return the item that a counter counts over all time, None for any other counter."""
    return name[len(ITEM) :] if name.startswith(ITEM) else None


def is_projected(name: str) -> bool:
    """Return whether DynamoDB has the counter, too."""
    return name.startswith(ITEM) or METRIC.fullmatch(name) is not None


def is_local(name: str) -> bool:
    """Return whether a counter depends on the cafe's time zone."""
    return name.startswith(LOCAL)


@lru_cache(maxsize=4096)
def expires_at(name: str, zone: tzinfo) -> datetime | None:
    """Return when a counter of an hour or a quarter is dropped, in UTC; None for one that is kept.

    It follows from the name alone, so that all who count, show, compare and prune agree.
    """
    if not (match := EXPIRING.fullmatch(name)):
        return None
    kind, hour, _, _ = match.groups()
    start = datetime.fromisoformat(hour).replace(tzinfo=zone if kind == "ORDERS" else UTC)
    return start.astimezone(UTC) + HOURS_KEPT


def is_expired(name: str, zone: tzinfo, now: datetime) -> bool:
    """Return whether a counter counts no more."""
    expiry = expires_at(name, zone)
    return expiry is not None and expiry <= now


def start_of_quarter(moment: datetime) -> datetime:
    """Return the start of the quarter of an hour that a moment is in, in UTC."""
    moment = moment.astimezone(UTC)
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


def last_hours(now: datetime, zone: tzinfo, hours: int = 24) -> list[str]:
    """Return the counters of the last hours, the oldest first, each once."""
    names = (hour_name(now - timedelta(hours=ago), zone) for ago in reversed(range(hours)))
    return list(dict.fromkeys(names))


def item_hours(now: datetime, hours: int = 24) -> tuple[str, str]:
    """Return the range of the last hours' counters of items: from a name to before another."""
    first, end = now - timedelta(hours=hours - 1), now + timedelta(hours=1)
    return f"{ITEM_HOUR}{_utc_hour(first)}", f"{ITEM_HOUR}{_utc_hour(end)}"


def same_time_yesterday(now: datetime, zone: tzinfo) -> dict[str, float]:
    """Return which quarters make up yesterday until this time of the day, by the clock on the wall.

    Each counter's value is the share of it that counts: 1, and less for the quarter that has begun. No
    quarter is in it where the clock was put forward over its time; two of a time where it was put back.
    """
    end = now.astimezone(zone).replace(tzinfo=None, fold=0) - timedelta(days=1)
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    # The clock may be put forward or back by hours: look at two days and keep what is in this one.
    quarter = start_of_quarter(midnight.replace(tzinfo=zone).astimezone(UTC) - timedelta(hours=6))
    shares: dict[str, float] = {}
    for _ in range(4 * 36):
        start = quarter.astimezone(zone).replace(tzinfo=None, fold=0)
        if midnight <= start < end:
            shares[quarter_name(quarter)] = min(1.0, (end - start) / QUARTER_LENGTH)
        quarter += QUARTER_LENGTH
    return shares
