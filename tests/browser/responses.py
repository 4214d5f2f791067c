"""Responses of `GET /order-status` and `GET /menu`, as the pages receive them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def order(order_id: str, item: str | None = "Latte", **changes: object) -> Json:
    """Return one of the recent orders."""
    usual = {"customer_name": "Asha", "item": item, "quantity": 1, "created_at": NOON.isoformat()}
    return {"order_id": order_id, **usual, **changes}


def order_status(
    orders: list[Json] | None = None,
    *,
    total: int | None = None,
    today: int | None = None,
    yesterday: int | None = None,
    **changes: object,
) -> Json:
    """Return a response that fits these orders: all are counted, none is waiting, both stores are in sync."""
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


def sync(**changes: object) -> Json:
    """Return the figures of the pipeline: no order is in it, and nothing is wrong."""
    quiet = {"waiting": 0, "in_flight": 0, "dead_lettered": 0, "rds_orders": None, "dynamodb_orders": None}
    known = {"in_sync": True, "drift": 0, "drift_since": None, "unknown_since": None, "unknown_reason": None}
    return {**quiet, "dead_letters": None, **known, **changes}


def degraded_status(*degraded: str) -> Json:
    """Return a response without figures: these sources could not be read."""
    return {
        "metrics": None,
        "recent_orders": [],
        "top_items": [],
        "hourly": [],
        "open_orders": None,
        "sync": dict.fromkeys(sync()),
        "degraded": list(degraded),
    }


def hourly(counts: list[int], now: datetime = NOON) -> list[Json]:
    """Return these counts for the last hours, the current hour last."""
    ago = range(len(counts) - 1, -1, -1)
    hours = [f"{now - timedelta(hours=hours):%Y-%m-%dT%H}" for hours in ago]
    return [{"hour": hour, "count": count} for hour, count in zip(hours, counts, strict=True)]


def busy_morning() -> Json:
    """Return the response of a good day, for screenshots and layout tests."""
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
    return order_status(
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


def stuck_morning() -> Json:
    """Return the response of a day on which orders wait, fail and are missing from a store."""
    figures = sync(
        waiting=12,
        dead_lettered=3,
        rds_orders={"count": 48_213, "as_of": NOON.isoformat()},
        dynamodb_orders=48_208,
        in_sync=False,
        drift=5,
        drift_since=(NOON - timedelta(minutes=20)).isoformat(),
    )
    return busy_morning() | {"sync": figures}


HOSTILE = [
    "<img src=x onerror=\"alert('ran')\">",
    "</td></tr></table><script>alert('ran')</script>",
    "<style>body { display: none }</style>",
    "javascript:alert('ran')",
    "{{constructor.constructor('alert(1)')()}} ${alert(1)}",
    "abc\u202egnirts desrever\u202d\u2066",
    "W" * 100,
    "Z\u0351\u036b\u0343\u036a\u0302\u036b" * 12,
    "👩‍🍳🧑🏽‍🍳 ☕️ عمر 李雷",
    "  spaces  and\ttabs\nand lines  ",
]


def hostile_status() -> Json:
    """Return a response with a hostile text in every field that takes one."""
    return order_status(
        [order(name, name, customer_name=name, quantity=1000) for name in HOSTILE],
        total=123_456_789,
        today=9_999_999,
        degraded=[HOSTILE[0]],
        hourly=[{"hour": name, "count": number} for number, name in enumerate(HOSTILE)],
        top_items=[{"item": name, "quantity": 1_000_000} for name in HOSTILE[:5]],
    )


LONG_ITEM, LONG_NAME = "W" * 100, "M" * 100


def extremes(figure: int = 987_654_321) -> Json:
    """Return a response with the longest names, and the same figure everywhere."""
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
    return order_status(
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
