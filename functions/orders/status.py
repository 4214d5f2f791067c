"""The body of `GET /order-status`, composed of the results of each source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, Protocol, TypeVar

from orders import counters
from orders.failures import StoreUnavailableError
from orders.names import CustomerNames
from orders.screens import Cutoffs
from orders.sync import DeadLetterCounts, Depths, RdsOrders
from orders.times import MAX_AHEAD, iso

T = TypeVar("T")

RECENT_ORDERS = 20
TOP_ITEMS = 5
MAX_AGE = timedelta(minutes=5)  # of results of ReconcileOrders, which runs every minute
NOT_COMPARED_RECENTLY = "ReconcileOrders has reported nothing since then"


class AllUnavailableError(Exception):
    """No source is available; `reasons` has the reason of each."""

    def __init__(self, reasons: dict[str, str]) -> None:
        super().__init__("; ".join(f"{source}: {reason}" for source, reason in reasons.items()))
        self.reasons = reasons


class Database(Protocol):
    """The source of truth (`stores.mysql.status.StatusDatabase`)."""

    def recent(self, until: datetime, limit: int) -> list[dict[str, Any]]: ...
    def top_items(self, now: datetime, limit: int) -> list[dict[str, Any]]: ...
    def values(self, names: Collection[str]) -> dict[str, int]: ...
    def open_orders(self, cutoffs: Cutoffs) -> dict[str, int]: ...


class Metrics(Protocol):
    """Counters and results of `ReconcileOrders` in DynamoDB (`stores.dynamodb.metrics.Metrics`)."""

    def read(self, names: Sequence[str]) -> tuple[dict[str, int], RdsOrders, DeadLetterCounts | None]: ...


class Queues(Protocol):
    """`OrderQueue` and `OrderDLQ` (`stores.sqs.OrderQueues`)."""

    def depths(self) -> Depths: ...


def order_status(
    database: Database,
    metrics: Metrics,
    queues: Queues,
    zone: tzinfo,
    names: CustomerNames,
    now: datetime,
    open_hours: int,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the status as far as it is known, and the reason for each unavailable source.

    The fields of an unavailable source (`rds`, `dynamodb`, `sqs`) are null, or an empty list where pages
    expect a list. Raises AllUnavailableError if no source is available.
    """
    unavailable: dict[str, str] = {}

    def read(source: str, load: Callable[[], T]) -> T | None:
        try:
            return load()
        except StoreUnavailableError as error:
            unavailable[source] = str(error)
            return None

    today, hours = counters.day_name(now, zone), counters.last_hours(now, zone)
    recorded = read("rds", lambda: _recorded(database, zone, names, now, open_hours)) or {
        "open_orders": None,
        "recent_orders": [],
        "top_items": [],
        "same_time_yesterday": None,
    }
    found = read("dynamodb", lambda: metrics.read([counters.TOTAL_ORDERS, today, *hours]))
    counted, reconciled, dead_letters = found or (None, RdsOrders(), None)
    depths = read("sqs", queues.depths)
    if len(unavailable) == 3:
        raise AllUnavailableError(unavailable)
    total = counted[counters.TOTAL_ORDERS] if counted else None
    count_today = counted[today] if counted else None
    status = {
        "metrics": [
            {"metric": counters.TOTAL_ORDERS, "count": total},
            {"metric": counters.TODAY_ORDERS, "count": count_today},
        ],
        "today": {"count": count_today, "same_time_yesterday": recorded["same_time_yesterday"]},
        "open_orders": recorded["open_orders"],
        "recent_orders": recorded["recent_orders"],
        "top_items": recorded["top_items"],
        "hourly": [{"hour": hour.partition("#")[2], "count": counted[hour]} for hour in hours if counted],
        "sync": {
            "waiting": depths.waiting if depths else None,
            "in_flight": depths.in_flight if depths else None,
            "dead_lettered": depths.dead_lettered if depths else None,
            "dead_letters": _dead_letters(dead_letters, now),
            "dynamodb_orders": total,
            **_comparison(reconciled, now),
        },
        "generated_at": iso(now),
        "degraded": sorted(unavailable),
    }
    return status, unavailable


def _recorded(
    database: Database, zone: tzinfo, names: CustomerNames, now: datetime, open_hours: int
) -> dict[str, Any]:
    # Rows of earlier releases may have times in the future.
    recent = database.recent(now + MAX_AHEAD, RECENT_ORDERS)
    shares = counters.same_time_yesterday(now, zone)
    values = database.values(shares)
    return {
        "open_orders": database.open_orders(Cutoffs.of(now, open_hours)),
        "recent_orders": [_document(order, names) for order in recent],
        "top_items": database.top_items(now, TOP_ITEMS),
        "same_time_yesterday": round(sum(values.get(name, 0) * share for name, share in shares.items())),
    }


def _comparison(found: RdsOrders, now: datetime) -> dict[str, Any]:
    """Return the last result. A drift stays until a comparison finds none; `in_sync` is null if unknown."""
    since, reason = found.unknown_since, found.unknown_reason
    if found.as_of and not since and now - found.as_of > MAX_AGE:
        since, reason = found.as_of, NOT_COMPARED_RECENTLY
    compared = found.as_of is not None
    in_sync = True if compared and not since else None
    return {
        "rds_orders": {"count": found.count, "as_of": iso(found.as_of)} if compared else None,
        "in_sync": False if found.drift else in_sync,
        "drift": found.drift if compared else None,
        "drift_since": iso(found.drift_since),
        "unknown_since": iso(since),
        "unknown_reason": reason,
    }


def _dead_letters(found: DeadLetterCounts | None, now: datetime) -> dict[str, Any] | None:
    """Return the counts of the last sweep, None if they are out of date."""
    if found is None or now - found.as_of > MAX_AGE:
        return None
    return {
        "rejected": found.rejected,
        "conflicting": found.conflicting,
        "waiting": found.waiting,
        "as_of": iso(found.as_of),
    }


def _document(order: dict[str, Any], names: CustomerNames) -> dict[str, Any]:
    return {
        **order,
        "customer_name": names.shorten(order["customer_name"]),
        "created_at": iso(order["created_at"]),
    }
