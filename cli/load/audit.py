"""Audit of a load: every order was recorded and counted exactly once."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cli import aws, queues
from cli.checks import Check
from cli.errors import CafeError
from cli.load.plan import RUN, Plan
from cli.plurals import orders, were
from cli.reconciler import Reconciler
from cli.traffic.audit import Found, growth, growth_checks, read_counters
from cli.traffic.client import RefusedError
from cli.traffic.entrances import Sent
from cli.traffic.plan import Entrance, Kind, Sending
from orders.counters import item_name

CLOCK_SKEW = timedelta(minutes=5)  # between this machine and AWS


@dataclass(kw_only=True)
class Tally:
    """Results so far, of all workers."""

    accepted: set[int] = field(default_factory=set)  # numbers of the orders
    numbers: dict[str, int] = field(default_factory=dict)  # by known ids, of lost responses too
    lost: dict[int, str] = field(default_factory=dict)  # errors of the other orders
    duplicates: int = 0
    refused: int = 0  # malformed orders that were refused
    undetected: int = 0  # malformed orders that were accepted

    def add(self, sending: Sending, sent: Sent) -> None:
        """Add one result."""
        number = sending.number
        if sending.kind is Kind.MALFORMED:
            self.refused += sent.problem is not None
            self.undetected += sent.problem is None
            return
        if sent.order_id:
            self.numbers[sent.order_id] = number
        if sent.problem is None:
            self.accepted.add(number)
            self.lost.pop(number, None)
            self.duplicates += sending.kind is Kind.DUPLICATE
        elif number not in self.accepted:
            refused = "refused: " if isinstance(sent.problem, RefusedError) else ""
            self.lost[number] = f"{refused}{sent.problem}"


class Audit:
    """Compares the stack with the counters before the load; created before it."""

    def __init__(self, clients: aws.Clients, plan: Plan) -> None:
        self.tally = Tally()
        self._clients = clients
        self._plan = plan
        self._reconciler = Reconciler.of(clients)
        with aws.translated_errors():
            self._started_at = datetime.now(UTC)
            self._was_quiet = not self.depth()
            self._before = read_counters(clients)

    def depth(self) -> int:
        """Count messages in the queue, waiting or in flight."""
        return queues.depth(self._clients.sqs, self._clients.stack.output("queue_url")).total

    def recorded(self) -> int:
        """Return by how many orders the menu's counters grew, by this run and others."""
        quantities = {item_name(item): quantity for item, quantity in self._plan.items.items()}
        grown = growth(read_counters(self._clients, quantities), self._before)
        return sum(pieces // quantities[name] for name, pieces in grown.items())

    def items(self, order_ids: Iterable[str]) -> Iterator[tuple[str, str, int]]:
        """Read the id, item and quantity of the orders that are in `Orders`."""
        keys = ({"orderId": {"S": order_id}} for order_id in order_ids)
        for item in aws.items(self._clients.dynamodb, self._clients.stack.output("orders_table"), keys):
            yield item["orderId"]["S"], item["item"]["S"], int(item["quantity"]["N"])

    def checks(self) -> Iterator[Check]:
        """Yield the checks, once everything is recorded."""
        tally, plan = self.tally, self._plan
        accepted = f"{len(tally.accepted):,} of {orders(plan.orders)} {were(plan.orders)} accepted"
        yield Check(
            name="taken",
            title="Every order was accepted",
            ok=not tally.lost and len(tally.accepted) == plan.orders,
            detail="; ".join([accepted, *list(tally.lost.values())[:1]]),
        )
        unconfirmed = set(range(plan.orders)) - tally.accepted
        with aws.translated_errors():
            items = Found(plan.wanted, plan.orders)
            for order_id, item, quantity in self.items(tally.numbers):
                items.add(tally.numbers[order_id], item, quantity)
            yield items.check("recorded", "Every order has one item in DynamoDB", unconfirmed)
            if tally.refused + tally.undetected:
                yield self._malformed()
            missing = {number for number in unconfirmed if number not in items}
            rows, others = self._rows(missing)
            yield rows
            grown = growth(read_counters(self._clients), self._before)
            exact = self._was_quiet and not others
            yield from growth_checks(grown, items.pieces, len(items), exact=exact, days_name="today")

    def _malformed(self) -> Check:
        tally = self.tally
        count = tally.refused + tally.undetected
        by_http = self._plan.entrance is Entrance.HTTP
        found = len(list(self.items(self._plan.bad_id(number) for number in range(1, count + 1))))
        later = "" if by_http else "; they become dead letters"
        return Check(
            name="malformed",
            title="No malformed order was recorded",
            ok=not found and not (by_http and tally.undetected),
            detail=f"{found} of {count:,} recorded, {tally.refused:,} refused{later}",
        )

    def _rows(self, missing: Container[int]) -> tuple[Check, int | None]:
        """Check the rows in MySQL, and count those of others since the start."""
        title = "Every order has one row in MySQL"
        rows, others = Found(self._plan.wanted, self._plan.orders), 0
        start, end = self._started_at - CLOCK_SKEW, datetime.now(UTC) + CLOCK_SKEW
        try:
            for page in self._reconciler.orders(start, end):
                for order in page:
                    number = self.tally.numbers.get(str(order["orderId"]))
                    if number is not None or order.get(RUN) == self._plan.run:
                        rows.add(number, str(order["item"]), int(order["quantity"]))
                    else:
                        others += order["created_at"] >= self._started_at.isoformat()
        except CafeError as error:
            return Check(name="rows", title=title, ok=False, detail=str(error)), None
        return rows.check("rows", title, missing), others
