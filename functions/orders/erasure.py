"""Erase names, further attributes, and the actors and reasons in the history of orders.

The reasons for the sequence of the writes: docs/decisions/0028-erasing-personal-data.md.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from orders.order import RECORDED_ID
from orders.reconciliation import PAGE, TIME_IS_UP, Position, Read, Rows
from orders.times import iso

MAX_ORDERS = 1000  # of a response
# Each run repeats this time: it erases again what fell due in it, since a function may have put an item that
# it had read before; and it looks at orders that were recorded or moved in it, which may have been old then.
OVERLAP = timedelta(days=2)

# In a `TimePosition`, the time of all orders that are older than `EARLIEST`.
TOO_EARLY = datetime.min.replace(tzinfo=UTC)
TimePosition = tuple[datetime | None, int]
"""The time of an order and the id of its row. Orders without a time (None) and too early ones come first."""


@dataclass(frozen=True, slots=True)
class Match:
    """The parts of an order to erase: its name and further attributes, or entries of its history."""

    row_id: int
    order_id: str
    at: datetime | None  # of the order, or of the latest entry
    customer: bool = False  # it has a name
    attributes: bool = False  # it has further attributes
    history: int = 0  # entries with an actor or a reason


@dataclass(frozen=True, slots=True)
class Old:
    """A page of orders that are older than the retention period, sorted by time."""

    order_ids: Mapping[int, str | None]  # by row id
    last: TimePosition | None  # where the next page begins; None for the last page


class Database(Protocol):
    """MySQL (`stores.mysql.erasure.ErasureDatabase`)."""

    def of_order(self, order_id: str) -> Match | None: ...
    def of_customer(self, names: Collection[str], after: int) -> tuple[list[Match], int | None]: ...
    def of_actor(self, actor: str, after: int) -> tuple[list[Match], int | None]: ...
    def erase(self, order_ids: Collection[str]) -> int: ...
    def erase_rows(self, row_ids: Collection[int]) -> int: ...
    def erase_actor(self, actor: str, row_ids: Collection[int]) -> int: ...
    def older(self, cutoff: datetime, after: TimePosition | None) -> Old: ...
    def erased_until(self) -> datetime | None: ...
    def save_erased_until(self, until: datetime) -> None: ...
    def forget_erased_until(self) -> None: ...
    def recorded(self, since: datetime, until: datetime, after: Position, limit: int) -> Rows: ...
    def changed(self, since: datetime, until: datetime, after: Position, limit: int) -> Rows: ...


class Projection(Protocol):
    """The table `Orders` in DynamoDB (`stores.dynamodb.projection.Projection`)."""

    def erase(self, order_ids: Collection[str]) -> list[str]: ...


class ErasedIds(Protocol):
    """The ids of erased orders in DynamoDB (`stores.dynamodb.erased_ids.ErasedIds`)."""

    def add(self, order_ids: Collection[str]) -> None: ...
    def pages(self, after: str | None) -> Iterator[list[str]]: ...


@dataclass(frozen=True, slots=True)
class Selector:
    """Selects the orders, or the entries of their histories, to erase; one of the three is set."""

    customer: str | None = None
    order_id: str | None = None
    actor: str | None = None

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Selector:
        """Parse an event; raise ValueError if it does not name one customer, order or actor."""
        found = cls(event.get("customer"), event.get("orderId"), event.get("actor"))
        named = [value for value in (found.customer, found.order_id, found.actor) if value is not None]
        if len(named) != 1 or not isinstance(named[0], str) or not named[0].strip():
            raise ValueError("Exactly one of customer, orderId and actor must be set, to non-empty text.")
        if found.order_id is not None and not RECORDED_ID.fullmatch(found.order_id):
            raise ValueError("orderId must be 1 to 64 printable ASCII characters.")
        return found

    @property
    def names(self) -> list[str]:
        """Return the customer's name as it is, composed and decomposed: Unicode has two forms of an `é`."""
        name = self.customer or ""
        return sorted({name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))})


@dataclass(slots=True)
class Found:
    """Orders that match a selector, in a slice of the table."""

    orders: int = 0
    already_erased: int = 0
    first: datetime | None = None
    last: datetime | None = None
    fields: dict[str, int] = field(default_factory=lambda: {"customer": 0, "attributes": 0, "history": 0})
    order_ids: list[str] = field(default_factory=list)
    cursor: str | None = None

    def add(self, match: Match) -> None:
        """Add an order."""
        if not (match.customer or match.attributes or match.history):
            self.already_erased += 1
            return
        self.orders += 1
        self.order_ids.append(match.order_id)
        self.fields["customer"] += match.customer
        self.fields["attributes"] += match.attributes
        self.fields["history"] += match.history
        if match.at:
            self.first = min(self.first or match.at, match.at)
            self.last = max(self.last or match.at, match.at)

    @property
    def document(self) -> dict[str, Any]:
        """Return the response."""
        return {
            "orders": self.orders,
            "alreadyErased": self.already_erased,
            "first": iso(self.first),
            "last": iso(self.last),
            "fields": self.fields,
            "orderIds": self.order_ids,
            "cursor": self.cursor,
        }


@dataclass(slots=True)
class Erased:
    """Result of erasing."""

    erased: int = 0  # orders, or entries of an actor
    order_ids: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # ids whose items in DynamoDB kept changing
    cursor: str | None = None

    @property
    def document(self) -> dict[str, Any]:
        """Return the response."""
        return {
            "orderIds": self.order_ids,
            "erased": self.erased,
            "failed": self.failed,
            "cursor": self.cursor,
        }


@dataclass(frozen=True, slots=True)
class Eraser:
    """Erases in both stores while there is time; any call may be repeated."""

    database: Database
    projection: Projection
    ids: ErasedIds
    seconds_left: Callable[[], float]

    def find(self, selector: Selector, cursor: str | None) -> Found:
        """Return what `erase` would erase."""
        found = Found()
        for matches, found.cursor in self._slices(selector, cursor):
            for match in matches:
                found.add(match)
            if len(found.order_ids) >= MAX_ORDERS:
                break
        return found

    def erase(self, selector: Selector, cursor: str | None) -> Erased:
        """Erase orders, or entries of their histories.

        The id of an order that is not recorded is kept, so that it will be recorded without a name.
        """
        done = Erased()
        for matches, done.cursor in self._slices(selector, cursor):
            if selector.actor is not None:
                done.erased += self.database.erase_actor(selector.actor, [each.row_id for each in matches])
            else:
                wanted = [selector.order_id] if selector.order_id else [each.order_id for each in matches]
                done.erased += self._forget(wanted, done)
            done.order_ids += [match.order_id for match in matches]
            if len(done.order_ids) >= MAX_ORDERS:
                break
        return done

    def apply(self, cursor: str | None) -> Erased:
        """Erase every order whose id is kept: a restore of the database brings names back."""
        done = Erased()
        for some in self.ids.pages(cursor):
            done.erased += self.database.erase(some)
            done.failed += self.projection.erase(some)
            if self.seconds_left() <= 0:
                done.cursor = some[-1]
                break
        return done

    def erase_old(self, cutoff: datetime) -> Erased:
        """Erase orders from before a moment, and orders without a time; the next run continues."""
        done = Erased()
        until = self.database.erased_until()
        after: TimePosition | None = (min(until, cutoff) - OVERLAP, 0) if until else None
        while True:
            if self.seconds_left() <= 0:
                done.cursor = TIME_IS_UP
                return done
            old = self.database.older(cutoff, after)
            self._erase_rows(old.order_ids, done)
            if old.last is None:
                break
            after = old.last
            if after[0] not in (None, TOO_EARLY):
                self.database.save_erased_until(after[0])
        self.database.save_erased_until(cutoff)
        self._erase_late(cutoff, done)
        return done

    def _erase_late(self, cutoff: datetime, done: Erased) -> None:
        """Erase old orders that were recorded or moved recently."""
        now = datetime.now(UTC)
        for read in (self.database.recorded, self.database.changed):
            for rows in _pages(read, now - OVERLAP, now + OVERLAP):
                if self.seconds_left() <= 0:
                    done.cursor = TIME_IS_UP
                    return
                old = [o for o in rows.orders if o.created_at is None or o.created_at < cutoff]
                self._erase_rows({order.row_id: order.order_id for order in old if order.row_id}, done)

    def _erase_rows(self, order_ids: Mapping[int, str | None], done: Erased) -> None:
        if order_ids:
            done.erased += self.database.erase_rows(order_ids.keys())
            done.failed += self.projection.erase([each for each in order_ids.values() if each])

    def _forget(self, order_ids: Sequence[str], done: Erased) -> int:
        """Keep the ids, then erase the orders; after a crash, the next scheduled run erases them."""
        if not order_ids:
            return 0
        # DynamoDB refuses an empty key, which a legacy row may have.
        in_dynamodb = [order_id for order_id in order_ids if order_id]
        self.ids.add(in_dynamodb)
        erased = self.database.erase(order_ids)
        done.failed += self.projection.erase(in_dynamodb)
        return erased

    def _slices(self, selector: Selector, cursor: str | None) -> Iterator[tuple[list[Match], str | None]]:
        """Yield the matches of some rows, and the cursor after them, at least once."""
        if selector.order_id is not None:
            match = self.database.of_order(selector.order_id)
            yield [match] if match else [], None
            return
        after: int | None = int(cursor or 0)
        while after is not None:
            if selector.actor is not None:
                matches, after = self.database.of_actor(selector.actor, after)
            else:
                matches, after = self.database.of_customer(selector.names, after)
            yield matches, None if after is None else str(after)
            if self.seconds_left() <= 0:
                return


def _pages(read: Read, since: datetime, until: datetime) -> Iterator[Rows]:
    after: Position | None = (0, 0)
    while after is not None:
        rows = read(since, until, after, PAGE)
        yield rows
        after = rows.after
