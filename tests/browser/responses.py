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
    yesterday: int | None = None,
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
        "today": {"count": today, "same_time_yesterday": yesterday},
        "open_orders": {"received": 4, "preparing": 2, "ready": 1},
        "sync": sync(rds_orders={"count": total, "as_of": NOON.isoformat()}, dynamodb_orders=total),
        "degraded": [],
        **changes,
    }


def sync(**changes: object) -> Answer:
    """Return the figures of an order's way: nothing under way, nothing wrong."""
    quiet = {"waiting": 0, "in_flight": 0, "dead_lettered": 0, "rds_orders": None, "dynamodb_orders": None}
    known = {"in_sync": True, "drift": 0, "drift_since": None, "unknown_since": None, "unknown_reason": None}
    return {**quiet, "dead_letters": None, **known, **changes}


def unknown(*degraded: str) -> Answer:
    """Return an answer in which nothing could be read but its own shape."""
    return {
        "metrics": None,
        "recent_orders": [],
        "top_items": [],
        "hourly": [],
        "open_orders": None,
        "sync": dict.fromkeys(sync()),
        "degraded": list(degraded),
    }


def hourly(counts: list[int], now: datetime = NOON) -> list[Answer]:
    """Return counts as those of the last hours, the current one last."""
    ago = range(len(counts) - 1, -1, -1)
    hours = [f"{now - timedelta(hours=hours):%Y-%m-%dT%H}" for hours in ago]
    return [{"hour": hour, "count": count} for hour, count in zip(hours, counts, strict=True)]


def busy_morning() -> Answer:
    """Return an answer as on a good day in the cafe, for pictures."""
    names = [
        "Asha K.",
        "Tomás R.",
        "Mei L.",
        "Oluwaseun A.",
        "Freya S.",
        "Luca B.",
        "Zoë M.",
        "Kenji T.",
        "Nora",
    ]
    menu = ["Flat white", "Latte", "Masala chai", "Espresso", "Almond croissant", "Cappuccino", "Tea"]
    orders = [
        order(
            f"sample-{number}",
            menu[number * 3 % len(menu)],
            customer_name="Guest" if number % 6 == 4 else names[number % len(names)],
            quantity=(1, 2, 1, 1, 3, 1, 2, 1, 1, 4)[number % 10],
            created_at=(NOON - timedelta(seconds=47 * number + number * number * 5)).isoformat(),
        )
        for number in range(20)
    ]
    counts = [28, 22, 25, 31, 27, 14, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 17, 38, 52, 41, 24, 9]
    total, today = 48_213, sum(counts[-12:])
    rds = {"count": total - 3, "as_of": (NOON - timedelta(seconds=40)).isoformat()}
    return answer(
        orders,
        total=total,
        today=today,
        hourly=hourly(counts),
        top_items=[
            {"item": "Latte", "quantity": 121},
            {"item": "Flat white", "quantity": 96},
            {"item": "Cappuccino", "quantity": 71},
            {"item": "Almond croissant", "quantity": 44},
            {"item": "Masala chai", "quantity": 19},
        ],
        yesterday=161,
        sync=sync(waiting=2, in_flight=1, rds_orders=rds, dynamodb_orders=total),
    )


LONG_ITEM, LONG_NAME = "W" * 100, "M" * 100


def extremes(figure: int = 987_654_321) -> Answer:
    """Return an answer with the longest names and the same long figure everywhere."""
    items = ("Cappuccino", LONG_ITEM, "Almond croissant", "Karamellmacchiato")
    names = ("Oluwaseun A.", LONG_NAME, "Guest", "Ada")
    orders = [
        order(
            f"extreme-{number}",
            items[number % 4],
            customer_name=names[number % 4],
            quantity=(1, 1000, 12, 3)[number % 4],
            created_at=(NOON - timedelta(minutes=number * number)).isoformat(),
        )
        for number in range(20)
    ]
    stuck = sync(
        waiting=figure,
        in_flight=figure,
        dead_lettered=figure,
        rds_orders={"count": figure, "as_of": NOON.isoformat()},
        dynamodb_orders=figure,
        in_sync=False,
        drift=figure,
        drift_since=(NOON - timedelta(days=2)).isoformat(),
    )
    return answer(
        orders,
        total=figure,
        today=figure,
        yesterday=0,
        hourly=hourly([0] * 4 + [figure] + [5] * 15 + [figure // 2] * 4),
        top_items=[{"item": item, "quantity": figure} for item in items],
        open_orders=dict.fromkeys(("received", "preparing", "ready"), figure),
        sync=stuck,
    )


EXTREME_MENU = [
    {"item": item, "price": 987_654_321} for item in (LONG_ITEM, "Cappuccino", "Karamellmacchiato")
]
