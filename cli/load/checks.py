"""The check after a load: everything grew by exactly what was sent, each order once."""

from __future__ import annotations

from collections import Counter as Multiset
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from cli import aws, queues, status
from cli.errors import CafeError
from cli.load.plan import RUN, Kind, Plan, Sent
from cli.plurals import are, counted, orders, were
from cli.reconciler import Reconciler
from cli.stack import Stack

CLOCKS = timedelta(minutes=5)  # by which this machine's clock may be off


@dataclass(kw_only=True)
class Tally:
    """What was sent so far; shared by all hands.

    Attributes
    ----------
    taken
        Numbers of the orders that were taken.
    numbers
        The orders' numbers by their ids, where these are known: more than `taken` if an answer got lost.
    lost
        Why, for each order that was not.
    refused, swallowed
        Malformed ones that were refused, and that were taken for the worker to refuse.
    """

    taken: set[int] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)
    duplicates: int = 0
    refused: int = 0
    swallowed: int = 0

    def note(self, kind: Kind, number: int, sent: Sent) -> None:
        """Note one answer."""
        if kind is Kind.MALFORMED:
            self.refused += sent.problem is not None
            self.swallowed += sent.problem is None
            return
        if sent.order_id:
            self.numbers[sent.order_id] = number
        if sent.problem is None:
            self.taken.add(number)
            self.lost.pop(number, None)
            self.duplicates += kind is Kind.DUPLICATE
        elif number not in self.taken:
            self.lost[number] = sent.problem


@dataclass(frozen=True, kw_only=True)
class Check:
    """A line of the check at the end."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class Before:
    """The counters before the run."""

    items: dict[str, int]
    total: int
    today: int | None
    hours: dict[str, int]
    still: bool  # nothing was under way
    at: datetime


class Counters:
    """What is counted, read from the tables themselves, and what the API says of days and hours."""

    def __init__(
        self, stack: Stack, clients: aws.Clients, client: httpx.Client, items: Iterable[str]
    ) -> None:
        self._items = list(items)
        self._dynamodb: Any = clients.dynamodb
        self._sqs = clients.sqs
        self._status = status.source(stack, client, clients)
        self._stack = stack
        self._menu, self._metrics = stack.output("menu_table"), stack.output("metrics_table")
        self._orders = stack.output("orders_table")

    def before(self) -> Before:
        """Read them all."""
        at = datetime.now(UTC)
        with aws.asking():
            still = not self.depth()
            total, items = self.total(), self.items()
        today, hours = self.days()
        return Before(items=items, total=total, today=today, hours=hours, still=still, at=at)

    def depth(self) -> int:
        """Count messages in the queue, waiting or in flight."""
        return queues.depth(self._sqs, self._stack.output("queue_url")).total

    def items(self) -> dict[str, int]:
        """Read the counters of the run's items."""
        keys = [{"item": {"S": item}} for item in self._items]
        found = aws.items(self._dynamodb, self._menu, keys)
        ordered = {item["item"]["S"]: int(item.get("orders", {"N": "0"})["N"]) for item in found}
        return {item: ordered.get(item, 0) for item in self._items}

    def total(self) -> int:
        """Read `TOTAL_ORDERS`."""
        found = aws.items(self._dynamodb, self._metrics, [{"metric": {"S": "TOTAL_ORDERS"}}])
        return sum(int(item["count"]["N"]) for item in found)

    def days(self) -> tuple[int | None, dict[str, int]]:
        """Ask the API for today's counter and those of the last hours, by hour."""
        document: Any = self._status()
        metrics = {metric["metric"]: metric["count"] for metric in document.get("metrics", [])}
        return metrics.get("TODAY_ORDERS"), {
            str(hour["hour"]): int(hour["count"]) for hour in document.get("hourly", [])
        }

    def present(self, order_ids: Iterable[str]) -> set[str]:
        """Tell which orders are in `Orders`."""
        keys = ({"orderId": {"S": order_id}} for order_id in order_ids)
        items = aws.items(self._dynamodb, self._orders, keys, ProjectionExpression="orderId")
        return {item["orderId"]["S"] for item in items}


class Checks:
    """The checks of one load, once it is at its end."""

    def __init__(
        self,
        plan: Plan,
        tally: Tally,
        before: Before,
        counters: Counters,
        reconciler: Reconciler,
        *,
        by_http: bool,
    ) -> None:
        self._plan = plan
        self._tally = tally
        self._before = before
        self._counters = counters
        self._reconciler = reconciler
        self._by_http = by_http

    def run(self) -> Iterator[Check]:
        """Yield the checks: everything grew by exactly what was sent, each once."""
        before = self._before
        tally, plan = self._tally, self._plan
        yield Check(
            name="taken",
            ok=not tally.lost and len(tally.taken) == plan.orders,
            detail=f"{len(tally.taken):,} of {orders(plan.orders)} {were(plan.orders)} taken"
            + (f"; {next(iter(tally.lost.values()))}" if tally.lost else ""),
        )
        with aws.asking():
            present = {tally.numbers[order_id] for order_id in self._counters.present(tally.numbers)}
            missing = len(tally.taken - present)
            yield Check(
                name="recorded",
                ok=not missing,
                detail=f"{orders(len(present))} {are(len(present))} in DynamoDB"
                + (f", {missing:,} {are(missing)} not" * bool(missing)),
            )
            if plan.malformed:
                yield self._malformed()
            rows, others = self._in_database(before, present)
            lonely = before.still and not others
            yield self._menu(before, present, lonely)
            yield rows
            yield from self._totals(before, len(present), lonely)

    def _malformed(self) -> Check:
        count = self._tally.refused + self._tally.swallowed
        ids = [f"{self._plan.run}-bad-{number}" for number in range(count)]
        counted = len(self._counters.present(ids))
        wrong = counted or (self._by_http and self._tally.swallowed)
        later = "" if self._by_http or not count else "; the worker refuses them as dead letters"
        return Check(
            name="malformed",
            ok=not wrong,
            detail=f"{counted} of {count:,} malformed ones recorded, {self._tally.refused:,} refused{later}",
        )

    def _menu(self, before: Before, present: set[int], lonely: bool) -> Check:
        plan, wanted = self._plan, Multiset[str]()
        for number in present:
            body = plan.body(Kind.ORDER, number)
            item = str(body["item"])
            wanted[item] += plan.items[item]
        grew = self._counters.items()
        growth = {item: grew[item] - before.items[item] for item in plan.items}
        same = all(growth[item] == wanted[item] for item in plan.items)
        pieces = f"CafeMenu grew by {counted(sum(growth.values()), 'piece')}"
        if not (lonely or same) and all(growth[item] >= wanted[item] for item in plan.items):
            theirs = sum(growth.values()) - sum(wanted.values())
            return Check(name="menu", ok=True, detail=f"{pieces}, {theirs:,} of them ordered by others")
        return Check(
            name="menu", ok=same, detail=pieces if same else f"{pieces}, and not by {sum(wanted.values()):,}"
        )

    def _in_database(self, before: Before, present: set[int]) -> tuple[Check, int | None]:
        """Check the rows, and count those of others in the same time."""
        mine: Multiset[int | None] = Multiset()
        others = 0
        try:
            for page in self._reconciler.orders(before.at - CLOCKS, datetime.now(UTC) + CLOCKS):
                for order in page:
                    if order.get(RUN) == self._plan.run or order["orderId"] in self._tally.numbers:
                        mine[self._tally.numbers.get(str(order["orderId"]))] += 1
                    else:
                        others += order["created_at"] >= before.at.isoformat()
        except CafeError as error:
            return Check(name="rows", ok=False, detail=str(error)), None
        same = mine == Multiset(present)
        rows = sum(mine.values())
        detail = f"{counted(rows, 'row')} {are(rows)} in MySQL"
        return Check(
            name="rows", ok=same, detail=detail if same else f"{detail}, not {len(present):,}"
        ), others

    def _totals(self, before: Before, wanted: int, lonely: bool) -> Iterator[Check]:
        yield self._grew("total", "TOTAL_ORDERS", self._counters.total() - before.total, wanted, lonely)
        today, hours = self._counters.days()
        if today is None or before.today is None or _day(hours) != _day(before.hours):
            return  # a new day has begun, or nothing is known
        yield self._grew("today", "TODAY_ORDERS", today - before.today, wanted, lonely)
        growth = sum(count - before.hours.get(hour, 0) for hour, count in hours.items())
        yield self._grew("hours", "the hours' counters", growth, wanted, lonely)

    @staticmethod
    def _grew(name: str, title: str, growth: int, wanted: int, lonely: bool) -> Check:
        """Exact when nobody else orders; else at least."""
        if growth > wanted and not lonely:
            others = growth - wanted
            return Check(
                name=name, ok=True, detail=f"{title}: +{growth:,}, of which {others:,} are orders of others"
            )
        detail = f"{title}: +{growth:,}"
        return Check(
            name=name,
            ok=growth == wanted,
            detail=detail if growth == wanted else f"{detail}, not +{wanted:,}",
        )


def _day(hours: dict[str, int]) -> str:
    """Return the cafe's current day: that of the last hour."""
    return list(hours)[-1][:10] if hours else ""
