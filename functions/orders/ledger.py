"""Orders go into both books, or are reported: the one code path of worker, reconciler and replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from orders.errors import OrderRefusedError, Refused, StoreUnavailableError, Unforeseen, place_of
from orders.order import Order

Failures = dict[str, str]  # why, by order id


class OrderDatabase(Protocol):
    """The source of truth."""

    def insert(self, orders: Sequence[Order]) -> list[Order]:
        """Insert what is new, in one commit, and return all of them as they are kept."""


class OrderTables(Protocol):
    """The fast counters, and orders by id."""

    def transactions(self, orders: Sequence[Order]) -> list[list[Order]]:
        """Split orders into groups that can be counted at once."""

    def count(self, orders: Sequence[Order]) -> None:
        """Keep and count what is not counted yet, all at once."""


class Ledger:
    """Records orders in the database first and in the tables second, each exactly once.

    A crash in between leaves orders in the database that are not counted; the same messages come again,
    the database knows them, and the tables count what they have not seen.
    """

    def __init__(self, database: OrderDatabase, tables: OrderTables) -> None:
        self._database = database
        self._tables = tables

    def record(self, orders: Sequence[Order]) -> Failures:
        """Write orders to both stores.

        Parameters
        ----------
        orders
            Orders in any order; the first of several with one id stands for them.

        Returns
        -------
        Failures
            Why, for each order that is not in both stores; it has to come again.
        """
        first = {order.order_id: order for order in reversed(orders)}
        # In the order of their ids, so that concurrent workers take locks in the same order.
        kept, failures = _write([first[order_id] for order_id in sorted(first)], self._database.insert)
        groups = iter(self._tables.transactions(kept))
        for group in groups:
            _, uncounted = _write(group, self._count)
            failures |= uncounted
            if away := next((why for why in uncounted.values() if not isinstance(why, Refused)), None):
                # Waiting for an answer once for each group would outlast the worker's time.
                failures |= {order.order_id: away for rest in groups for order in rest}
        return failures

    def _count(self, orders: Sequence[Order]) -> list[Order]:
        self._tables.count(orders)
        return list(orders)


def _write(
    orders: Sequence[Order], write: Callable[[Sequence[Order]], list[Order]]
) -> tuple[list[Order], Failures]:
    """Write orders at once; where one is refused or makes it fail, halve until it alone is left out."""
    if not orders:
        return [], {}
    try:
        return write(orders), {}
    except StoreUnavailableError as error:
        return [], {order.order_id: str(error) for order in orders}
    except OrderRefusedError as error:
        reason = Refused(str(error))
    # A defect of ours that one order brings to light must not take its neighbours to the dead-letter queue.
    except Exception as error:  # noqa: BLE001
        reason = Unforeseen(place_of(error))
    if len(orders) == 1:
        return [], {orders[0].order_id: reason}
    middle = len(orders) // 2
    kept, failures = _write(orders[:middle], write)
    more_kept, more_failures = _write(orders[middle:], write)
    return kept + more_kept, failures | more_failures
