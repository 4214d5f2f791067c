"""What is counted, under which key, and how many orders fit one transaction."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from orders.order import Order

TOTAL_ORDERS = "TOTAL_ORDERS"
TODAY_ORDERS = "TODAY_ORDERS"  # what the API calls the current day's item
RDS_ORDERS = "RDS_ORDERS"  # what `ReconcileOrders` found; no counter
DEAD_LETTERS = "DEAD_LETTERS"  # what its sweep left in `OrderDLQ`; no counter
COUNTER = re.compile(r"TOTAL_ORDERS|ORDERS#\d{4}-\d\d-\d\d(T\d\d)?")
HOURS_KEPT = timedelta(days=14)


@dataclass(slots=True)
class Tally:
    """What a set of orders adds to the counters, by the key of each counter's item."""

    metrics: Counter[str] = field(default_factory=Counter)  # `CafeOrderMetrics.count`
    menu: Counter[str] = field(default_factory=Counter)  # `CafeMenu.orders`
    expiring: dict[str, datetime] = field(default_factory=dict)  # when a metric may go

    def add(self, order: Order, zone: tzinfo) -> None:
        """Count one order."""
        self.add_all(order.created_at, order.item, 1, order.quantity, zone)

    def add_all(self, sent_at: datetime | None, item: str, orders: int, quantity: int, zone: tzinfo) -> None:
        """Count orders for one item in one hour; those of an unknown time count on no day."""
        self.metrics[TOTAL_ORDERS] += orders
        self.menu[item] += quantity
        if sent_at is not None:
            hour = hour_key(sent_at, zone)
            self.metrics[day_key(sent_at, zone)] += orders
            self.metrics[hour] += orders
            self.expiring[hour] = sent_at.replace(minute=0, second=0, microsecond=0) + HOURS_KEPT

    def copy(self) -> Tally:
        """Make another that can be added to."""
        return Tally(self.metrics.copy(), self.menu.copy(), self.expiring.copy())

    @property
    def largest(self) -> int:
        """Tell the largest number in it, whatever its sign."""
        return max(map(abs, [*self.metrics.values(), *self.menu.values()]), default=0)

    @property
    def size(self) -> int:
        """How many items are counted in."""
        return len(self.metrics) + len(self.menu)


def tally(orders: Iterable[Order], zone: tzinfo) -> Tally:
    """Count orders, each once, on the day and in the hour in which it was sent in the cafe's time zone."""
    counted = Tally()
    for order in orders:
        counted.add(order, zone)
    return counted


def day_key(moment: datetime, zone: tzinfo) -> str:
    """Name the item that counts a day, such as `ORDERS#2026-11-22`."""
    return f"ORDERS#{moment.astimezone(zone):%Y-%m-%d}"


def hour_key(moment: datetime, zone: tzinfo) -> str:
    """Name the item that counts an hour, such as `ORDERS#2026-11-22T14`.

    The hour that a change to winter time repeats is one hour here, as it is on the cafe's clock.
    """
    return f"ORDERS#{moment.astimezone(zone):%Y-%m-%dT%H}"


def last_hours(now: datetime, zone: tzinfo, hours: int = 24) -> list[str]:
    """Name the items of the last hours, the oldest first, each once."""
    keys = (hour_key(now - timedelta(hours=ago), zone) for ago in reversed(range(hours)))
    return list(dict.fromkeys(keys))


def hours_before(now: datetime, zone: tzinfo) -> tuple[list[str], list[tuple[datetime, datetime]]]:
    """Find what was yesterday before this time of the day, by the clock on the wall.

    Returns
    -------
    tuple
        The keys of the hours that were over, and the periods of the hour that was not, from their
        starts to before their ends, in UTC: one, as a rule; none where the clock was put forward
        over it; two where it was put back.
    """
    time = now.astimezone(zone).replace(tzinfo=None, fold=0) - timedelta(days=1)
    hours = [f"ORDERS#{time:%Y-%m-%d}T{hour:02}" for hour in range(time.hour)]
    periods: list[tuple[datetime, datetime]] = []
    start = time.replace(minute=0, second=0, microsecond=0)
    while start < time:
        # Clocks are changed at quarters of an hour.
        end = min(start + timedelta(minutes=15), time)
        periods += [(moment, moment + (end - start)) for moment in _moments(start, zone)]
        start = end
    return hours, _merged(periods)


def _moments(time: datetime, zone: tzinfo) -> list[datetime]:
    """Tell when the clock on the wall shows a time: once, as a rule; never, or twice."""
    shown = {time.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(moment for moment in shown if moment.astimezone(zone).replace(tzinfo=None, fold=0) == time)


def _merged(periods: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Join periods that follow each other without a gap."""
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(periods):
        if merged and merged[-1][1] == start:
            start = merged.pop()[0]
        merged.append((start, end))
    return merged


def transactions(
    orders: Sequence[Order], zone: tzinfo, max_actions: int, max_bytes: int
) -> Iterator[list[Order]]:
    """Split orders into groups whose orders and counters fit one transaction each.

    Parameters
    ----------
    orders
        Orders, each id once.
    max_actions, max_bytes
        How many actions, and how many bytes of orders, a transaction takes.
    """
    group: list[Order] = []
    counted, size = Tally(), 0
    for order in orders:
        counted.add(order, zone)
        size += _size(order)
        if group and (len(group) + 1 + counted.size > max_actions or size > max_bytes):
            yield group
            group, counted, size = [], tally([order], zone), _size(order)
        group.append(order)
    if group:
        yield group


def _size(order: Order) -> int:
    """Estimate an order's bytes from above: DynamoDB has one to four for a character, names included."""
    return 4 * (len(repr(order.attributes)) + len(order.item) + len(order.customer_name)) + 500
