"""Audit of a run: each order once in both stores and all counters, the malformed ones dead-lettered."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from chaos.database import connect
from chaos.plan import Plan
from cli import aws, plurals, queues
from cli.checks import Check
from cli.stack import Database
from cli.traffic.audit import EXAMPLES, ZERO, Found, growth, growth_checks, read_counters
from orders.counters import ITEM_HOUR, QUARTER, Counted, is_projected

PAGE = 2000  # rows read at once
HIDDEN = 60  # seconds for which a message that was read is invisible
DEAD_LETTER_TIMEOUT = 60.0  # seconds; the reconciler may hold dead letters
MOVES = (
    "SELECT order_row, version, from_state, to_state FROM order_events WHERE order_row BETWEEN %s AND %s"
    " ORDER BY order_row, version"
)
FIRST = ("received", 1)  # state and version before the first move
STATE = "orderId, order_state, state_version"


@dataclass
class Moved:
    """An order as MySQL has it, with its moves."""

    order_id: str
    state: str
    version: int
    moves: list[tuple[int, str, str]] = field(default_factory=list)  # version, from and to

    def problem(self, item: tuple[str, int] | None, confirmed: Set[int]) -> str | None:
        """Return the first error in it, None without one.

        `item` is its state and version in DynamoDB, `confirmed` has the versions in the responses to staff.
        """
        state, version = FIRST
        for number, came_from, target in self.moves:
            if came_from != state or number <= version:
                return f"{self.order_id}: {state} {version} is followed by {came_from} → {target} {number}"
            state, version = target, number
        if (state, version) != (self.state, self.version):
            found = f"its row has {self.state} {self.version}"
            return f"{self.order_id}: its moves end at {state} {version}, {found}"
        if item != (self.state, self.version):
            return f"{self.order_id}: {self.state} {self.version} in MySQL, {item} in DynamoDB"
        missing = confirmed - {number for number, _, _ in self.moves}
        return f"{self.order_id}: the confirmed version {min(missing)} is missing" if missing else None


class Audit:
    """Reads both stores and the queues as a whole, in pages.

    It is made before the first order is sent, when the stack is quiet: earlier orders are left out, such as
    the rows up to `_last_id`.
    """

    def __init__(self, clients: aws.Clients, plan: Plan) -> None:
        if clients.stack.database is None:
            raise RuntimeError("only the local stack's database can be read")
        self._clients = clients
        self._plan = plan
        self._database: Database = clients.stack.database
        ((self._last_id,),) = self._query("SELECT COALESCE(MAX(id), 0) FROM orders")
        self._before = self._counters()

    def checks(
        self, expected: Mapping[str, int], confirmed: Mapping[str, Set[int]], *, keep: bool
    ) -> Iterator[Check]:
        """Yield each check as soon as it is made.

        `confirmed` has the versions in the responses to staff, by the orders' ids; `keep` leaves this run's
        dead letters in the queue.
        """
        rows, others, other_pieces = self._rows()
        yield rows.check("rds", "Every valid order has one row in RDS")
        yield self._items().check("dynamodb", "Every valid order has one item in DynamoDB")
        counted, projected = self._counters(), read_counters(self._clients)
        orders, pieces = rows.total() + others, rows.pieces + other_pieces
        yield from growth_checks(growth(projected, self._before), pieces, orders, exact=True)
        yield _same_counters(counted, projected, growth(counted, self._before), orders, pieces.total())
        yield self._dead_letters(expected["malformed"], keep=keep)
        yield self._nothing_left()
        yield self._states(confirmed)

    # RDS

    def _query(self, statement: str, *values: object) -> Any:
        with connect(self._database) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def _counters(self) -> dict[str, Counted]:
        rows = self._query("SELECT name, value, version FROM counters")
        return {name.decode(): Counted(value, version) for name, value, version in rows}

    def _pages(self, columns: str) -> Iterator[Any]:
        """Read the rows since the run began: their ids, customers and further columns."""
        last = self._last_id
        statement = f"SELECT id, customer_name, {columns} FROM orders WHERE id > %s ORDER BY id LIMIT {PAGE}"  # noqa: S608
        while page := self._query(statement, last):
            yield page
            last = page[-1][0]

    def _rows(self) -> tuple[Found, int, Counter[str]]:
        """Return this run's rows, and the number and pieces of others."""
        found, others, pieces = Found(self._plan.wanted, self._plan.orders), 0, Counter[str]()
        for page in self._pages("item, quantity, attributes"):
            for _, customer, item, quantity, attributes in page:
                if customer == self._plan.customer:
                    found.add(json.loads(attributes or "{}").get("number"), item, quantity)
                else:
                    others += 1
                    pieces[item] += quantity
        return found, others, pieces

    def _states(self, confirmed: Mapping[str, Set[int]]) -> Check:
        """Compare rows, moves, items and confirmed versions of all orders of the run."""
        orders = moves = 0
        wrong: list[str] = []
        for page in self._pages("order_id, state, state_version"):
            ours = {row: Moved(*order) for row, customer, *order in page if customer == self._plan.customer}
            for row, *move in self._query(MOVES, page[0][0], page[-1][0]):
                if row in ours:
                    ours[row].moves.append(tuple(move))
            items = self._item_states(order.order_id for order in ours.values())
            for order in ours.values():
                orders += 1
                moves += len(order.moves)
                problem = order.problem(items.get(order.order_id), confirmed.get(order.order_id, set()))
                if problem is not None:
                    wrong.append(problem)
        seen = f"{plurals.counted(moves, 'move')} of {plurals.orders(orders)}, each confirmed one among them"
        return Check(
            name="states",
            title="Every order's moves are one chain",
            ok=not wrong,
            detail="; ".join([f"{len(wrong):,} wrong", *wrong[:EXAMPLES]]) if wrong else seen,
        )

    # DynamoDB

    def _items(self) -> Found:
        found = Found(self._plan.wanted, self._plan.orders)
        for item in aws.scan(
            self._clients.dynamodb,
            self._clients.stack.output("orders_table"),
            FilterExpression="customer_name = :ours",
            ExpressionAttributeValues={":ours": {"S": self._plan.customer}},
        ):
            number = item.get("number", {}).get("N")
            found.add(int(number) if number else None, item["item"]["S"], int(item["quantity"]["N"]))
        return found

    def _item_states(self, order_ids: Iterable[str]) -> dict[str, tuple[str, int]]:
        table = self._clients.stack.output("orders_table")
        keys = ({"orderId": {"S": each}} for each in order_ids)
        found = {}
        for item in aws.items(self._clients.dynamodb, table, keys, ProjectionExpression=STATE):
            state, version = item.get("order_state", {}), item.get("state_version", {})
            found[item["orderId"]["S"]] = (state.get("S", ""), int(version.get("N", 0)))
        return found

    # Queues

    def _dead_letters(self, expected: int, *, keep: bool) -> Check:
        """Read all dead letters until the expected ones are there; delete this run's malformed ones."""
        url = self._clients.stack.output("dead_letter_queue_url")
        deadline = time.monotonic() + DEAD_LETTER_TIMEOUT
        while True:
            with queues.scanning(self._clients.sqs, url, threading.Event(), hold=HIDDEN) as scan:
                all_letters = chain.from_iterable(scan.batches())
                ours = [letter for letter in all_letters if self._plan.customer in letter.body]
                malformed = [
                    (number, letter)
                    for letter in ours
                    if (number := self._plan.number_of_malformed(letter.body)) is not None
                ]
                times = Counter(number for number, _ in malformed)
                if len(times) >= expected or time.monotonic() > deadline:
                    if not keep:
                        scan.delete(letter for _, letter in malformed)
                    break
            time.sleep(0.5)
        valid = len(ours) - len(malformed)
        wrong = sum(self._plan.order(number).fate != "malformed" for number in times)
        ok = len(times) == expected == times.total() and not valid and not wrong
        found = f"{len(times):,} of {plurals.counted(expected, 'malformed order')}"
        letters = plurals.counted(times.total(), "dead letter")
        detail = f"{found}, each once" if ok else f"{letters} with {found}, {valid:,} with a valid one"
        return Check(name="dead_letters", title="Every malformed order is in the DLQ", ok=ok, detail=detail)

    def _nothing_left(self) -> Check:
        left, undelivered = (
            queues.depth(self._clients.sqs, self._clients.stack.output(name)).total
            for name in ("queue_url", "subscription_dead_letter_queue_url")
        )
        detail = f"{left:,} in the queue, {undelivered:,} undelivered by the topic"
        ok = not left and not undelivered
        return Check(name="nothing_left", title="No message is left", ok=ok, detail=detail)


def _same_counters(
    counted: Mapping[str, Counted],
    projected: Mapping[str, Counted],
    grown: Counter[str],
    orders: int,
    pieces: int,
) -> Check:
    """Compare MySQL's counters with DynamoDB's, and those that only MySQL has with the rows."""
    wrong = [
        f"{name}: {counted.get(name)} in MySQL, {projected.get(name)} in DynamoDB"
        for name in sorted({*filter(is_projected, counted), *projected})
        # An item of the menu that was never ordered has no counter.
        if counted.get(name, ZERO) != projected.get(name, ZERO)
    ]
    for title, prefix, expected in [
        ("quarters of an hour", QUARTER, orders),
        ("hours of items", ITEM_HOUR, pieces),
    ]:
        number = sum(change for name, change in grown.items() if name.startswith(prefix))
        if number != expected:
            wrong.append(f"{title}: +{number:,} instead of +{expected:,}")
    detail = "; ".join(wrong[:EXAMPLES]) or f"{plurals.counted(len(projected), 'counter')}, to the version"
    return Check(name="counters", title="MySQL counted what DynamoDB shows", ok=not wrong, detail=detail)
