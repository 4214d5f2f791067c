"""Records orders in both stores, each exactly once: the one code path of worker, sweep and replay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from orders.counters import Counted, is_projected, tally
from orders.errors import Conflict, Defect, OrderRefusedError, Refused, StoreUnavailableError, location_of
from orders.order import CONTENTS, Order
from orders.states import Progress

Failures = dict[str, str]  # why, by what the caller calls an order


@dataclass(frozen=True, slots=True)
class Written:
    """Result of writing orders to the projection.

    Attributes
    ----------
    refused
        Why, by order id, for each order that the projection refuses.
    newer
        What it has, by order id, for each order of which it has a later version: somebody moved the order
        a moment ago, or the source of truth was restored from a backup and does not know it any more.
    """

    refused: Failures = field(default_factory=dict)
    newer: dict[str, Progress] = field(default_factory=dict)


class OrderDatabase(Protocol):
    """The source of truth (`stores.mysql.orders.OrdersDatabase`)."""

    def record(self, orders: Sequence[Order]) -> dict[str, Order | None]: ...
    def counted(self, names: Collection[str]) -> dict[str, Counted]: ...
    def adopt(self, newer: Mapping[str, Progress]) -> None: ...


class OrderProjection(Protocol):
    """Orders and counters as the source of truth has them (`stores.dynamodb.projection.Projection`)."""

    def write(self, orders: Sequence[Order], counted: Mapping[str, Counted]) -> Written: ...


class Ledger:
    """Records orders in the database, which counts them, and shows what it has in the projection.

    A crash in between leaves orders in the database that are not shown. The same messages come again, the
    database knows them, and the projection is written again: it may be written any number of times.
    """

    def __init__(self, database: OrderDatabase, projection: OrderProjection, zone: tzinfo) -> None:
        self._database = database
        self._projection = projection
        self._zone = zone

    def record(self, orders: Mapping[str, Order]) -> Failures:
        """Record orders by any key of the caller's, such as a message id.

        Several may have the same order id: the first that is recorded stands, and one with other content
        is a conflict. Returns why, by the caller's key, for each order that is not in both stores.
        """
        first = {order.order_id: order for order in reversed(list(orders.values()))}
        kept, reasons = self._insert([first[order_id] for order_id in sorted(first)])
        failures: Failures = {}
        for key, order in orders.items():
            reason = reasons.get(order.order_id)
            if reason is None:
                reason = conflict(order, kept[order.order_id])
            if reason is not None:
                failures[key] = reason
        recorded = {order.order_id for key, order in orders.items() if key not in failures}
        reasons = self._show([order for order in kept.values() if order and order.order_id in recorded])
        for key, order in orders.items():
            if order.order_id in reasons:
                failures.setdefault(key, reasons[order.order_id])
        return failures

    def _insert(self, orders: Sequence[Order]) -> tuple[dict[str, Order | None], Failures]:
        """Insert at once; where an order is refused or makes it fail, halve until it alone is left out."""
        if not orders:
            return {}, {}
        try:
            return self._database.record(orders), {}
        except StoreUnavailableError as error:
            return {}, {order.order_id: str(error) for order in orders}
        except OrderRefusedError as error:
            reason = Refused(str(error))
        # A defect of ours that one order brings to light must not take its neighbours along.
        except Exception as error:  # noqa: BLE001
            reason = Defect(location_of(error))
        if len(orders) == 1:
            return {}, {orders[0].order_id: reason}
        middle = len(orders) // 2
        kept, failures = self._insert(orders[:middle])
        more_kept, more_failures = self._insert(orders[middle:])
        return kept | more_kept, failures | more_failures

    def _show(self, orders: Sequence[Order]) -> Failures:
        """Write orders and their counters to the projection; return why, by order id, where that failed.

        Counters of orders that were counted before are written, too: their projection may have failed then.
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


def conflict(order: Order, kept: Order | None) -> Conflict | None:
    """Return why an order is not the one that has its id, None if it is."""
    if kept is order:
        return None
    if kept is None:
        return Conflict(f"orderId {order.order_id} belongs to a row that holds no order")
    both = zip(CONTENTS, order.contents, kept.contents, strict=True)
    differing = [name for name, ours, theirs in both if ours != theirs]
    if not differing:
        return None
    return Conflict(f"orderId {order.order_id} belongs to another order, with another {', '.join(differing)}")
