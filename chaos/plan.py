"""Orders and faults of a run, which follow from its seed, and how the orders are sent."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

from cli.traffic.plan import Entrance, Kind, Sending, in_order

T = TypeVar("T")
Fate = Literal["valid", "malformed", "refused"]  # refused: malformed, and refused by the API

CUSTOMER = "chaos-"  # followed by the run

BLOCK = 100
ROLES = ("malformed", *["duplicated"] * 10, *["without id"] * 5)  # of orders in every block

# Maximum distance, in orders, of an order from its position, and of its duplicate from it.
DISORDER = 100
LAG = 400
HTTP_SHARE = 0.05
QUEUE_SHARE = 0.35

PER_FAULT = 400  # messages and moves
SHORTEST, LONGEST = 0.4, 1.4  # seconds that a fault lasts

ITEMS = ("Coffee", "Latte", "Tea", "Flat White", "Crème brûlée", "Café «Å» ☕")


@dataclass(frozen=True, slots=True)
class Order:
    """A planned order; both stores must have the valid ones."""

    number: int
    fate: Fate
    item: str
    quantity: int
    duplicated: bool
    has_id: bool
    entrance: Entrance


class Plan:
    """The orders and faults of a run: the same for the same seed; no order is kept in memory."""

    def __init__(self, *, seed: int, run: str, orders: int) -> None:
        self._seed = seed
        self.orders = orders
        self.customer = CUSTOMER + run
        self._marker = re.compile(rf"{re.escape(self.customer)}-bad-(\d+)")
        self._roles = lru_cache(maxsize=8)(self._make_roles)

    def order(self, number: int) -> Order:
        """Return the order with a number from 0 to `orders` - 1."""
        role = self._roles(number // BLOCK).get(number % BLOCK)
        chance = self.chance("order", number)
        entrance = _entrance(chance)
        fate: Fate = "valid"
        if role == "malformed":
            fate = "refused" if entrance is Entrance.HTTP else "malformed"
        return Order(
            number=number,
            fate=fate,
            item=chance.choice(ITEMS),
            quantity=chance.randint(1, 9),
            duplicated=role == "duplicated",
            has_id=role != "without id",
            entrance=entrance,
        )

    def wanted(self, number: int) -> tuple[str, int] | None:
        """Return the item and quantity of a valid order, None for a malformed one."""
        order = self.order(number)
        return (order.item, order.quantity) if order.fate == "valid" else None

    def count(self) -> dict[str, int]:
        """Count the orders by their fate, and the duplicates."""
        found = {"valid": 0, "malformed": 0, "refused": 0, "duplicates": 0}
        for number in range(self.orders):
            order = self.order(number)
            found[order.fate] += 1
            found["duplicates"] += order.duplicated
        return found

    def sendings(self) -> Iterator[Sending]:
        """Yield all messages, out of order, with at most a few hundred of them in memory."""
        chance = self.chance("sendings", 0)
        return in_order(self._step(number, chance) for number in range(self.orders))

    def faults(self, kinds: Sequence[T], messages: int, moves: int = 0) -> list[tuple[T, float]]:
        """Return the faults in their order, all kinds equally often, and how many seconds each lasts."""
        chance = self.chance("faults", 0)
        most = min((messages + moves) // PER_FAULT, messages - 1)  # one message before them, and one in each
        rounds = max(1, most // len(kinds))
        faults = [fault for _ in range(rounds) for fault in chance.sample(kinds, len(kinds))]
        return [(fault, chance.uniform(SHORTEST, LONGEST)) for fault in faults]

    def number_of_malformed(self, body: str) -> int | None:
        """Return the number of this run's malformed order in a dead letter; None if it has none."""
        found = self._marker.search(body)
        return int(found[1]) if found else None

    def chance(self, purpose: str, number: int) -> random.Random:
        """Return random numbers that follow from the seed."""
        return random.Random(f"{self._seed}/{purpose}/{number}")  # noqa: S311  # not for secrets

    def _make_roles(self, block: int) -> dict[int, str]:
        """Return the positions in a block of orders that have a role."""
        positions = self.chance("block", block).sample(range(BLOCK), len(ROLES))
        return dict(zip(positions, ROLES, strict=True))

    def _step(self, number: int, chance: random.Random) -> Iterator[tuple[float, Sending]]:
        order = self.order(number)
        due = number + chance.uniform(0, DISORDER)
        yield due, self._sending(order, order.entrance, chance)
        if order.duplicated:
            entrance = order.entrance
            if entrance is not Entrance.HTTP:  # else only the API knows its id
                is_queued = chance.random() < QUEUE_SHARE / (1 - HTTP_SHARE)
                entrance = Entrance.QUEUE if is_queued else Entrance.TOPIC
            again = self._sending(order, entrance, chance)
            yield due + chance.uniform(0, LAG), again

    def _sending(self, order: Order, entrance: Entrance, chance: random.Random) -> Sending:
        kind = Kind.ORDER if order.fate == "valid" else Kind.MALFORMED
        order_id = f"{self.customer}-{order.number}" if order.has_id else None
        if kind is Kind.ORDER:
            body = self._body(order, entrance, order_id, chance)
        else:
            body, order_id = self._malformed(order, chance), order_id if entrance is Entrance.HTTP else None
        return Sending(number=order.number, body=body, kind=kind, entrance=entrance, order_id=order_id)

    def _body(self, order: Order, entrance: Entrance, order_id: str | None, chance: random.Random) -> str:
        """Write the order in one of the forms that publishers use."""
        body: dict[str, object] = {
            "number": order.number,
            "item": order.item,
            "quantity": order.quantity,
            "customer_name": self.customer,
        }
        if entrance is Entrance.HTTP:  # where the API gives the ids
            return json.dumps(body, ensure_ascii=False)
        if order_id:
            body["orderId"] = order_id
        form = chance.choice(("bare", "bare", "twice", "legacy"))
        if form == "legacy":
            body["itemName"], body["userId"] = body.pop("item"), body.pop("customer_name")
            body |= {"quantity": str(order.quantity), "status": "new", "timestamp": "2025-05-03T12:00:00Z"}
        text = json.dumps(body, ensure_ascii=False)
        return json.dumps(text) if form == "twice" else text

    def _malformed(self, order: Order, chance: random.Random) -> str:
        """Write an invalid order, with a mark that identifies it."""
        mark = f"{self.customer}-bad-{order.number}"
        valid: dict[str, object] = {"item": order.item, "quantity": order.quantity, "note": mark}
        wrong = chance.choice(
            (
                f"poison {mark}",
                [mark],
                {**valid, "item": ""},
                {**valid, "quantity": 0},
                {**valid, "quantity": "many"},
                {**valid, "item": "x" * 101},
                {**valid, "orderId": "no id"},
                {"note": mark},
            )
        )
        return wrong if isinstance(wrong, str) else json.dumps(wrong)


def _entrance(chance: random.Random) -> Entrance:
    number = chance.random()
    if number < HTTP_SHARE:
        return Entrance.HTTP
    return Entrance.QUEUE if number < HTTP_SHARE + QUEUE_SHARE else Entrance.TOPIC
