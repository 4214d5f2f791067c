"""MySQL against DynamoDB: what DynamoDB lacks, what it counts wrongly, and how both are mended.

MySQL is right. Most rows were compared long ago: their ids are up to the *settled* id, and a number says
how many they are. What is compared at every run are the rows after it, the *window*: those of the last
minutes. So a run costs what the last minutes brought, and not what the table holds.

Ids are given out in order and committed out of order. An id is settled minutes after the table first held
it or a larger one, when no smaller one can turn up any more.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Protocol, TypeVar

from orders import counters
from orders.counters import Tally
from orders.errors import Refused, StoreUnavailableError
from orders.ledger import Ledger
from orders.order import Order

T = TypeVar("T")

PAGE = 500  # rows
SETTLES_AFTER = timedelta(minutes=5)  # no insert is under way for that long
# What a worker may take from one store to the other before the order counts as missing.
GRACE = timedelta(seconds=5)
STEP = 100_000  # ids that are counted or summed in one statement
MOST_RECENT = 100_000  # rows of a window that fit into memory
STILL_ATTEMPTS = 30  # to find a moment in which nothing is counted
WRITE_ATTEMPTS = 10  # against other runs at the same time


class NotNowError(Exception):
    """Something cannot be found out at the moment; the message says why and what to do."""


class OutdatedError(Exception):
    """Another run has written in the meantime."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row's place in the table, and its order."""

    id: int
    order: Order


@dataclass(frozen=True, slots=True)
class Group:
    """Orders for one item that were sent in the same quarter of an hour."""

    item: str
    sent_at: datetime | None  # the quarter's start
    orders: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Mark:
    """The largest id that the table held at a moment."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class RdsOrders:
    """What the last run found, and where the next begins: the item `RDS_ORDERS`."""

    count: int = 0
    as_of: datetime | None = None
    drift: int = 0
    settled_id: int = 0
    settled_count: int = 0  # orders up to the settled id
    marks: tuple[Mark, ...] = ()
    version: int = 0  # of the item; grows with every write
    drift_since: datetime | None = None  # when the first of the runs in a row that found one was


@dataclass(frozen=True, slots=True)
class DeadLetterCounts:
    """Numbers of messages that the last sweep left in `OrderDLQ`: the item `DEAD_LETTERS`."""

    rejected: int  # messages without a valid order
    waiting: int  # orders that could not be recorded
    as_of: datetime


class Rows(Protocol):
    """The table, by ranges of its ids. Rows that are no orders (without an item, say) are not seen."""

    def name(self) -> None:
        """Give rows without an identity one."""

    def last_id(self) -> int:
        """Tell the largest id, 0 in an empty table."""

    def page(self, after: int, upto: int, limit: int) -> list[tuple[int, str]]:
        """Read the ids and order ids of the first rows of a range."""

    def orders(self, ids: Sequence[int]) -> list[Order]:
        """Read the orders of rows."""

    def recent(self, after: int, limit: int) -> list[Row]:
        """Read rows after an id, without what is not counted of an order."""

    def count(self, after: int, upto: int) -> int:
        """Count the rows of a range."""

    def groups(self, after: int, upto: int) -> list[Group]:
        """Sum the rows of a range."""


class Counts(Protocol):
    """The tables with what is counted."""

    def missing(self, order_ids: Sequence[str]) -> set[str]:
        """Tell which orders are not there."""

    def total(self) -> int:
        """Read `TOTAL_ORDERS`."""

    def rds_orders(self) -> RdsOrders:
        """Read what the last run left."""

    def save(self, found: RdsOrders) -> None:
        """Write what this run leaves; raises OutdatedError if another has since `found.version`."""

    def everything(self) -> tuple[dict[str, int], dict[str, int]]:
        """Read every counter: of the metrics and of the menu."""

    def correct(self, change: Tally, version: int) -> None:
        """Add to counters; raises OutdatedError if another has written since the version."""


@dataclass(slots=True)
class Clock:
    """Time, which tests compress."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    left: Callable[[], float] = lambda: float("inf")
    """Seconds until this run has to end."""


@dataclass(slots=True)
class Outcome:
    """What a run did and found."""

    checked: int = 0  # rows
    repaired: int = 0  # orders that DynamoDB lacked and now has
    drift: int = 0  # orders that DynamoDB lacked, or counted too much or too little
    rds_orders: int | None = None
    next: int | None = None  # where to go on: time was up
    reason: str | None = None  # why something was left undone
    unchecked: str | None = None  # what could not be compared, and why
    corrected: Tally = field(default_factory=Tally)  # by how much counters were changed


@dataclass(slots=True)
class _Pass:
    """One way through a range of rows."""

    upto: int  # all rows to here were compared
    has_time: bool = True
    failed: bool = False  # a store did not take what it lacked
    settled: int = 0  # rows up to the id that is asked for
    present: set[int] = field(default_factory=set)  # ids of rows that were compared

    @property
    def is_complete(self) -> bool:
        """Tell whether the whole range was compared."""
        return self.has_time and not self.failed


class Reconciler:
    """Compares and repairs."""

    def __init__(
        self, rows: Rows, counts: Counts, ledger: Ledger, zone: tzinfo, clock: Clock | None = None
    ) -> None:
        self._rows = rows
        self._counts = counts
        self._ledger = ledger
        self._zone = zone
        self._clock = clock or Clock()

    def window(self) -> Outcome:
        """Compare what came in during the last minutes, and leave in `RDS_ORDERS` what was found.

        Raises
        ------
        StoreUnavailableError
            If a store does not answer. What was repaired by then is.
        """
        outcome = Outcome()
        # If another run writes at the same time, it has found the same.
        self._window(self._counts.rds_orders(), outcome)
        return outcome

    def full(self, after: int = 0) -> Outcome:
        """Compare the whole table from an id on.

        Returns
        -------
        Outcome
            Its `next` is where to go on if time was up, else None.

        Raises
        ------
        StoreUnavailableError
            If a store does not answer.
        NotNowError
            If other runs kept writing.
        """
        outcome = Outcome()
        self._rows.name()
        settled_id = self._counts.rds_orders().settled_id
        way = _Pass(after)
        self._compare(way, settled_id, outcome, known_id=settled_id)
        if not way.is_complete:
            outcome.next = None if way.failed else way.upto
            return outcome
        for _ in range(WRITE_ATTEMPTS):
            before = self._counts.rds_orders()
            # Rows that were deleted, or came in by other ways, are found by counting again.
            count = sum(self._rows.count(low, high) for low, high in _steps(0, before.settled_id))
            attempt = replace(outcome)
            if self._window(replace(before, settled_count=count), attempt):
                return attempt
        raise NotNowError("Other runs kept writing; try again.")

    def rebuild(self, after: int = 0) -> Outcome:
        """Make every counter what the table says, while orders keep coming.

        An order and its counters are written in one transaction, so that the difference between a counter
        and the orders that DynamoDB has does not change by any traffic. It is taken at a moment in which
        nothing is counted, and added to the counter with its sign turned.

        Raises
        ------
        StoreUnavailableError
            If a store does not answer. Calling again finds what is still wrong.
        NotNowError
            If no such moment was found, or too much came in lately.
        """
        outcome = self.full(after)
        if outcome.next is not None or outcome.rds_orders is None:
            return outcome
        settled_id = self._counts.rds_orders().settled_id
        settled = self._sum(settled_id)
        for _ in range(WRITE_ATTEMPTS):
            version = self._counts.rds_orders().version
            _, counted, (metrics, menu) = self._moment(settled_id, (), self._counts.everything)
            expected = settled.copy()
            for row in counted:
                expected.add(row.order, self._zone)
            change = _change(expected, metrics, menu, self._clock.now())
            try:
                self._counts.correct(change, version)
            except OutdatedError:
                continue  # Another rebuild, perhaps: what it changed must not be changed twice.
            outcome.corrected = change
            outcome.drift = max(outcome.drift, change.largest)
            self._window(self._counts.rds_orders(), Outcome())  # The figures of now, for everybody to see.
            return outcome
        raise NotNowError("Other runs kept writing; try again.")

    def _window(self, before: RdsOrders, outcome: Outcome) -> bool:
        """Compare the rows after the settled id; False if another run has written in the meantime."""
        self._rows.name()
        now, newest = self._clock.now(), self._rows.last_id()
        if newest < before.settled_id:
            # An older backup was restored, say. The next ids were in use before, and settled.
            before = replace(before, settled_id=0, settled_count=0, marks=())
        settling = max((mark.id for mark in before.marks if now - mark.at >= SETTLES_AFTER), default=0)
        known_id = max((mark.id for mark in before.marks if now - mark.at >= GRACE), default=0)
        way = _Pass(before.settled_id)
        try:
            self._compare(way, newest, outcome, known_id=known_id, settling=settling)
        except StoreUnavailableError:
            # However often runs are cut short, what they got through is settled in the end.
            with suppress(StoreUnavailableError, OutdatedError):
                self._counts.save(replace(before, **_progress(before, way, settling, Mark(now, newest))))
            raise
        count = before.settled_count + len(way.present)
        if way.is_complete:
            outcome.drift = max(outcome.drift, abs(self._difference(before, way.present, outcome)))
        else:
            count += sum(self._rows.count(low, high) for low, high in _steps(way.upto, newest))
            outcome.reason = outcome.reason or "Time was up; the next run goes on."
            outcome.next = None if way.failed else before.settled_id
        outcome.rds_orders = count
        progress = _progress(before, way, settling, Mark(now, newest))
        since = (before.drift_since or now) if outcome.drift else None
        found = replace(before, count=count, as_of=now, drift=outcome.drift, drift_since=since, **progress)
        try:
            self._counts.save(found)
        except OutdatedError:
            return False
        return True

    def _compare(self, way: _Pass, upto: int, outcome: Outcome, *, known_id: int, settling: int = 0) -> None:
        """Look every row of a range up in DynamoDB, and record what is not there.

        Parameters
        ----------
        known_id
            Rows up to here are no news: what of them is missing is missing, and not on its way.
        settling
            The id up to which rows are counted in `_Pass.settled`.
        """
        began = self._clock.now()
        while way.upto < upto:
            if self._clock.left() <= 0:
                way.has_time = False
                return
            page = self._rows.page(way.upto, upto, PAGE)
            if not self._repair(self._lacking(page, began, known_id), outcome):
                way.failed = True
                return
            outcome.checked += len(page)
            way.present.update(row_id for row_id, _ in page)
            way.settled += sum(row_id <= settling for row_id, _ in page)
            way.upto = page[-1][0] if len(page) == PAGE else upto

    def _lacking(self, page: Sequence[tuple[int, str]], began: datetime, known_id: int) -> list[int]:
        """Tell which rows DynamoDB lacks, and not only because a worker is between the two stores."""
        missing = self._counts.missing([order_id for _, order_id in page])
        lacking = [(row_id, order_id) for row_id, order_id in page if order_id in missing]
        if any(row_id > known_id for row_id, _ in lacking):
            wait = began + GRACE - self._clock.now()
            self._clock.sleep(max(0.0, wait.total_seconds()))
            missing = self._counts.missing([order_id for _, order_id in lacking])
        return [row_id for row_id, order_id in lacking if order_id in missing]

    def _repair(self, ids: Sequence[int], outcome: Outcome) -> bool:
        """Record the orders of rows in DynamoDB; False if the rest has to wait for a store."""
        if not ids:
            return True
        orders = self._rows.orders(ids)
        outcome.drift += len(orders)
        failures = self._ledger.record(orders)
        outcome.repaired += len(orders) - len(failures)
        outcome.reason = next(iter(failures.values()), outcome.reason)
        return all(isinstance(reason, Refused) for reason in failures.values())

    def _difference(self, before: RdsOrders, present: set[int], outcome: Outcome) -> int:
        """Compare `TOTAL_ORDERS` with the rows that DynamoDB has; 0 if there is no moment to do so."""
        try:
            total, counted, _ = self._moment(before.settled_id, present, lambda: None)
        except NotNowError as error:
            outcome.unchecked = f"TOTAL_ORDERS: {error}"
            return 0
        return total - before.settled_count - len(counted)

    def _moment(
        self, settled_id: int, present: Iterable[int], look: Callable[[], T]
    ) -> tuple[int, list[Row], T]:
        """Look at the counters and at the recent rows in a moment in which nothing is counted.

        Every transaction that counts an order changes the total: where it is the same before and after,
        there was none.

        Returns
        -------
        tuple
            The total, the rows after the settled id that are counted, and what `look` returned.

        Raises
        ------
        NotNowError
            If there is no such moment, or too much came in lately.
        """
        known = set(present)
        for _ in range(STILL_ATTEMPTS):
            total = self._counts.total()
            recent = self._rows.recent(settled_id, MOST_RECENT + 1)
            if len(recent) > MOST_RECENT:
                raise NotNowError(
                    f"More than {MOST_RECENT} orders came in during the last minutes; try again in five."
                )
            unknown = [row for row in recent if row.id not in known]
            missing = self._counts.missing([row.order.order_id for row in unknown])
            known.update(row.id for row in unknown if row.order.order_id not in missing)
            seen = look()
            if self._counts.total() == total:
                return total, [row for row in recent if row.id in known], seen
            self._clock.sleep(random.uniform(0, 0.2))  # noqa: S311
        raise NotNowError("Orders are counted without a pause; try again when less is going on.")

    def _sum(self, upto: int) -> Tally:
        """Sum up what the counters of the settled rows should be."""
        expected = Tally()
        for low, high in _steps(0, upto):
            if self._clock.left() <= 0:
                raise NotNowError("The table is too large to be summed up in one run.")
            for group in self._rows.groups(low, high):
                expected.add_all(group.sent_at, group.item, group.orders, group.quantity, self._zone)
        return expected


def _change(expected: Tally, metrics: dict[str, int], menu: dict[str, int], now: datetime) -> Tally:
    """Tell what to add to each counter to make it what it should be."""
    change = Tally()
    for key in {*expected.metrics, *filter(counters.COUNTER.fullmatch, metrics)}:
        expires_at = expected.expiring.get(key)
        if expires_at is not None and expires_at <= now:
            continue  # Gone, or about to go.
        if difference := expected.metrics[key] - metrics.get(key, 0):
            change.metrics[key] = difference
            if expires_at is not None:
                change.expiring[key] = expires_at
    for item in {*expected.menu, *menu}:
        if difference := expected.menu[item] - menu.get(item, 0):
            change.menu[item] = difference
    return change


def _progress(before: RdsOrders, way: _Pass, settling: int, newest: Mark) -> dict[str, Any]:
    """Tell which rows the next run need not compare again."""
    settled_id = max(before.settled_id, min(settling, way.upto))
    return {
        "settled_id": settled_id,
        "settled_count": before.settled_count + way.settled,
        # Of those that may be settled the newest is all that the next run needs.
        "marks": _marks(before.marks, newest, max(settled_id, settling - 1)),
    }


def _marks(marks: Sequence[Mark], new: Mark, after: int) -> tuple[Mark, ...]:
    """Remember when which id was first seen, for those after one that needs no mark."""
    kept = [mark for mark in marks if mark.id > after]
    is_news = new.id > max((mark.id for mark in kept), default=after)
    return (*kept, new) if is_news else tuple(kept)


def _steps(after: int, upto: int) -> Iterable[tuple[int, int]]:
    """Split a range of ids into ranges that a statement gets through in a moment."""
    return ((low, min(low + STEP, upto)) for low in range(after, upto, STEP))
