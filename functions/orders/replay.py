"""Read the orders of a period, to publish them again; their ids keep them from being counted twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from orders.exact_json import encode
from orders.order import Order
from orders.times import iso

MAX_ORDERS = 500  # of a response
MAX_BYTES = 4 * 1024 * 1024  # of a response; Lambda's limit is 6 MB


@dataclass(frozen=True, slots=True)
class Row:
    """A row's id, with its order or the reason why it has no valid one."""

    id: int
    order: Order | str


class Rows(Protocol):
    """Orders by their times (`stores.mysql.reconciliation.ReconciliationDatabase`)."""

    def period(self, start: datetime, end: datetime, after: int, limit: int) -> Sequence[Row]: ...


def replay(rows: Rows, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of the orders of a period, sorted by time; raise ValueError if the request is invalid.

    The request has `from` and `to` (ISO 8601; the period ends before `to`), `after` (the last response's
    `next`, 0 at first) and `limit` (1 to 500). The response has `orders`, each as JSON text, since Lambda's
    runtime cannot encode exact decimals; `bad_rows`, the reason for each row without a valid order, by id;
    and `next`, None after the last row.
    """
    limit = int(request.get("limit") or MAX_ORDERS)
    if not 1 <= limit <= MAX_ORDERS:
        raise ValueError(f"limit must be 1 to {MAX_ORDERS}")
    start, end = (_moment(request[name]) for name in ("from", "to"))
    page = rows.period(start, end, int(request.get("after") or 0), limit)
    orders, bad, size = list[str](), dict[str, str](), 0
    for row in page:
        if isinstance(row.order, str):
            bad[str(row.id)] = row.order
            continue
        order = encode(_document(row.order))
        size += len(encode(order))
        if orders and size > MAX_BYTES:
            break
        orders.append(order)
    read = len(orders) + len(bad)
    is_last = len(page) < limit and read == len(page)
    return {"orders": orders, "bad_rows": bad, "next": None if is_last else page[read - 1].id}


def _document(order: Order) -> dict[str, Any]:
    return {
        **order.attributes,
        "orderId": order.order_id,
        "item": order.item,
        "quantity": order.quantity,
        # No message has an empty name.
        **({} if order.is_erased else {"customer_name": order.customer_name}),
        "created_at": iso(order.created_at) or "",
    }


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
