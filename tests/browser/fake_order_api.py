"""A shop behind the screens: orders with states, and the API's responses about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tests.browser.responses import NOON, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

OPEN = ("received", "preparing", "ready")
PER_STATE = 200


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Shop:
    """Return the API's responses for orders that a test adds and moves, at the time `now`."""

    now: datetime = NOON
    orders: dict[str, Answer] = field(default_factory=dict)
    delayed: set[str] = field(default_factory=set)  # ids
    history: dict[str, list[Answer]] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)  # more orders of a state than are listed
    patches: list[tuple[str, dict[str, Any], dict[str, str]]] = field(
        default_factory=list
    )  # id, body, headers
    answers: dict[str, tuple[int, Answer]] = field(default_factory=dict)  # by Idempotency-Key
    lost_answers: int = 0  # changes that are made, and whose response gets lost
    track: Answer | int = HTTPStatus.UNAUTHORIZED  # of GET /track: an answer, or a status
    track_tokens: list[str] = field(default_factory=list)
    preparing: list[str] | None = None  # of GET /ready in place of the orders' numbers
    ready: list[str] | None = None

    def add(
        self, number: str, item: str = "Latte", *, ago: float = 30, delayed: bool = False, **changes: object
    ) -> Answer:
        """Add an order that was sent some seconds ago."""
        created = _time(self.now - timedelta(seconds=ago))
        order: Answer = {
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
        """Change an order's state, as another screen does."""
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

    def kitchen(self) -> Answer:
        """Return the response of `GET /kitchen`."""
        by_age = sorted(self.orders.values(), key=lambda order: order["created_at"])
        states = {
            state: [
                order for order in by_age if order["state"] == state and order["order_id"] not in self.delayed
            ]
            for state in OPEN
        }
        totals = {state: len(orders) + self.left_out.get(state, 0) for state, orders in states.items()}
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

    def numbers(self) -> Answer:
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

    def patch(self, order_id: str, body: dict[str, Any], headers: Mapping[str, str]) -> tuple[int, Answer]:
        """Return the response of `PATCH /orders/{id}`, with its status."""
        self.patches.append((order_id, body, dict(headers)))
        key = headers["idempotency-key"]
        if key not in self.answers:
            self.answers[key] = self._change(self.orders[order_id], body, headers["if-match"])
        return self.answers[key]

    def _change(self, order: Answer, body: dict[str, Any], version: str) -> tuple[int, Answer]:
        if order["state"] == body["state"]:
            return HTTPStatus.OK, dict(order)
        if version != f'"{order["version"]}"':
            return HTTPStatus.PRECONDITION_FAILED, {"message": "It was changed.", "order": dict(order)}
        self.move(order["number"], body["state"], body.get("reason"))
        return HTTPStatus.OK, dict(order)


def busy_shop() -> Shop:
    """Return a shop as on a good morning, for pictures."""
    shop = Shop()
    received: list[tuple[str, str, str, int, int, Answer]] = [
        ("K51", "Oluwaseun", "Flat white", 1, 402, {"table_number": 4}),
        ("K52", "Zoë", "Latte", 2, 215, {"note": "one with oat milk, please"}),
        ("K53", "Kenji", "Almond croissant", 1, 151, {}),
        ("K54", "Freya", "Cappuccino", 1, 96, {"table_number": 11, "note": "extra hot"}),
        ("K55", "Luca", "Latte", 3, 40, {}),
        ("K56", "Nora", "Masala chai", 1, 8, {"note": "no sugar"}),
    ]
    preparing = [
        ("K48", "Mei", "Cappuccino", 2, 330),
        ("K50", "Asha", "Latte", 1, 240),
    ]
    ready = [
        ("K44", "Ida", "Flat white", 1, 205),
        ("K46", "Ravi", "Tea", 2, 118),
        ("K47", "Chloé", "Latte", 1, 35),
    ]
    for number, name, item, quantity, ago, attributes in received:
        shop.add(number, item, ago=ago, customer_name=name, quantity=quantity, attributes=attributes)
    for number, name, item, quantity, ago in preparing:
        shop.add(number, item, ago=ago, customer_name=name, quantity=quantity)
        shop.move(number, "preparing")
    for number, name, item, quantity, waiting in ready:
        shop.add(number, item, ago=waiting + 200, customer_name=name, quantity=quantity)
        shop.now -= timedelta(seconds=waiting)
        shop.move(number, "ready")
        shop.now += timedelta(seconds=waiting)
    return shop
