"""A fake of the API behind the screens: orders with states in memory, and the responses about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tests.browser.responses import LONG_ITEM, LONG_NAME, NOON, Json

if TYPE_CHECKING:
    from collections.abc import Mapping

OPEN = ("received", "preparing", "ready")
PER_STATE = 200
Patch = tuple[str, dict[str, Any], dict[str, str]]  # the order's id, body and headers of a PATCH request


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class FakeOrderApi:
    """Orders that a test adds and moves, and the API's responses about them at the time `now`."""

    now: datetime = NOON
    orders: dict[str, Json] = field(default_factory=dict)
    delayed: set[str] = field(default_factory=set)  # ids
    history: dict[str, list[Json]] = field(default_factory=dict)
    patches: list[Patch] = field(default_factory=list)
    patch_responses: dict[str, tuple[int, Json]] = field(default_factory=dict)  # by Idempotency-Key
    responses_to_lose: int = 0  # number of changes that are made without a response
    track: Json | int = HTTPStatus.UNAUTHORIZED  # the response of GET /track, or its status
    track_tokens: list[str] = field(default_factory=list)
    preparing: list[str] | None = None  # GET /ready lists these in place of the orders' numbers
    ready: list[str] | None = None

    def add(
        self, number: str, item: str = "Latte", *, ago: float = 30, delayed: bool = False, **changes: object
    ) -> Json:
        """Add an order that was sent some seconds ago."""
        created = _time(self.now - timedelta(seconds=ago))
        order: Json = {
            "order_id": f"order-{number}",
            "number": number,
            "state": "received",
            "version": 1,
            "state_at": created,
            "created_at": created,
            "ready_at": None,
            "recall_to": None,
            "customer_name": "Asha",
            "item": item,
            "quantity": 1,
            "attributes": {},
            "reason": None,
            **changes,
        }
        self.orders[order["order_id"]] = order
        if delayed:
            self.delayed.add(order["order_id"])
        return order

    def move(self, number: str, state: str, reason: str | None = None) -> None:
        """Change the state of an order, as another screen does."""
        order = next(order for order in self.orders.values() if order["number"] == number)
        version = max(order["version"] + 1, int(self.now.timestamp() * 1_000_000))
        change = {
            "version": version,
            "from": order["state"],
            "to": state,
            "at": _time(self.now),
            "actor": "ada",
        }
        self.history.setdefault(order["order_id"], []).append({**change, "reason": reason})
        order |= {"state": state, "version": version, "state_at": _time(self.now), "reason": reason}
        order["recall_to"] = change["from"] if change["from"] in OPEN else None
        self.delayed.discard(order["order_id"])
        if state == "ready":
            order["ready_at"] = _time(self.now)

    def kitchen(self) -> Json:
        """Return the response of `GET /kitchen`."""
        by_age = sorted(self.orders.values(), key=lambda order: order["created_at"])
        states = {
            state: [
                order for order in by_age if order["state"] == state and order["order_id"] not in self.delayed
            ]
            for state in OPEN
        }
        totals = {state: len(orders) for state, orders in states.items()}
        moved = sorted(
            (order for order in by_age if order["version"] > 1), key=lambda order: -order["version"]
        )
        return {
            "now": _time(self.now),
            "orders": [order for orders in states.values() for order in orders[:PER_STATE]],
            "totals": {**totals, "delayed": len(self.delayed)},
            "delayed": [order for order in by_age if order["order_id"] in self.delayed],
            "recent": moved,
        }

    def numbers(self) -> Json:
        """Return the response of `GET /ready`."""
        orders = sorted(self.orders.values(), key=lambda order: order["state_at"])
        preparing = [order["number"] for order in orders if order["state"] == "preparing"]
        ready = [order["number"] for order in reversed(orders) if order["state"] == "ready"]
        return {
            "now": _time(self.now),
            "preparing": preparing if self.preparing is None else self.preparing,
            "ready": [
                {"number": number, "since": _time(self.now)}
                for number in (ready if self.ready is None else self.ready)
            ],
        }

    def patch(self, order_id: str, body: dict[str, Any], headers: Mapping[str, str]) -> tuple[int, Json]:
        """Return the response of `PATCH /orders/{id}`, with its status."""
        self.patches.append((order_id, body, dict(headers)))
        key = headers["idempotency-key"]
        if key not in self.patch_responses:
            self.patch_responses[key] = self._change(self.orders[order_id], body, headers["if-match"])
        return self.patch_responses[key]

    def _change(self, order: Json, body: dict[str, Any], version: str) -> tuple[int, Json]:
        if order["state"] == body["state"]:
            return HTTPStatus.OK, dict(order)
        if version != f'"{order["version"]}"':
            return HTTPStatus.PRECONDITION_FAILED, {"message": "It was changed.", "order": dict(order)}
        self.move(order["number"], body["state"], body.get("reason"))
        return HTTPStatus.OK, dict(order)


def busy_order_api() -> FakeOrderApi:
    """Return the orders of a good morning, for screenshots and layout tests."""
    api = FakeOrderApi()
    received: list[tuple[str, str, str, int, int, Json]] = [
        ("K51", "Oluwaseun", "Flat white", 1, 402, {"table_number": 4}),
        ("K52", "Zoë", "Latte", 2, 215, {"note": "one with oat milk, please"}),
        ("K53", "Kenji", "Almond croissant", 1, 151, {}),
        ("K54", "Freya", "Cappuccino", 1, 96, {"table_number": 11, "note": "extra hot"}),
        ("K55", "Luca", "Latte", 3, 40, {}),
        ("K56", "Nora", "Masala chai", 1, 8, {"note": "no sugar"}),
    ]
    preparing = [("K48", "Mei", "Cappuccino", 2, 330), ("K50", "Asha", "Latte", 1, 240)]
    ready = [
        ("K44", "Ida", "Flat white", 1, 205),
        ("K46", "Ravi", "Tea", 2, 118),
        ("K47", "Chloé", "Latte", 1, 35),
    ]
    for number, name, item, quantity, ago, attributes in received:
        api.add(number, item, ago=ago, customer_name=name, quantity=quantity, attributes=attributes)
    for number, name, item, quantity, ago in preparing:
        api.add(number, item, ago=ago, customer_name=name, quantity=quantity)
        api.move(number, "preparing")
    for number, name, item, quantity, waiting in ready:
        api.add(number, item, ago=waiting + 200, customer_name=name, quantity=quantity)
        api.now -= timedelta(seconds=waiting)
        api.move(number, "ready")
        api.now += timedelta(seconds=waiting)
    return api


def extreme_order_api() -> FakeOrderApi:
    """Return orders with the longest texts in every state, one of them delayed."""
    api = busy_order_api()
    texts = ("Cappuccino", LONG_ITEM, "Almond croissant", "Karamellmacchiato", "Oluwaseun A.", LONG_NAME)
    for number, text in enumerate(texts):
        changes: Json = {"customer_name": texts[-number], "quantity": 1000, "attributes": {"note": text}}
        state = OPEN[number % 3]
        api.add(f"H{number}", text, state=state, ago=4_000, delayed=number == 3, **changes)
    return api


def track_response(state: str = "received", **changes: object) -> Json:
    """Return a response of `GET /track`."""
    now = _time(NOON)
    usual = {"number": "K42", "state_at": now, "ready_at": None, "orders_before": 3, "usual_seconds": 250}
    return {"now": now, "state": state, **usual, **changes}
