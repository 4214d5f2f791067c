"""Orders of a period, for publishing them again: they are the same orders, and counted once all the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from orders.exact_json import encode
from orders.order import Order
from orders.times import iso

MOST = 500  # orders of one answer
MOST_BYTES = 4 * 1024 * 1024  # of one answer; a function's must stay under 6 MB


@dataclass(frozen=True, slots=True)
class Row:
    """A row's place in the table, and its order, or why it holds none."""

    id: int
    order: Order | str


class Rows(Protocol):
    """Orders by their times (`stores.mysql.reconciliation.ReconciliationDatabase`)."""

    def period(self, start: datetime, end: datetime, after: int, limit: int) -> Sequence[Row]: ...


def replay(rows: Rows, request: Mapping[str, Any]) -> dict[str, Any]:
    """Read a page of the orders of a period, in the order of their times.

    The request has `from` and `to` (ISO 8601; the latter is the first moment after the period), `after` (what
    the last response's `next` was, 0 at first) and `limit` (1 to 500). The response has `orders`, each as
    JSON text, because a runtime may write a decimal as a float, or not at all; `bad_rows`: why, by id, for
    each row that holds no valid order; and `next`: None after the last row. Raises ValueError if the request
    is wrong.
    """
    limit = int(request.get("limit") or MOST)
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit must be 1 to {MOST}")
    start, end = (_moment(request[name]) for name in ("from", "to"))
    page = rows.period(start, end, int(request.get("after") or 0), limit)
    orders, bad, size = list[str](), dict[str, str](), 0
    for row in page:
        if isinstance(row.order, str):
            bad[str(row.id)] = row.order
            continue
        order = encode(_spoken(row.order))
        size += len(encode(order))
        if orders and size > MOST_BYTES:
            break
        orders.append(order)
    read = len(orders) + len(bad)
    is_last = len(page) < limit and read == len(page)
    return {"orders": orders, "bad_rows": bad, "next": None if is_last else page[read - 1].id}


def _spoken(order: Order) -> dict[str, Any]:
    return {
        **order.attributes,
        "orderId": order.order_id,
        "item": order.item,
        "quantity": order.quantity,
        "customer_name": order.customer_name,
        "created_at": iso(order.created_at) or "",
    }


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
