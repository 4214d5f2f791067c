"""What `cafe chaos` sends: orders that can be told again from their number alone, and how they are sent."""

import heapq
import itertools
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Door = Literal["topic", "queue", "http"]
Fate = Literal["valid", "malformed", "refused"]  # refused: malformed, and said so at the HTTP door

# Of every hundred orders:
BLOCK = 100
MALFORMED = 1
DUPLICATED = 10
WITHOUT_ID = 5

# How far, in orders, an order may be from its place, and its duplicate from it.
DISORDER = 100
LAG = 400
HTTP_SHARE = 0.05
QUEUE_SHARE = 0.35

ITEMS = ("Coffee", "Latte", "Tea", "Flat White", "Crème brûlée", "Café «Å» ☕")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order as both stores must have it; the worst that can be said of a malformed one."""

    number: int
    fate: Fate
    item: str
    quantity: int
    duplicated: bool
    has_id: bool


@dataclass(frozen=True, slots=True)
class Sending:
    """A message or a request."""

    number: int
    door: Door
    body: str
    fate: Fate
    key: str | None = None
    """What repeats the order over HTTP, where the API gives the ids."""


class Plan:
    """The orders of a run: the same for the same seed, and none of them ever kept.

    Parameters
    ----------
    seed
        Of everything that is chosen at random.
    run
        What marks this run's orders among all others.
    orders
        How many, the malformed ones included.
    """

    def __init__(self, *, seed: int, run: str, orders: int) -> None:
        self._seed = seed
        self.run = run
        self.orders = orders
        self.customer = f"chaos-{run}"
        self._marker = re.compile(rf"chaos-{re.escape(run)}-bad-(\d+)")
        self._roles = lru_cache(maxsize=8)(self._make_roles)

    def wanted(self, number: int) -> Wanted:
        """Return the order with a number from 0 to `orders` - 1."""
        malformed, duplicated, without_id = self._roles(number // BLOCK)
        place = number % BLOCK
        numbers = self.chance("order", number)
        door = self._door(numbers)
        fate: Fate = "valid"
        if place in malformed:
            fate = "refused" if door == "http" else "malformed"
        return Wanted(
            number=number,
            fate=fate,
            item=numbers.choice(ITEMS),
            quantity=numbers.randint(1, 9),
            duplicated=place in duplicated,
            has_id=place not in without_id,
        )

    def count(self) -> dict[str, int]:
        """Count the orders by their fate, and the duplicates."""
        found = {"valid": 0, "malformed": 0, "refused": 0, "duplicates": 0}
        for number in range(self.orders):
            wanted = self.wanted(number)
            found[wanted.fate] += 1
            found["duplicates"] += wanted.duplicated
        return found

    def sendings(self) -> Iterator[Sending]:
        """Yield all messages, out of order, with at most a few hundred of them in memory."""
        numbers = self.chance("sendings", 0)
        waiting: list[tuple[float, int, Sending]] = []
        ticket = itertools.count()
        for number in range(self.orders):
            wanted = self.wanted(number)
            own = self._door(self.chance("order", number))
            due = number + numbers.uniform(0, DISORDER)
            heapq.heappush(waiting, (due, next(ticket), self._sending(wanted, own, numbers)))
            if wanted.duplicated:
                again = self._sending(wanted, self._door_again(own, numbers), numbers)
                heapq.heappush(waiting, (due + numbers.uniform(0, LAG), next(ticket), again))
            while waiting[0][0] <= number:
                yield heapq.heappop(waiting)[2]
        while waiting:
            yield heapq.heappop(waiting)[2]

    def number_of_malformed(self, body: str) -> int | None:
        """Tell which malformed order of this run a dead letter is, `None` if it is none."""
        found = self._marker.search(body)
        return int(found[1]) if found else None

    def _make_roles(self, block: int) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
        """Choose places in a block of orders: malformed, sent twice, without an id of their own."""
        places = self.chance("block", block).sample(range(BLOCK), MALFORMED + DUPLICATED + WITHOUT_ID)
        return (
            frozenset(places[:MALFORMED]),
            frozenset(places[MALFORMED : MALFORMED + DUPLICATED]),
            frozenset(places[MALFORMED + DUPLICATED :]),
        )

    def chance(self, purpose: str, number: int) -> random.Random:
        return random.Random(f"{self._seed}/{purpose}/{number}")  # noqa: S311  # not for secrets

    @staticmethod
    def _door(numbers: random.Random) -> Door:
        chance = numbers.random()
        if chance < HTTP_SHARE:
            return "http"
        return "queue" if chance < HTTP_SHARE + QUEUE_SHARE else "topic"

    @staticmethod
    def _door_again(door: Door, numbers: random.Random) -> Door:
        """Choose where an order is sent again: by HTTP if it came by HTTP, where the API gave it its id."""
        if door == "http":
            return door
        return "queue" if numbers.random() < QUEUE_SHARE / (1 - HTTP_SHARE) else "topic"

    def _sending(self, wanted: Wanted, door: Door, numbers: random.Random) -> Sending:
        body = self._body(wanted, door, numbers) if wanted.fate == "valid" else self._bad(wanted, numbers)
        key = self._own_id(wanted) if door == "http" and wanted.has_id else None
        return Sending(wanted.number, door, body, wanted.fate, key)

    def _own_id(self, wanted: Wanted) -> str:
        return f"{self.customer}-{wanted.number}"

    def _body(self, wanted: Wanted, door: Door, numbers: random.Random) -> str:
        """Write the order in one of the forms that publishers use."""
        body: dict[str, object] = {
            "number": wanted.number,
            "item": wanted.item,
            "quantity": wanted.quantity,
            "customer_name": self.customer,
        }
        if wanted.has_id and door != "http":
            body["orderId"] = self._own_id(wanted)
        form = "bare" if door == "http" else numbers.choice(("bare", "bare", "twice", "document"))
        if form == "document":
            body["itemName"], body["userId"] = body.pop("item"), body.pop("customer_name")
            body |= {"quantity": str(wanted.quantity), "status": "new", "timestamp": "2025-05-03T12:00:00Z"}
        text = json.dumps(body, ensure_ascii=False)
        return json.dumps(text) if form == "twice" else text

    def _bad(self, wanted: Wanted, numbers: random.Random) -> str:
        """Write something that is no order, with a mark by which it is known again."""
        mark = f"{self.customer}-bad-{wanted.number}"
        order: dict[str, object] = {"item": wanted.item, "quantity": wanted.quantity, "note": mark}
        wrong = numbers.choice(
            (
                f"poison {mark}",
                [mark],
                {**order, "item": ""},
                {**order, "quantity": 0},
                {**order, "quantity": "many"},
                {**order, "item": "x" * 101},
                {**order, "orderId": "no id"},
                {"note": mark},
            )
        )
        return wrong if isinstance(wrong, str) else json.dumps(wrong)
