"""Results of `ReconcileOrders`, and the depths of the queues: `sync` in the order status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RdsOrders:
    """Result of the last comparison of MySQL with DynamoDB: the item `RDS_ORDERS`.

    Attributes
    ----------
    count, as_of
        Number of orders that MySQL counted, and when; None before the first comparison.
    drift, drift_since
        By how many orders the stores differ, and since which comparison they have.
    compared_until
        Everything recorded until then was compared.
    unknown_since, unknown_reason
        Since when no comparison was possible, and why the last one was not; None if it was.
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
    """Numbers of messages in the queues, as SQS estimates them."""

    waiting: int
    in_flight: int
    dead_lettered: int
