"""The orders of a load.

Every order has its own id and one of three items. Duplicates are sent again later. Malformed orders must not
be counted. The orders are tests, which no screen shows, except in a load for the kitchen.
"""

import json
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from cli.traffic.plan import Entrance, Kind, Sending, in_order
from orders.order import TEST_ORDER

# Every item has one quantity, so that its counter is a multiple of the number of orders.
ITEMS = {"Load test 1": 1, "Load test 2": 2, "Load test 3": 3}
KITCHEN_ITEMS = {"Flat white": 1, "Cappuccino": 2, "Chai latte": 3}
GUESTS = ("Ada", "Bo", "Chiara", "Dmitri", "Emeka", "Fatima", "Grete", "Hugo", "Ines", "Jun", "Kofi", "Lena")
NOTES = ("oat milk", "extra hot", "to go", "no sugar")
NOTED = 3  # every third order has a note
RUN = "load"  # the attribute that marks a run's rows
LAG = 200  # orders between a duplicate and its original, at most
MALFORMED: tuple[dict[str, object], ...] = (
    {"item": "Load test 1", "quantity": 0},
    {"item": "Load test 1"},
    {"item": "", "quantity": 1},
    {"item": "Load test 1", "quantity": "many"},
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Amounts and entrance of a load; percentages are added to the orders."""

    orders: int
    duplicates: float = 0.0
    malformed: float = 0.0
    kitchen: bool = False  # whether the screens show the orders
    entrance: Entrance = Entrance.HTTP
    run: str = field(default_factory=lambda: f"load-{secrets.token_hex(5)}")

    def sendings(self) -> Iterator[Sending]:
        """Yield the sendings; the same for the same run."""
        return in_order(self._step(number) for number in range(self.orders))

    @property
    def items(self) -> dict[str, int]:
        """Return the items, each with its quantity in an order."""
        return KITCHEN_ITEMS if self.kitchen else ITEMS

    def wanted(self, number: int) -> tuple[str, int]:
        """Return an order's item and quantity."""
        return list(self.items.items())[number % len(self.items)]

    def bad_id(self, number: int) -> str:
        """Return the id of a malformed order."""
        return f"{self.run}-bad-{number}"

    def _step(self, number: int) -> Iterator[tuple[float, Sending]]:
        chance = random.Random(f"{self.run}/{number}")  # noqa: S311 - nothing depends on its secrecy
        order = self._order(number)
        yield number, self._sending(Kind.ORDER, number, f"{self.run}-{number}", order)
        if _due(number, self.duplicates):
            again = self._sending(Kind.DUPLICATE, number, f"{self.run}-{number}", order)
            yield number + chance.uniform(0.5, LAG), again
        if bad := _due(number, self.malformed):
            body = MALFORMED[bad % len(MALFORMED)]
            yield number + chance.random(), self._sending(Kind.MALFORMED, bad, self.bad_id(bad), body)

    def _order(self, number: int) -> dict[str, object]:
        item, quantity = self.wanted(number)
        order: dict[str, object] = {"item": item, "quantity": quantity}
        if not self.kitchen:
            return order | {"customer_name": "Load test", RUN: self.run, TEST_ORDER: True}
        # Without the attribute of the run, because the screens show attributes.
        if number % NOTED == 0:
            order["note"] = NOTES[number // NOTED % len(NOTES)]
        return order | {"customer_name": GUESTS[number % len(GUESTS)]}

    def _sending(self, kind: Kind, number: int, order_id: str, body: dict[str, object]) -> Sending:
        if self.entrance is not Entrance.HTTP:  # where the API gives the ids
            body = {"orderId": order_id, **body}
        text = json.dumps(body)
        return Sending(number=number, body=text, kind=kind, entrance=self.entrance, order_id=order_id)


def _due(number: int, percent: float) -> int:
    """Spread a percentage evenly: return the ordinal of the one after order `number`, 0 without one."""
    before, after = (round(orders * percent / 100) for orders in (number, number + 1))
    return after if after > before else 0
