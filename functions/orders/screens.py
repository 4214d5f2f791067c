"""Response bodies for the kitchen's screen, the screen at the counter, and customers' pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from orders.order import Order
from orders.states import CLOSED, EPOCH, TO_MAKE, Change, State, first, pickup_number, recall_target
from orders.times import iso

MAX_LISTED = 200  # orders of each list
READY_FOR = timedelta(minutes=10)  # staff may be too busy to mark orders as collected
RECENT_FOR = timedelta(minutes=30)
DELAYED_AFTER = timedelta(minutes=30)  # from sending to recording
TRACKED_FOR = timedelta(hours=2)  # after an order was closed
MEDIAN_OF, MEDIAN_FROM = 20, 5  # latest orders of which the median is taken, and how many it needs

Listed = tuple[Order, Change | None]  # an order and its latest change


class GoneError(LookupError):
    """The order was closed long ago, or is older than the setting `openHours`."""


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Times before which orders are not on a screen."""

    now: datetime
    open: datetime
    ready: datetime
    recent: datetime

    @classmethod
    def of(cls, now: datetime, open_hours: int) -> Cutoffs:
        """Return the cut-off times as of now, by the setting `openHours`."""
        return cls(now, now - timedelta(hours=open_hours), now - READY_FOR, now - RECENT_FOR)


@dataclass(frozen=True, slots=True)
class Tracked:
    """A customer's order, and how long other orders take."""

    order: Order
    before: int | None  # earlier orders that are received or being prepared; None if no order was moved
    seconds: Sequence[int]  # until the latest orders were ready


def kitchen(
    lists: Mapping[str, Sequence[Listed]], totals: Mapping[str, int], cutoffs: Cutoffs
) -> dict[str, Any]:
    """Return the body of `GET /kitchen` from the unsorted lists `open`, `delayed` and `recent`."""

    def documents(listed: Iterable[Listed]) -> list[dict[str, Any]]:
        return [staff_order(order, latest, cutoffs.now) for order, latest in listed]

    recent = sorted(lists["recent"], key=_moved_at, reverse=True)[:MAX_LISTED]
    return {
        "now": iso(cutoffs.now),
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


def ready(numbers: Mapping[State, Sequence[tuple[int, datetime]]], cutoffs: Cutoffs) -> dict[str, Any]:
    """Return the body of `GET /ready` from the rows' ids and times by state."""
    return {
        "now": iso(cutoffs.now),
        "preparing": [pickup_number(row_id) for row_id, _ in numbers[State.PREPARING]],
        "ready": [{"number": pickup_number(row_id), "since": iso(at)} for row_id, at in numbers[State.READY]],
    }


def track(tracked: Tracked | None, cutoffs: Cutoffs) -> dict[str, Any]:
    """Return the body of `GET /track`; raise GoneError if the order is too old.

    None stands for an order that is accepted and not recorded yet. An order without a state has just been
    recorded by the previous release.
    """
    order, before, seconds = (tracked.order, tracked.before, tracked.seconds) if tracked else (None, None, [])
    progress = (order and order.progress) or first(None)
    latest = progress.at or (order and order.created_at) or cutoffs.now
    if latest <= (cutoffs.now - TRACKED_FOR if progress.state in CLOSED else cutoffs.open):
        raise GoneError
    return {
        "now": iso(cutoffs.now),
        "number": order.number if order else None,
        "state": progress.state,
        "state_at": iso(progress.at),
        "ready_at": iso(progress.ready_at),
        "orders_before": before if progress.state in TO_MAKE else None,
        "usual_seconds": round(median(seconds)) if len(seconds) >= MEDIAN_FROM else None,
    }


def staff_order(order: Order, latest: Change | None, now: datetime) -> dict[str, Any]:
    """Return an order as JSON for staff."""
    progress = order.progress
    return {
        "order_id": order.order_id,
        "number": order.number,
        "state": progress.state if progress else None,
        "version": order.version,
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
    """Return an order's changes as JSON for staff."""
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
