"""What a load consists of, and the ways in.

Every order has an id of its own, and an item of three that nobody else orders, so that the menu's counters
are the run's alone. Duplicates are the same order sent again later. What is malformed must not be counted.
Over HTTP, where the API gives the ids, an order's own id is its idempotency key.

The orders are tests, which no screen shows, unless the load plays a kitchen.
"""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import httpx

from cli import queues
from cli.errors import AnswerError
from cli.order import TEST_ORDER, Counter, Order, RefusedError
from cli.queues import Outgoing

# The quantity tells the item, so that a counter of one is a number of orders.
ITEMS = {"Load test 1": 1, "Load test 2": 2, "Load test 3": 3}
KITCHEN_ITEMS = {"Flat white": 1, "Cappuccino": 2, "Chai latte": 3}
GUESTS = ("Ada", "Bo", "Chiara", "Dmitri", "Emeka", "Fatima", "Grete", "Hugo", "Ines", "Jun", "Kofi", "Lena")
NOTES = ("oat milk", "extra hot", "to go", "no sugar")
NOTED = 3  # every third order has a note
RUN = "load"  # the attribute by which a run's rows are told from others
APART = 200  # a duplicate comes up to so many orders after its original


class Kind(StrEnum):
    """What is sent."""

    ORDER = "order"
    DUPLICATE = "duplicate"
    MALFORMED = "malformed"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is sent: percentages are of the orders, and come on top of them."""

    orders: int
    duplicates: float = 0.0
    malformed: float = 0.0
    rate: float | None = None
    kitchen: bool = False  # whether the orders are shown on the screens
    run: str = field(default_factory=lambda: f"load-{secrets.token_hex(5)}")

    def sequence(self) -> list[tuple[Kind, int]]:
        """Return everything in the order in which it is sent; the same for the same run."""
        chance = random.Random(self.run)  # noqa: S311 - nothing depends on its secrecy
        count = self.orders
        placed = [(float(number), Kind.ORDER, number) for number in range(count)]
        again = (chance.randrange(count) for _ in range(round(count * self.duplicates / 100)))
        placed += [(number + chance.uniform(0.5, APART), Kind.DUPLICATE, number) for number in again]
        malformed = range(round(count * self.malformed / 100))
        placed += [(chance.uniform(0, count), Kind.MALFORMED, number) for number in malformed]
        return [(kind, number) for _, kind, number in sorted(placed)]

    @property
    def items(self) -> dict[str, int]:
        """The items, each with the quantity in which it is ordered."""
        return KITCHEN_ITEMS if self.kitchen else ITEMS

    def body(self, kind: Kind, number: int) -> dict[str, object]:
        """Return what is sent."""
        if kind is Kind.MALFORMED:
            wrong: tuple[dict[str, object], ...] = (
                {"item": "Load test 1", "quantity": 0},
                {"item": "Load test 1"},
                {"item": "", "quantity": 1},
                {"item": "Load test 1", "quantity": "many"},
            )
            return {"orderId": f"{self.run}-bad-{number}"} | wrong[number % len(wrong)]
        item = list(self.items)[number % len(self.items)]
        order: dict[str, object] = {
            "orderId": self.order_id(number),
            "item": item,
            "quantity": self.items[item],
        }
        if not self.kitchen:
            return order | {"customer_name": "Load test", RUN: self.run, TEST_ORDER: True}
        # Without the attribute of the run: the screen shows attributes.
        if number % NOTED == 0:
            order["note"] = NOTES[number // NOTED % len(NOTES)]
        return order | {"customer_name": GUESTS[number % len(GUESTS)]}

    def order_id(self, number: int) -> str:
        """Return the id of an order."""
        return f"{self.run}-{number}"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What became of an order that was sent."""

    order_id: str | None = None  # None if it is not known
    problem: str | None = None  # why the order was not taken; None if it was


class Door(Protocol):
    """A way in."""

    size: int  # how much goes in at once

    def send(self, bodies: Sequence[dict[str, object]]) -> list[Sent]:
        """Send orders, and return what became of each."""

    def close(self) -> None:
        """Send nothing again that was not taken so far."""


@dataclass(frozen=True)
class Body(Order):
    """An order, or what is none."""

    said: dict[str, object]

    def body(self) -> dict[str, object]:
        """Return it as it is."""
        return self.said


class HttpDoor:
    """`POST /orders`, one at a time."""

    size = 1

    def __init__(self, client: httpx.Client, url: str, api_key: str | None = None) -> None:
        self._counter = Counter(client, url, api_key=api_key)

    def send(self, bodies: Sequence[dict[str, object]]) -> list[Sent]:
        """Send orders; what is refused is not sent again."""
        return [self._place(body) for body in bodies]

    def close(self) -> None:
        """Stop sending again."""
        self._counter.close()

    def _place(self, body: dict[str, object]) -> Sent:
        order = dict(body)
        key = str(order.pop("orderId"))
        try:
            return Sent(order_id=self._counter.place(Body(item="", said=order), key).order_id)
        except RefusedError as error:
            return Sent(problem=f"refused: {error}")
        except AnswerError as error:
            return Sent(problem=str(error))


class TopicDoor:
    """`OrderTopic`, as another system publishes."""

    def __init__(self, sns: Any, topic: str, rate: float | None) -> None:
        self._sns = sns
        self._topic = topic
        self.size = queues.step(rate)

    def send(self, bodies: Sequence[dict[str, object]]) -> list[Sent]:
        """Publish orders."""
        messages = [Outgoing(body=json.dumps(body), attributes={}) for body in bodies]
        results = queues.publish(self._sns, self._topic, messages)
        return [
            Sent(order_id=str(body["orderId"]), problem=result.problem)
            for body, result in zip(bodies, results, strict=True)
        ]

    def close(self) -> None:
        """Nothing waits here."""
