"""Results of `ReconcileOrders`, and the depths of the queues: `sync` in the order status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RdsOrders:
    """Result of the last comparison of MySQL with DynamoDB: the item `RDS_ORDERS`."""

    count: int = 0  # orders that MySQL counted
    as_of: datetime | None = None  # time of the count; None before the first comparison
    drift: int = 0  # by how many orders the stores differ
    drift_since: datetime | None = None  # the first comparison that found them to differ
    compared_until: datetime | None = None  # everything recorded until then was compared
    unknown_since: datetime | None = None  # since when no comparison was possible; None if the last one was
    unknown_reason: str | None = None  # why the last one was not


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
