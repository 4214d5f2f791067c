"""Record orders in both stores, each exactly once; worker and sweep share this code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from orders.counters import Counted, is_projected, tally
from orders.failures import Conflict, Defect, OrderRefusedError, Refused, StoreUnavailableError, location_of
from orders.order import CONTENTS, Order
from orders.states import Progress

Failures = dict[str, str]  # reasons, by order id or by another key of an order


@dataclass(frozen=True, slots=True)
class Recorded:
    """Result of recording orders."""

    failures: Failures
    new: frozenset[str]
    """Ids of the orders that are in both stores, and whose rows this call has inserted."""


@dataclass(frozen=True, slots=True)
class Written:
    """Result of writing orders to the projection, by order id."""

    refused: Failures = field(default_factory=dict)
    newer: dict[str, Progress] = field(default_factory=dict)
    """Later versions in the projection: of orders that were just moved, or whose move a restore lost."""


class OrderDatabase(Protocol):
    """The source of truth (`stores.mysql.orders.OrdersDatabase`)."""

    def record(self, orders: Sequence[Order]) -> dict[str, Order | None]: ...
    def counted(self, names: Collection[str]) -> dict[str, Counted]: ...
    def adopt(self, newer: Mapping[str, Progress]) -> None: ...


class OrderProjection(Protocol):
    """Copy of orders and counters (`stores.dynamodb.projection.Projection`)."""

    def write(self, orders: Sequence[Order], counted: Mapping[str, Counted]) -> Written: ...


class Ledger:
    """Records and counts orders in the database, then writes both to the projection.

    After a crash in between, the same messages are received again: the database recognizes the orders, and
    the projection, which may be written any number of times, is written again.

    An order that is older than `retention` is recorded without its name and further attributes.
    """

    def __init__(
        self,
        database: OrderDatabase,
        projection: OrderProjection,
        zone: tzinfo,
        retention: timedelta | None = None,
    ) -> None:
        self._database = database
        self._projection = projection
        self._zone = zone
        self._retention = retention

    def record(self, orders: Mapping[str, Order]) -> Failures:
        """Record orders as `record_batch` does; return the failures alone."""
        return self.record_batch(orders).failures

    def record_batch(self, orders: Mapping[str, Order]) -> Recorded:
        """Record orders; return why others are not in both stores, by key, and the ids of new orders.

        The keys are any unique ones, such as message ids. Of several orders with the same id the first is
        recorded; another one with other content is a conflict.
        """
        first = {order.order_id: self._retained(order) for order in reversed(list(orders.values()))}
        kept, reasons = self._insert([first[order_id] for order_id in sorted(first)])
        failures: Failures = {}
        for key, order in orders.items():
            in_reasons = order.order_id in reasons
            reason = reasons[order.order_id] if in_reasons else conflict(order, kept[order.order_id])
            if reason is not None:
                failures[key] = reason
        recorded = {order.order_id for key, order in orders.items() if key not in failures}
        reasons = self._project([order for order in kept.values() if order and order.order_id in recorded])
        new = [order_id for order_id in recorded - reasons.keys() if (row := kept[order_id]) and row.is_new]
        refused = {key: reasons[o.order_id] for key, o in orders.items() if o.order_id in reasons}
        return Recorded(refused | failures, frozenset(new))

    def _retained(self, order: Order) -> Order:
        """Return an order as it may be recorded now."""
        if self._retention is None or order.created_at is None:
            return order
        return order.erased() if datetime.now(UTC) - order.created_at > self._retention else order

    def _insert(self, orders: Sequence[Order]) -> tuple[dict[str, Order | None], Failures]:
        kept: dict[str, Order | None] = {}
        unavailable: Failures = {}

        def insert(some: Sequence[Order]) -> None:
            try:
                kept.update(self._database.record(some))
            except StoreUnavailableError as error:
                unavailable.update({order.order_id: str(error) for order in some})

        refused = write_in_halves(orders, insert)
        return kept, unavailable | refused

    def _project(self, orders: Sequence[Order]) -> Failures:
        """Write orders and their counters to the projection; return the reason for each failure, by order id.

        Counters of duplicates are written, too: the first attempt may have failed.
        """
        if not orders:
            return {}
        try:
            names = filter(is_projected, tally(orders, self._zone, datetime.now(UTC)))
            written = self._projection.write(orders, self._database.counted(list(names)))
            if written.newer:
                self._database.adopt(written.newer)
            return written.refused
        except StoreUnavailableError as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001
            reason = Defect(location_of(error))
        return {order.order_id: reason for order in orders}


def write_in_halves(orders: Sequence[Order], write: Callable[[Sequence[Order]], object]) -> Failures:
    """Write orders at once; if that fails, write them in halves, until each order that fails is alone.

    Return the reason for each of these, by order id. Raises StoreUnavailableError if `write` does.
    """
    if not orders:
        return {}
    try:
        write(orders)
        return {}
    except StoreUnavailableError:
        raise
    except OrderRefusedError as error:
        reason = Refused(str(error))
    # A defect that one order exposes must not fail the others.
    except Exception as error:  # noqa: BLE001
        reason = Defect(location_of(error))
    if len(orders) == 1:
        return {orders[0].order_id: reason}
    middle = len(orders) // 2
    return write_in_halves(orders[:middle], write) | write_in_halves(orders[middle:], write)


def conflict(order: Order, kept: Order | None) -> Conflict | None:
    """Compare an order with the recorded one of the same id; return why they differ, None if they do not.

    An erased order has no name to compare.
    """
    if kept is order:
        return None
    if kept is None:
        return Conflict(f"orderId {order.order_id} belongs to a row that holds no order")
    if kept.is_erased:
        order = order.erased()
    if order.contents == kept.contents:
        return None
    both = zip(CONTENTS, order.contents, kept.contents, strict=True)
    differing = [name for name, ours, theirs in both if ours != theirs]
    return Conflict(f"orderId {order.order_id} belongs to another order, with another {', '.join(differing)}")
