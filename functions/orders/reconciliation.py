"""Compare the projection with MySQL, the source of truth, and repair the projection.

Each run compares what MySQL recorded since the last one, so its cost does not grow with the table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from orders import counters
from orders.counters import TOTAL_ORDERS, Counted
from orders.ledger import OrderDatabase, OrderProjection
from orders.order import Order
from orders.sync import RdsOrders

PAGE = 1000  # rows
# A worker may take this long from the commit to the projection; an order that is missing later is drift.
GRACE = timedelta(seconds=5)
# A transaction may commit this long after the time in its number, including differences between clocks.
OVERLAP = timedelta(minutes=2)
# A function that read an order before a move may put its old version until the function ends.
CHANGES_OVERLAP = timedelta(minutes=16)
FIRST = timedelta(minutes=10)  # the period that the first run compares
TIME_IS_UP = "Time was up; the next run continues."

# Of a row: the number of the transaction that recorded it (0 if rows are sorted by id alone), and its id.
Position = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rows:
    """Orders of some rows."""

    orders: Sequence[Order]
    bad: Mapping[int, str] = field(default_factory=dict)  # reasons, by id, of rows without a valid order
    after: Position | None = None  # where the next page begins
    until: datetime | None = None  # this page and the earlier ones have everything recorded until then


@dataclass(frozen=True, slots=True)
class Behind:
    """Ids of orders that a database restored from a backup lacks, or has in an older state than DynamoDB."""

    missing: Sequence[str]  # orders that the database lacks
    older: Sequence[str]  # orders with an older state in the database


Read = Callable[[datetime, datetime, Position, int], Rows]


class Database(OrderDatabase, Protocol):
    """The source of truth (`stores.mysql.reconciliation.ReconciliationDatabase`)."""

    def count_uncounted(self) -> Rows: ...
    def recorded(self, since: datetime, until: datetime, after: Position, limit: int) -> Rows: ...
    def changed(self, since: datetime, until: datetime, after: Position, limit: int) -> Rows: ...
    def set_first_states(self, order_ids: Collection[str]) -> list[str]: ...
    def orders(self, order_ids: Collection[str]) -> Iterator[Rows]: ...
    def by_id(self, after: int, limit: int) -> Rows: ...
    def names(self) -> set[str]: ...
    def create_counters(self, names: Collection[str]) -> None: ...


class Projection(OrderProjection, Protocol):
    """Orders and counters in DynamoDB (`stores.dynamodb.projection.Projection`)."""

    def behind(self, versions: Mapping[str, int]) -> set[str]: ...
    def erase(self, order_ids: Collection[str]) -> list[str]: ...
    def read(self, names: Iterable[str]) -> dict[str, Counted]: ...
    def names(self) -> set[str]: ...
    def set_counter(self, name: str, counted: Counted, read: Counted | None = None) -> bool: ...


@dataclass(slots=True)
class Clock:
    """Time; tests replace it."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    seconds_left: Callable[[], float] = lambda: float("inf")  # seconds until this run has to end


@dataclass(slots=True)
class Outcome:
    """Result of a run."""

    checked: int = 0  # orders that were compared
    repaired: int = 0  # orders that were missing in DynamoDB, or had an older state there
    counted: int = 0  # rows that were not counted yet
    drift: int = 0  # by how many orders the stores differed: missing orders, or the worst counter
    rds_orders: int | None = None  # orders that MySQL has counted
    corrected: dict[str, int] = field(default_factory=dict)  # what was added to counters in MySQL, by name
    bad_rows: dict[int, str] = field(default_factory=dict)  # reasons, by id, of rows without a valid order
    compared_until: datetime | None = None  # everything recorded until then was compared
    next: int | None = None  # id of the row to resume after, if time was up
    reason: str | None = None  # why some repair was not possible
    unchecked: str | None = None  # why not everything was compared


class Reconciler:
    """Compares the stores and repairs the projection."""

    def __init__(
        self, database: Database, projection: Projection, zone: ZoneInfo, clock: Clock | None = None
    ) -> None:
        self._database = database
        self._projection = projection
        self._zone = zone
        self._clock = clock or Clock()

    def recent(self, last: RdsOrders, outcome: Outcome) -> None:
        """Count uncounted rows, and compare what was recorded and moved since the last run.

        Repairs that are made before a StoreUnavailableError stay.
        """
        self._count_uncounted(outcome)
        now = self._clock.now()
        since = last.compared_until or now - FIRST
        names = {TOTAL_ORDERS}
        # Changes first: `compared_until` covers both.
        for rows in self._pages(self._database.changed, since - CHANGES_OVERLAP, now - GRACE, outcome):
            self._compare_orders(rows.orders, outcome)
        for rows in self._pages(self._database.recorded, since - OVERLAP, now - GRACE, outcome):
            self._set_first_states(rows.orders, outcome)
            self._compare_orders(rows.orders, outcome)
            names |= counters.tally(rows.orders, self._zone, now).keys()
            outcome.compared_until = rows.until or now - GRACE
        self.compare_counters(names, outcome)

    def compare_all_counters(self, outcome: Outcome) -> None:
        """Compare all counters of both stores; one that only DynamoDB has gets the value 0."""
        # DynamoDB first: MySQL has every counter earlier.
        projected = self._projection.names()
        known = self._database.names()
        now = self._clock.now()
        unknown = {n for n in projected - known if not counters.is_expired(n, self._zone, now)}
        self._database.create_counters(unknown)
        self.compare_counters(known | unknown, outcome)

    def compare_counters(self, names: Iterable[str], outcome: Outcome) -> None:
        """Compare counters by their versions, and correct the projection."""
        soon = self._clock.now() + timedelta(minutes=1)
        names = [
            n for n in names if counters.is_projected(n) and not counters.is_expired(n, self._zone, soon)
        ]
        before = self._database.counted(names)
        projected = self._projection.read(before)
        if late := [name for name, counted in before.items() if _is_late(projected.get(name), counted)]:
            self._clock.sleep(GRACE.total_seconds())
            projected |= self._projection.read(late)
        after = self._database.counted(before)
        for name, counted in after.items():
            seen = projected.get(name)
            if _is_late(seen, before[name]):
                self._projection.set_counter(name, counted)
            elif seen and _is_wrong(seen, before[name], counted):
                self._projection.set_counter(name, counted, seen)
            else:
                continue
            difference = abs(counted.value - (seen.value if seen else 0))
            outcome.drift = max(outcome.drift, difference, 1)
        outcome.rds_orders = after[TOTAL_ORDERS].value if TOTAL_ORDERS in after else 0

    def write_all(self, after: int, outcome: Outcome) -> None:
        """Write every order after a row to the projection again; delete none."""
        row_id: int | None = after
        while row_id is not None:
            if self._clock.seconds_left() <= 0:
                outcome.next = row_id
                return
            rows = self._database.by_id(row_id, PAGE)
            outcome.bad_rows |= rows.bad
            self._write(rows.orders, outcome)
            outcome.checked += len(rows.orders)
            row_id = rows.after[1] if rows.after else None

    def _count_uncounted(self, outcome: Outcome) -> None:
        while self._clock.seconds_left() > 0:
            rows = self._database.count_uncounted()
            outcome.bad_rows |= rows.bad
            outcome.counted += len(rows.orders)
            names = filter(counters.is_projected, counters.tally(rows.orders, self._zone, self._clock.now()))
            self._write(rows.orders, outcome, self._database.counted(list(names)))
            if rows.after is None:
                return

    def _pages(self, read: Read, since: datetime, until: datetime, outcome: Outcome) -> Iterator[Rows]:
        """Yield the pages of a period until time is up, which makes the comparison incomplete."""
        after: Position | None = (0, 0)
        while after is not None:
            if self._clock.seconds_left() <= 0:
                outcome.unchecked = TIME_IS_UP
                return
            rows = read(since, until, after, PAGE)
            outcome.bad_rows |= rows.bad
            yield rows
            after = rows.after

    def _set_first_states(self, orders: Sequence[Order], outcome: Outcome) -> None:
        """Set the first state of orders that the previous release recorded, and write them."""
        without = [order.order_id for order in orders if order.progress is None]
        for rows in self._database.orders(self._database.set_first_states(without)):
            self._write(rows.orders, outcome)

    def _compare_orders(self, orders: Sequence[Order], outcome: Outcome) -> None:
        """Write orders that are missing in DynamoDB, or have an older state there."""
        versions = {order.order_id: order.version for order in orders}
        behind = self._projection.behind(versions)
        if behind:
            # A transaction may have waited for locks, and its worker may be between the two stores.
            self._clock.sleep(GRACE.total_seconds())
            behind = self._projection.behind({order_id: versions[order_id] for order_id in sorted(behind)})
        # Not drift: `EraseOrders` stopped between the stores, or a function wrote what it had read before.
        self._projection.erase([order.order_id for order in orders if order.is_erased])
        outcome.checked += len(orders)
        outcome.drift += len(behind)
        for rows in self._database.orders(behind):
            outcome.bad_rows |= rows.bad
            outcome.repaired += self._write(rows.orders, outcome)

    def _write(
        self, orders: Sequence[Order], outcome: Outcome, counted: Mapping[str, Counted] | None = None
    ) -> int:
        written = self._projection.write(orders, counted or {})
        if written.newer:
            self._database.adopt(written.newer)
        for order_id, reason in written.refused.items():
            outcome.reason = f"Order {order_id}: {reason}"
        return len(orders) - len(written.refused)


def _is_late(seen: Counted | None, counted: Counted) -> bool:
    """Return whether DynamoDB has an older version than MySQL had."""
    return seen is None or seen.version < counted.version


def _is_wrong(seen: Counted, before: Counted, after: Counted) -> bool:
    """Return whether DynamoDB has a value that MySQL never had."""
    if seen.version > after.version:
        return True
    return any(seen.version == counted.version and seen.value != counted.value for counted in (before, after))
