"""The counters and their names.

`CafeOrderMetrics` has the total and counters of days and hours, in the cafe's time zone; `CafeMenu` has the
quantities of items. MySQL alone also counts items per hour and orders per quarter of an hour, both in UTC, so
that a change of the time zone does not affect them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orders.order import Order

TOTAL_ORDERS = "TOTAL_ORDERS"
TODAY_ORDERS = "TODAY_ORDERS"  # the API's name of the current day's counter
RDS_ORDERS = "RDS_ORDERS"  # an item with the result of `ReconcileOrders`, not a counter
DEAD_LETTERS = "DEAD_LETTERS"  # an item with the result of its sweep, not a counter
METRIC = re.compile(r"TOTAL_ORDERS|ORDERS#\d{4}-\d\d-\d\d(T\d\d)?")
EXPIRING = re.compile(r"(ORDERS|ITEM_HOUR|QUARTER)#(\d{4}-\d\d-\d\dT\d\d)(?::(\d\d))?(#.*)?", re.DOTALL)
LOCAL = "ORDERS#"  # days and hours in the cafe's time zone
ITEM = "ITEM#"
ITEM_HOUR = "ITEM_HOUR#"
QUARTER = "QUARTER#"
# A row of `counters` that counts nothing: the time up to which `EraseOrders` has erased orders by age, in
# milliseconds since the epoch.
ERASED_UNTIL = "ERASED_UNTIL"
HOURS_KEPT = timedelta(days=14)
# Time zones differ from UTC by multiples of it, so that no quarter spans two days or hours.
QUARTER_LENGTH = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Counted:
    """A counter's value, and its version, which grows with every change of the value."""

    value: int
    version: int


@dataclass(frozen=True, slots=True)
class Group:
    """Orders of an item that were sent in the same quarter of an hour."""

    item: str | None  # None for orders of all items, whose quantities are in other groups
    sent_at: datetime | None  # any time in the quarter, in UTC; None for all times, or for an unknown one
    orders: int
    quantity: int


def tally(orders: Iterable[Order], zone: tzinfo, now: datetime) -> Counter[str]:
    """Return the numbers that orders add to counters, by the counter's name.

    An order counts on the day and in the hour of its time in the cafe's time zone; in no hour if that has
    expired, and on no day if its time is unknown.
    """
    groups: dict[tuple[object, ...], list[Order]] = {}
    for order in orders:
        at = order.created_at
        quarter = at and (at.date(), at.hour, at.minute // 15)
        groups.setdefault((order.item, quarter), []).append(order)
    return tally_groups(map(_group, groups.values()), zone, now)


def _group(orders: Sequence[Order]) -> Group:
    return Group(orders[0].item, orders[0].created_at, len(orders), sum(order.quantity for order in orders))


def tally_groups(groups: Iterable[Group], zone: tzinfo, now: datetime) -> Counter[str]:
    """Return the numbers that groups of orders add to counters."""
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
    return day_name(quarter, zone), hour_name(quarter, zone), _utc_hour(quarter), quarter_name(quarter)


def _utc_hour(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H}"


def day_name(moment: datetime, zone: tzinfo) -> str:
    """Return the counter of a day, such as `ORDERS#2026-11-22`."""
    return f"ORDERS#{moment.astimezone(zone):%Y-%m-%d}"


def hour_name(moment: datetime, zone: tzinfo) -> str:
    """Return the counter of an hour, such as `ORDERS#2026-11-22T14`.

    The hour that the end of daylight-saving time repeats has one counter.
    """
    return f"ORDERS#{moment.astimezone(zone):%Y-%m-%dT%H}"


def quarter_name(moment: datetime) -> str:
    """Return the counter of a quarter of an hour, such as `QUARTER#2026-11-22T14:15`, in UTC."""
    return f"{QUARTER}{start_of_quarter(moment):%Y-%m-%dT%H:%M}"


def item_name(item: str) -> str:
    """Return the counter of an item."""
    return ITEM + item


def item_of(name: str) -> str | None:
    """Return the item of an item's counter, None for any other counter."""
    return name[len(ITEM) :] if name.startswith(ITEM) else None


def is_projected(name: str) -> bool:
    """Return whether DynamoDB also has the counter."""
    return name.startswith(ITEM) or METRIC.fullmatch(name) is not None


def is_local(name: str) -> bool:
    """Return whether a counter depends on the cafe's time zone."""
    return name.startswith(LOCAL)


@lru_cache(maxsize=4096)
def expires_at(name: str, zone: tzinfo) -> datetime | None:
    """Return when a counter of an hour or a quarter expires; None for counters that never do.

    It depends on name and time zone alone, so that counting, projecting, comparing and pruning agree.
    """
    if not (match := EXPIRING.fullmatch(name)):
        return None
    kind, hour, _, _ = match.groups()
    start = datetime.fromisoformat(hour).replace(tzinfo=zone if kind == "ORDERS" else UTC)
    return start.astimezone(UTC) + HOURS_KEPT


def is_expired(name: str, zone: tzinfo, now: datetime) -> bool:
    """Return whether a counter has expired."""
    expiry = expires_at(name, zone)
    return expiry is not None and expiry <= now


def start_of_quarter(moment: datetime) -> datetime:
    """Return the start of the quarter of an hour of a moment, in UTC."""
    moment = moment.astimezone(UTC)
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


def last_hours(now: datetime, zone: tzinfo, hours: int = 24) -> list[str]:
    """Return the counters of the last hours without duplicates, the oldest first."""
    names = (hour_name(now - timedelta(hours=ago), zone) for ago in reversed(range(hours)))
    return list(dict.fromkeys(names))


def item_hours(now: datetime, hours: int = 24) -> tuple[str, str]:
    """Return the half-open range of names of the items' counters of the last hours."""
    first, end = now - timedelta(hours=hours - 1), now + timedelta(hours=1)
    return f"{ITEM_HOUR}{_utc_hour(first)}", f"{ITEM_HOUR}{_utc_hour(end)}"


def same_time_yesterday(now: datetime, zone: tzinfo) -> dict[str, float]:
    """Return the counters of yesterday's quarters up to this time of day, in local time.

    The values are the shares of the quarters that count: less than 1 for the current one. At a change of
    daylight-saving time, a local time may have no quarter or two.
    """
    end = now.astimezone(zone).replace(tzinfo=None, fold=0) - timedelta(days=1)
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    # The clock may change by hours: look at 36 hours, and keep the quarters of this day.
    quarter = start_of_quarter(midnight.replace(tzinfo=zone).astimezone(UTC) - timedelta(hours=6))
    shares: dict[str, float] = {}
    for _ in range(4 * 36):
        start = quarter.astimezone(zone).replace(tzinfo=None, fold=0)
        if midnight <= start < end:
            shares[quarter_name(quarter)] = min(1.0, (end - start) / QUARTER_LENGTH)
        quarter += QUARTER_LENGTH
    return shares
