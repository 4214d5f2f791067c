"""Answers of the order-status API, as the page gets them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

Answer = dict[str, Any]

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def order(order_id: str, item: str | None = "Latte", **changes: object) -> Answer:
    """Return one of the recent orders."""
    usual = {"customer_name": "Asha", "item": item, "quantity": 1, "created_at": NOON.isoformat()}
    return {"order_id": order_id, **usual, **changes}


def answer(
    orders: list[Answer] | None = None,
    *,
    total: int | None = None,
    today: int | None = None,
    **changes: object,
) -> Answer:
    """Return an answer that fits these orders: all counted, nothing waiting, both stores in sync."""
    count = len(orders or [])
    total = count if total is None else total
    today = count if today is None else today
    return {
        "metrics": [{"metric": "TOTAL_ORDERS", "count": total}, {"metric": "TODAY_ORDERS", "count": today}],
        "recent_orders": orders or [],
        "top_items": [],
        "hourly": [],
        "sync": sync(rds_orders={"count": total, "as_of": NOON.isoformat()}, dynamodb_orders=total),
        "degraded": [],
        **changes,
    }


def sync(**changes: object) -> Answer:
    """Return the figures of an order's way: nothing under way, nothing wrong."""
    quiet = {"waiting": 0, "in_flight": 0, "dead_lettered": 0, "rds_orders": None, "dynamodb_orders": None}
    return {**quiet, "in_sync": True, **changes}


def unknown(*degraded: str) -> Answer:
    """Return an answer in which nothing could be read but its own shape."""
    return {
        "metrics": None,
        "recent_orders": [],
        "top_items": [],
        "hourly": [],
        "sync": dict.fromkeys(sync()),
        "degraded": list(degraded),
    }


def busy_morning() -> Answer:
    """Return an answer as on a good day in the cafe, for pictures."""
    names = ["Asha", "Tomás", "Mei", "Oluwaseun", "Freya", "Luca", "Zoë", "Kenji", "Amélie", "Ravi", "Nora"]
    menu = ["Flat white", "Latte", "Masala chai", "Espresso", "Almond croissant", "Cappuccino", "Tea"]
    orders = [
        order(
            f"sample-{number}",
            menu[number * 3 % len(menu)],
            customer_name="Guest" if number % 6 == 4 else names[number % len(names)],
            quantity=(1, 2, 1, 1, 3, 1, 2, 1, 1, 4)[number % 10],
            created_at=(NOON - timedelta(seconds=47 * number + number * number * 5)).isoformat(),
        )
        for number in range(16)
    ]
    total = 48_213
    rds = {"count": total, "as_of": NOON.isoformat()}
    figures = sync(waiting=2, in_flight=1, rds_orders=rds, dynamodb_orders=total)
    return answer(orders, total=total, today=184, sync=figures)
