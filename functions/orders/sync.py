"""Findings of `ReconcileOrders` and depths of the queues, for pages and operators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RdsOrders:
    """Result of the last comparison of MySQL with DynamoDB: the item `RDS_ORDERS`.

    Attributes
    ----------
    count, as_of
        Orders that MySQL counted, and when that was; None before the first comparison.
    drift, drift_since
        By how many orders the stores differed, and when the first of the comparisons in a row was that
        found any.
    compared_until
        Everything that was recorded until then was compared at some time.
    unknown_since, unknown_reason
        Since when no comparison was possible, and why the last was not; None if the last one was.
    """

    count: int = 0
    as_of: datetime | None = None
    drift: int = 0
    drift_since: datetime | None = None
    compared_until: datetime | None = None
    unknown_since: datetime | None = None
    unknown_reason: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetterCounts:
    """Numbers of messages that the last sweep left in `OrderDLQ`: the item `DEAD_LETTERS`."""

    rejected: int  # messages without a valid order
    conflicting: int  # orders whose id belongs to another order
    waiting: int  # orders that could not be recorded
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Depths:
    """Messages on their way, as SQS estimates them."""

    waiting: int
    in_flight: int
    dead_lettered: int
