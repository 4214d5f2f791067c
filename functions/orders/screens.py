"""Responses for staff's screens, the screen at the counter, and customers' pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Protocol

from orders.change import Found
from orders.order import Order
from orders.states import CLOSED, EPOCH, Change, State, pickup_number
from orders.times import iso

MOST = 200  # orders of each list
READY_FOR = timedelta(minutes=10)  # in a rush nobody taps "collected"
RECENT_FOR = timedelta(minutes=30)
DELAYED_AFTER = timedelta(minutes=30)  # from sending to recording
TRACKED_FOR = timedelta(hours=2)  # after an order was closed
MEDIAN_OF, MEDIAN_FROM = 20, 5  # orders


class GoneError(LookupError):
    """The order was closed long ago, or is older than the setting `openHours`."""


@dataclass(frozen=True, slots=True)
class Since:
    """Moments: what is older is on no screen."""

    open: datetime
    ready: datetime
    recent: datetime

    @classmethod
    def of(cls, now: datetime, open_hours: int) -> Since:
        """Return the moments of a time by the setting `openHours`."""
        return cls(now - timedelta(hours=open_hours), now - READY_FOR, now - RECENT_FOR)


@dataclass(frozen=True, slots=True)
class Listed:
    """An order of a list, and the reason of its latest change."""

    order: Order
    reason: str | None


@dataclass(frozen=True, slots=True)
class Tracked:
    """A customer's order, and how long others take.

    Attributes
    ----------
    before
        How many orders wait or are prepared that were sent before it; None if nobody moves any order.
    seconds
        The times to ready of the latest orders.
    """

    order: Order
    before: int | None
    seconds: Sequence[int]


class KitchenDatabase(Protocol):
    """Open orders; every method raises StoreUnavailableError if the database does not answer."""

    def kitchen(self, since: Since, limit: int) -> Mapping[str, Sequence[Listed]]:
        """Read the lists `open`, `delayed` and `recent`, each in any order."""

    def totals(self, since: Since) -> dict[str, int]:
        """Count `received`, `preparing`, `ready` and `delayed` orders."""


class PublicDatabase(Protocol):
    """Queries for everybody; every method raises StoreUnavailableError."""

    def numbers(self, since: Since, limit: int) -> Mapping[str, Sequence[tuple[int, datetime]]]:
        """Read the rows' ids and times of `preparing` and `ready` orders."""

    def track(self, order_id: str, since: Since, limit: int) -> Tracked | None:
        """Read an order; None if it is not recorded."""


def kitchen(database: KitchenDatabase, now: datetime, open_hours: int) -> dict[str, Any]:
    """Return the response to `GET /kitchen`."""
    since = Since.of(now, open_hours)
    lists = database.kitchen(since, MOST)
    return {
        "now": iso(now),
        "orders": _shown(sorted(lists["open"], key=_by_sending)),
        "totals": database.totals(since),
        "delayed": _shown(sorted(lists["delayed"], key=_by_sending)),
        "recent": _shown(sorted(lists["recent"], key=_by_moving, reverse=True)[:MOST]),
    }


def _shown(listed: Sequence[Listed]) -> list[dict[str, Any]]:
    return [staff_order(each.order, each.reason) for each in listed]


def _by_sending(listed: Listed) -> tuple[datetime, int]:
    return listed.order.created_at or EPOCH, listed.order.row_id or 0


def _by_moving(listed: Listed) -> tuple[datetime, int]:
    progress = listed.order.progress
    return (progress and progress.at) or EPOCH, listed.order.row_id or 0


def ready(database: PublicDatabase, now: datetime, open_hours: int) -> dict[str, Any]:
    """Return the response to `GET /ready`."""
    numbers = database.numbers(Since.of(now, open_hours), MOST)
    return {
        "now": iso(now),
        "preparing": [pickup_number(row_id) for row_id, _ in numbers[State.PREPARING]],
        "ready": [{"number": pickup_number(row_id), "since": iso(at)} for row_id, at in numbers[State.READY]],
    }


def track(database: PublicDatabase, order_id: str, now: datetime, open_hours: int) -> dict[str, Any]:
    """Return the response to `GET /track`; raise GoneError if the order is over."""
    since = Since.of(now, open_hours)
    tracked = database.track(order_id, since, MEDIAN_OF)
    if tracked is None or tracked.order.progress is None:
        # Accepted but not recorded yet, or just recorded by the previous release, which has no states.
        row_id = tracked.order.row_id if tracked else None
        number = None if row_id is None else pickup_number(row_id)
        return _progress(now, number, State.RECEIVED, None, None, None, [])
    order, progress = tracked.order, tracked.order.progress
    latest = progress.at or order.created_at or now
    if latest <= (now - TRACKED_FOR if progress.state in CLOSED else since.open):
        raise GoneError
    waits = progress.state in (State.RECEIVED, State.PREPARING)
    number = pickup_number(order.row_id or 0)
    before = tracked.before if waits else None
    return _progress(now, number, progress.state, progress.at, progress.ready_at, before, tracked.seconds)


def _progress(
    now: datetime,
    number: str | None,
    state: State,
    at: datetime | None,
    ready_at: datetime | None,
    before: int | None,
    seconds: Sequence[int],
) -> dict[str, Any]:
    return {
        "now": iso(now),
        "number": number,
        "state": state,
        "state_at": iso(at),
        "ready_at": iso(ready_at),
        "orders_before": before,
        "usual_seconds": round(median(seconds)) if len(seconds) >= MEDIAN_FROM else None,
    }


def order_with_history(found: Found) -> dict[str, Any]:
    """Return the response to `GET /orders/{id}`."""
    return {**staff_order(found.order, found.reason), "history": [_change(each) for each in found.changes]}


def staff_order(order: Order, reason: str | None) -> dict[str, Any]:
    """Return an order as staff see it."""
    progress = order.progress
    return {
        "order_id": order.order_id,
        "number": pickup_number(order.row_id or 0),
        "state": progress.state if progress else None,
        "version": progress.version if progress else 0,
        "state_at": iso(progress.at) if progress else None,
        "created_at": iso(order.created_at),
        "ready_at": iso(progress.ready_at) if progress else None,
        "customer_name": order.customer_name,
        "item": order.item,
        "quantity": order.quantity,
        "attributes": dict(order.attributes),
        "reason": reason,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "version": change.version,
        "from": change.came_from,
        "to": change.to,
        "at": iso(change.at),
        "actor": change.actor,
        "reason": change.reason,
    }
