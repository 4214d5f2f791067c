"""The answer to `GET /order-status`, put together from what the sources told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Protocol, TypeVar

from orders import counters
from orders.errors import StoreUnavailableError
from orders.names import CustomerNames
from orders.reconciliation import DeadLetterCounts, RdsOrders
from orders.times import MAX_AHEAD

T = TypeVar("T")

RECENT_ORDERS = 20
TOP_ITEMS = 5
LATELY = timedelta(
    minutes=5
)  # what the sweep, which runs every minute, left longer ago is not known any more


class NothingKnownError(Exception):
    """No source answered; `reasons` says why, by source."""

    def __init__(self, reasons: dict[str, str]) -> None:
        super().__init__("; ".join(f"{source}: {reason}" for source, reason in reasons.items()))
        self.reasons = reasons


class Database(Protocol):
    """What is read from the source of truth."""

    def recent(self, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Read the latest orders that were sent until a moment."""

    def top_items(self, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Read what was ordered most in a period."""

    def count(self, start: datetime, end: datetime) -> int:
        """Count the orders of a period."""


class Tables(Protocol):
    """What is read from the counters."""

    def metrics_and_findings(
        self, keys: Sequence[str]
    ) -> tuple[dict[str, int], RdsOrders, DeadLetterCounts | None]:
        """Read counters, and what the reconciler found last."""


class DepthsOfQueues(Protocol):
    """Messages on their way."""

    @property
    def waiting(self) -> int:
        """Not yet received."""

    @property
    def in_flight(self) -> int:
        """Being processed."""

    @property
    def dead_lettered(self) -> int:
        """Given up on."""


class Queues(Protocol):
    """What is read from the queues."""

    def depths(self) -> DepthsOfQueues:
        """Count messages on their way."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the database told."""

    recent: list[dict[str, Any]]
    top_items: list[dict[str, Any]]
    begun_hour: int  # orders of yesterday in the hour that is not over today


def order_status(
    database: Database, tables: Tables, queues: Queues, zone: tzinfo, names: CustomerNames, now: datetime
) -> tuple[dict[str, Any], dict[str, str]]:
    """Ask every source and tell what is known.

    Parameters
    ----------
    zone
        The cafe's time zone, in which days are counted.
    names
        How much of customers' names is told.

    Returns
    -------
    tuple
        The answer, in which what a silent source would have told is null (an empty list where
        pages expect a list), and why each silent source is silent: `rds`, `dynamodb`, `sqs`.

    Raises
    ------
    NothingKnownError
        If none answers.
    """
    silent: dict[str, str] = {}
    today, hours = counters.day_key(now, zone), counters.last_hours(now, zone)
    yesterday, begun_hour = counters.hours_before(now, zone)
    recorded = _ask("rds", lambda: _recorded(database, now, begun_hour), silent)
    keys = [counters.TOTAL_ORDERS, today, *hours, *yesterday]
    figures = _ask("dynamodb", lambda: tables.metrics_and_findings(keys), silent)
    counted, reconciled, dead_letters = figures or (None, RdsOrders(), None)
    depths = _ask("sqs", queues.depths, silent)
    if len(silent) == 3:
        raise NothingKnownError(silent)
    total = counted[counters.TOTAL_ORDERS] if counted else None
    answer = {
        "metrics": [
            {"metric": counters.TOTAL_ORDERS, "count": total},
            {"metric": counters.TODAY_ORDERS, "count": counted[today] if counted else None},
        ],
        "today": {
            "count": counted[today] if counted else None,
            "same_time_yesterday": sum(counted[hour] for hour in yesterday) + recorded.begun_hour
            if counted and recorded
            else None,
        },
        "recent_orders": [_spoken(order, names) for order in recorded.recent] if recorded else [],
        "top_items": recorded.top_items if recorded else [],
        "hourly": [{"hour": hour.partition("#")[2], "count": counted[hour]} for hour in hours]
        if counted
        else [],
        "sync": {
            "waiting": depths.waiting if depths else None,
            "in_flight": depths.in_flight if depths else None,
            "dead_lettered": depths.dead_lettered if depths else None,
            "dead_letters": _looked_at(dead_letters, now),
            "dynamodb_orders": total,
            **_compared(reconciled),
        },
        "generated_at": _iso(now),
        "degraded": sorted(silent),
    }
    return answer, silent


def _ask(source: str, question: Callable[[], T], silent: dict[str, str]) -> T | None:
    try:
        return question()
    except StoreUnavailableError as error:
        silent[source] = str(error)
        return None


def _recorded(database: Database, now: datetime, begun_hour: Sequence[tuple[datetime, datetime]]) -> Recorded:
    until = now + MAX_AHEAD  # rows of earlier releases may be dated in the future
    return Recorded(
        database.recent(until, RECENT_ORDERS),
        database.top_items(now - timedelta(days=1), until, TOP_ITEMS),
        sum(database.count(start, end) for start, end in begun_hour),
    )


def _compared(found: RdsOrders) -> dict[str, Any]:
    """Tell what the reconciler found last; before its first run nobody knows."""
    known = found.as_of is not None
    return {
        "rds_orders": {"count": found.count, "as_of": _iso(found.as_of)} if known else None,
        "in_sync": found.drift == 0 if known else None,
        "drift": found.drift if known else None,
        "drift_since": _iso(found.drift_since),
    }


def _looked_at(found: DeadLetterCounts | None, now: datetime) -> dict[str, Any] | None:
    """Return what the sweep left, None if it has not run lately."""
    if found is None or now - found.as_of > LATELY:
        return None
    return {"rejected": found.rejected, "waiting": found.waiting, "as_of": _iso(found.as_of)}


def _spoken(order: dict[str, Any], names: CustomerNames) -> dict[str, Any]:
    return {
        **order,
        "customer_name": names.told(order["customer_name"]),
        "created_at": _iso(order["created_at"]),
    }


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
