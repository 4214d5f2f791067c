"""Responses for staff's screens, the screen at the counter, and customers' pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from orders.order import Order
from orders.states import CLOSED, EPOCH, TO_MAKE, Change, State, first, pickup_number, recall_target
from orders.times import iso

MOST = 200  # orders of each list
READY_FOR = timedelta(minutes=10)  # in a rush nobody taps "collected"
RECENT_FOR = timedelta(minutes=30)
DELAYED_AFTER = timedelta(minutes=30)  # from sending to recording
TRACKED_FOR = timedelta(hours=2)  # after an order was closed
MEDIAN_OF, MEDIAN_FROM = 20, 5  # orders

Listed = tuple[Order, Change | None]  # an order of a list, and its latest change


class GoneError(LookupError):
    """The order was closed long ago, or is older than the setting `openHours`."""


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Moments: what is older than one of them is on no screen."""

    now: datetime
    open: datetime
    ready: datetime
    recent: datetime

    @classmethod
    def of(cls, now: datetime, open_hours: int) -> Cutoffs:
        """Return the moments of a time by the setting `openHours`."""
        return cls(now, now - timedelta(hours=open_hours), now - READY_FOR, now - RECENT_FOR)


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


def kitchen(
    lists: Mapping[str, Sequence[Listed]], totals: Mapping[str, int], since: Cutoffs
) -> dict[str, Any]:
    """Return the response to `GET /kitchen`, of the lists `open`, `delayed` and `recent` in any order."""

    def documents(listed: Iterable[Listed]) -> list[dict[str, Any]]:
        return [staff_order(order, latest, since.now) for order, latest in listed]

    recent = sorted(lists["recent"], key=_moved_at, reverse=True)[:MOST]
    return {
        "now": iso(since.now),
        "orders": documents(sorted(lists["open"], key=_sent_at)),
        "totals": totals,
        "delayed": documents(sorted(lists["delayed"], key=_sent_at)),
        "recent": documents(recent),
    }


def _sent_at(listed: Listed) -> tuple[datetime, int]:
    order, _ = listed
    return order.created_at or EPOCH, order.row_id or 0


def _moved_at(listed: Listed) -> tuple[datetime, int]:
    order, _ = listed
    return (order.progress and order.progress.at) or EPOCH, order.row_id or 0


def ready(numbers: Mapping[State, Sequence[tuple[int, datetime]]], since: Cutoffs) -> dict[str, Any]:
    """Return the response to `GET /ready`, of the rows' ids and times by state."""
    return {
        "now": iso(since.now),
        "preparing": [pickup_number(row_id) for row_id, _ in numbers[State.PREPARING]],
        "ready": [{"number": pickup_number(row_id), "since": iso(at)} for row_id, at in numbers[State.READY]],
    }


def track(tracked: Tracked | None, since: Cutoffs) -> dict[str, Any]:
    """Return the response to `GET /track`; raise GoneError if the order is over.

    None stands for an order that was accepted and is not recorded yet. One that the previous release has just
    recorded has no state yet.
    """
    order, before, seconds = (tracked.order, tracked.before, tracked.seconds) if tracked else (None, None, [])
    progress = (order and order.progress) or first(None)
    latest = progress.at or (order and order.created_at) or since.now
    if latest <= (since.now - TRACKED_FOR if progress.state in CLOSED else since.open):
        raise GoneError
    return {
        "now": iso(since.now),
        "number": order.number if order else None,
        "state": progress.state,
        "state_at": iso(progress.at),
        "ready_at": iso(progress.ready_at),
        "orders_before": before if progress.state in TO_MAKE else None,
        "usual_seconds": round(median(seconds)) if len(seconds) >= MEDIAN_FROM else None,
    }


def staff_order(order: Order, latest: Change | None, now: datetime) -> dict[str, Any]:
    """Return an order as staff see it."""
    progress = order.progress
    return {
        "order_id": order.order_id,
        "number": order.number,
        "state": progress.state if progress else None,
        "version": progress.version if progress else 0,
        "state_at": iso(progress.at) if progress else None,
        "created_at": iso(order.created_at),
        "ready_at": iso(progress.ready_at) if progress else None,
        "recall_to": recall_target(latest, now),
        "customer_name": order.customer_name,
        "item": order.item,
        "quantity": order.quantity,
        "attributes": dict(order.attributes),
        "reason": latest.reason if latest else None,
    }


def history(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return the changes of an order as staff see them."""
    return [
        {
            "version": change.version,
            "from": change.came_from,
            "to": change.to,
            "at": iso(change.at),
            "actor": change.actor,
            "reason": change.reason,
        }
        for change in changes
    ]
