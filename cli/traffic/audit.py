"""Comparison of the orders of a run with a store and its counters."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from typing import Any

from cli import aws, plurals
from cli.aws import Clients
from cli.checks import Check
from orders.counters import TOTAL_ORDERS, Counted, is_projected, item_name, item_of

EXAMPLES = 3
ZERO = Counted(0, 0)
DAY, HOUR = re.compile(r"ORDERS#[\d-]{10}"), re.compile(r"ORDERS#[\d-]{10}T\d\d")


class Found:
    """Orders of a run in a store: how often each was found, and examples of errors.

    `wanted` returns the item and quantity of a number below `orders`; None for an order that must not be in
    the store. `pieces` has the quantities by item.
    """

    def __init__(self, wanted: Callable[[int], tuple[str, int] | None], orders: int) -> None:
        self._wanted = wanted
        self._times = bytearray(orders)
        self._wrong: list[str] = []
        self.pieces: Counter[str] = Counter()

    def __contains__(self, number: object) -> bool:
        """Return whether an order was found."""
        return isinstance(number, int) and self._times[number] > 0

    def __len__(self) -> int:
        """Return how many different orders were found."""
        return len(self._times) - self._times.count(0)

    def total(self) -> int:
        """Return how often orders were found."""
        return sum(self._times)

    def add(self, number: object, item: str, quantity: int) -> None:
        """Add an order of the store."""
        is_known = isinstance(number, int) and 0 <= number < len(self._times)
        wanted = self._wanted(number) if is_known else None  # type: ignore[arg-type]
        if not isinstance(number, int) or wanted is None:
            self._wrong.append(f"number {number!r} was never a valid order")
        else:
            self._times[number] = min(255, self._times[number] + 1)
            self.pieces[item] += quantity
            if (item, quantity) != wanted:
                self._wrong.append(f"order {number} has {quantity} × {item}")
        del self._wrong[EXAMPLES:]

    def problems(self, optional: Container[int] = ()) -> list[str]:
        """Return the errors, with examples; `optional` orders may be missing."""
        missing, twice, first = 0, 0, ""
        for number, times in enumerate(self._times):
            if times == 1 or self._wanted(number) is None or (not times and number in optional):
                continue
            missing += not times
            twice += times > 1
            first = first or f"order {number} first"
        numbers = (f"{missing:,} missing" if missing else "", f"{twice:,} more than once" if twice else "")
        return [text for text in (*numbers, first, *self._wrong) if text]

    def check(self, name: str, title: str, optional: Container[int] = ()) -> Check:
        """Check that each order was found once, as it was sent, and no other."""
        problems = self.problems(optional)
        detail = f"{plurals.orders(len(self))}, as sent"
        return Check(name=name, title=title, ok=not problems, detail="; ".join(problems) or detail)


def read_counters(clients: Clients, names: Collection[str] | None = None) -> dict[str, Counted]:
    """Read the counters in DynamoDB, all or some of them, under their names in MySQL."""

    def read(output: str, key: str, keys: Iterable[str]) -> Iterator[Any]:
        table = clients.stack.output(output)
        if names is None:
            return aws.scan(clients.dynamodb, table)
        return aws.items(clients.dynamodb, table, ({key: {"S": each}} for each in keys))

    def counted(item: Any, attribute: str) -> Counted:
        return Counted(*(int(item.get(name, {"N": "0"})["N"]) for name in (attribute, "version")))

    items = {name: item_of(name) for name in names or ()}
    menu = read("menu_table", "item", filter(None, items.values()))
    metrics = read("metrics_table", "metric", (name for name, item in items.items() if item is None))
    found = {item_name(item["item"]["S"]): counted(item, "orders") for item in menu}
    found |= {item["metric"]["S"]: counted(item, "count") for item in metrics}
    return {name: counter for name, counter in found.items() if is_projected(name)}


def growth(now: Mapping[str, Counted], before: Mapping[str, Counted]) -> Counter[str]:
    """Return by how much each counter grew."""
    return Counter({name: counter.value - before.get(name, ZERO).value for name, counter in now.items()})


def growth_checks(
    grown: Counter[str], pieces: Counter[str], orders: int, *, exact: bool, days_name: str = "days"
) -> Iterator[Check]:
    """Check that the counters grew by these orders; unless `exact`, by at least as much."""
    days = sum(number for name, number in grown.items() if DAY.fullmatch(name))
    hours = sum(number for name, number in grown.items() if HOUR.fullmatch(name))
    yield _grew("total", "TOTAL_ORDERS counted each order once", grown[TOTAL_ORDERS], orders, exact)
    yield _grew(days_name, "Days counted each order once", days, orders, exact)
    yield _grew("hours", "Hours counted each order once", hours, orders, exact)
    menu = Counter({item: number for name, number in grown.items() if (item := item_of(name)) is not None})
    wrong = [
        f"{item}: {_change(menu[item], pieces[item], exact)}"
        for item in sorted({*menu, *pieces})
        if menu[item] != pieces[item] and (exact or menu[item] < pieces[item])
    ]
    others = f", and {more:,} of others" if (more := menu.total() - pieces.total()) else ""
    seen = f"+{plurals.counted(pieces.total(), 'piece')} of {plurals.counted(len(pieces), 'item')}{others}"
    detail = "; ".join(wrong[:EXAMPLES]) or seen
    yield Check(name="menu", title="CafeMenu counted every piece", ok=not wrong, detail=detail)


def _grew(name: str, title: str, number: int, wanted: int, exact: bool) -> Check:
    ok = number == wanted or (number > wanted and not exact)
    return Check(name=name, title=title, ok=ok, detail=_change(number, wanted, exact))


def _change(number: int, wanted: int, exact: bool) -> str:
    if number > wanted and not exact:
        return f"+{number:,}, of which {number - wanted:,} are of others"
    return f"+{number:,}" if number == wanted else f"+{number:,} instead of +{wanted:,}"
