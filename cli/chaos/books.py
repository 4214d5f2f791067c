"""Whether what `cafe chaos` sent is where it belongs: orders once in all counts, the rest dead-lettered."""

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cli import aws, plurals, queues
from cli.chaos.orders import Plan, Wanted
from cli.database import connect
from cli.messages import Message
from cli.stack import Database, Stack
from orders.counters import ITEM_HOUR, QUARTER, TOTAL_ORDERS, Counted, is_shown, item_name, item_of

PAGE = 2000  # rows read at once
READ_TIMEOUT = 60  # seconds for a page
HIDDEN = 60  # seconds for which a message that was looked at is nobody else's
EXAMPLES = 3
PATIENCE = 60.0  # seconds; the reconciler may have dead letters in its hands


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the report: a question, the answer, and what was seen."""

    name: str
    title: str
    ok: bool
    detail: str


@dataclass(kw_only=True)
class Rows:
    """What the database got since the run began, this run's orders and those of others."""

    number: int = 0
    ours: int = 0
    menu: Counter[str] = field(default_factory=Counter)


class Seen:
    """Which of the plan's orders were found, in a byte each, and a few examples of what is wrong."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._times = bytearray(plan.orders)
        self._wrong: list[str] = []
        self.found = 0

    def see(self, number: object, item: str, quantity: int) -> None:
        """Note an order as a store has it."""
        wanted = self._wanted(number)
        if wanted is None:
            self._complain(f"number {number!r} was never a valid order")
            return
        self.found += 1
        self._times[wanted.number] = min(255, self._times[wanted.number] + 1)
        if (item, quantity) != (wanted.item, wanted.quantity):
            self._complain(f"order {wanted.number} has {quantity} × {item}")

    def problems(self) -> list[str]:
        """Say what is wrong, with examples; nothing when each order was seen once and as it was sent."""
        missing, twice, first = 0, 0, ""
        for number in range(self._plan.orders):
            if self._plan.wanted(number).fate != "valid":
                continue
            missing += self._times[number] == 0
            twice += self._times[number] > 1
            if self._times[number] != 1 and not first:
                first = f"order {number} first"
        counted = [f"{missing:,} missing" if missing else "", f"{twice:,} more than once" if twice else ""]
        return [*filter(None, counted), *([first] if first else []), *self._wrong[:EXAMPLES]]

    def _wanted(self, number: object) -> Wanted | None:
        if not isinstance(number, int) or not 0 <= number < self._plan.orders:
            return None
        wanted = self._plan.wanted(number)
        return wanted if wanted.fate == "valid" else None

    def _complain(self, sentence: str) -> None:
        if len(self._wrong) < EXAMPLES:
            self._wrong.append(sentence)


class Books:
    """Both stores and the queues, read as an auditor would: everything, and in pages.

    Made before the first order is sent, when the stack is quiet: what is in the books then is left out.

    Attributes
    ----------
    last_id
        The id of the last row then.
    """

    def __init__(self, stack: Stack, clients: aws.Clients, plan: Plan) -> None:
        if stack.database is None:
            raise RuntimeError("only the local stack's database can be read")
        self._stack = stack
        self._clients = clients
        self._plan = plan
        self._database: Database = stack.database
        self.last_id = self._max_id()
        self._counted = self._read_counters()

    def audit(self, *, keep: bool) -> Iterator[Check]:
        """Yield each check as soon as it is made; `keep` leaves this run's dead letters where they are."""
        expected = self._plan.count()
        rows, seen = self._read_rows()
        yield _books("rds", "Every valid order has one row in RDS", seen, expected["valid"])
        yield _books(
            "dynamodb", "Every valid order has one item in DynamoDB", self._read_items(), expected["valid"]
        )
        counted, shown = self._read_counters(), self._read_shown()
        growth = _growth(shown, self._counted)
        yield _equal("total", "TOTAL_ORDERS counted each once", growth[TOTAL_ORDERS], rows.number)
        days = sum(number for name, number in growth.items() if _is_day(name))
        hours = sum(number for name, number in growth.items() if _is_hour(name))
        yield _equal("days", "So did the days", days, rows.number)
        yield _equal("hours", "So did the hours", hours, rows.number)
        yield _menu(_of_items(growth), rows.menu)
        yield _counters(counted, shown, _growth(counted, self._counted), rows)
        yield self._dead_letters(expected["malformed"], keep=keep)
        yield self._nothing_left()

    # RDS

    def _max_id(self) -> int:
        with connect(self._database, read_timeout=READ_TIMEOUT) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT COALESCE(MAX(id), 0) FROM orders")
            return int((cursor.fetchone() or (0,))[0])

    def _read_rows(self) -> tuple[Rows, Seen]:
        rows, seen, last = Rows(), Seen(self._plan), self.last_id
        with connect(self._database, read_timeout=READ_TIMEOUT) as connection, connection.cursor() as cursor:
            while True:
                cursor.execute(
                    "SELECT id, item, quantity, customer_name, attributes FROM orders WHERE id > %s"
                    " ORDER BY id LIMIT %s",
                    (last, PAGE),
                )
                page = cursor.fetchall()
                if not page:
                    return rows, seen
                for last, item, quantity, customer, attributes in page:  # noqa: B007
                    rows.number += 1
                    rows.menu[item] += quantity
                    if customer == self._plan.customer:
                        seen.see(json.loads(attributes or "{}").get("number"), item, quantity)

    def _read_counters(self) -> dict[str, Counted]:
        with connect(self._database, read_timeout=READ_TIMEOUT) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT name, value, version FROM counters")
            return {name.decode(): Counted(value, version) for name, value, version in cursor}

    # DynamoDB

    def _read_items(self) -> Seen:
        seen = Seen(self._plan)
        for item in self._scan(
            "orders_table",
            ConsistentRead=True,
            FilterExpression="customer_name = :ours",
            ExpressionAttributeValues={":ours": {"S": self._plan.customer}},
        ):
            number = item.get("number", {}).get("N")
            seen.see(int(number) if number else None, item["item"]["S"], int(item["quantity"]["N"]))
        return seen

    def _read_shown(self) -> dict[str, Counted]:
        """Read the counters in DynamoDB, under their names in MySQL."""
        metrics = self._scan("metrics_table", ConsistentRead=True)
        menu = self._scan("menu_table", ConsistentRead=True)
        shown = {item["metric"]["S"]: _counted(item, "count") for item in metrics}
        shown |= {item_name(item["item"]["S"]): _counted(item, "orders") for item in menu}
        return {name: counter for name, counter in shown.items() if is_shown(name)}

    def _scan(self, table: str, **how: Any) -> Iterator[dict[str, Any]]:
        pages = self._clients.dynamodb.get_paginator("scan").paginate(
            TableName=self._stack.output(table), **how
        )
        for page in pages:
            yield from page["Items"]

    # Queues

    def _dead_letters(self, expected: int, *, keep: bool) -> Check:
        """Look at all dead letters, until those that should be are there; take this run's malformed ones."""
        url = self._stack.output("dead_letter_queue_url")
        deadline = time.monotonic() + PATIENCE
        while True:
            malformed: list[Message] = []
            times: Counter[int] = Counter()
            strangers = 0
            with queues.looking(self._clients.sqs, url, threading.Event(), hold=HIDDEN) as look:
                for message in itertools.chain.from_iterable(look.batches()):
                    number = self._plan.number_of_malformed(message.body)
                    if number is not None:
                        malformed.append(message)
                        times[number] += 1
                    else:
                        strangers += self._plan.customer in message.body
                is_over = len(times) >= expected or time.monotonic() > deadline
                if is_over and not keep:
                    look.delete(malformed)
            if is_over:
                break
            time.sleep(0.5)
        wrong = sum(1 for number in times if self._plan.wanted(number).fate != "malformed")
        ok = len(times) == expected == sum(times.values()) and not strangers and not wrong
        detail = (
            f"{len(times):,} of {expected:,}, each once"
            if ok
            else (
                f"{plurals.counted(sum(times.values()), 'dead letter')} with {len(times):,} of "
                f"{plurals.counted(expected, 'malformed order')}, {strangers:,} with a valid one"
            )
        )
        return Check(name="dead_letters", title="Every malformed order is in the DLQ", ok=ok, detail=detail)

    def _nothing_left(self) -> Check:
        left, undelivered = (
            queues.depth(self._clients.sqs, self._stack.output(name)).total
            for name in ("queue_url", "subscription_dead_letter_queue_url")
        )
        return Check(
            name="nothing_left",
            title="Nothing is left on the way",
            ok=not left and not undelivered,
            detail=f"{left:,} in the queue, {undelivered:,} undelivered by the topic",
        )


def _books(name: str, title: str, seen: Seen, expected: int) -> Check:
    problems = seen.problems()
    detail = "; ".join(problems) if problems else f"{seen.found:,} of {expected:,}, as they were sent"
    return Check(name=name, title=title, ok=not problems and seen.found == expected, detail=detail)


def _equal(name: str, title: str, counted: int, expected: int) -> Check:
    detail = f"+{counted:,}" if counted == expected else f"+{counted:,} instead of +{expected:,}"
    return Check(name=name, title=title, ok=counted == expected, detail=detail)


def _menu(growth: Counter[str], expected: Counter[str]) -> Check:
    wrong = [
        f"{item}: +{growth[item]:,} instead of +{expected[item]:,}"
        for item in sorted({*growth, *expected})
        if growth[item] != expected[item]
    ]
    detail = (
        "; ".join(wrong[:EXAMPLES])
        or f"+{plurals.counted(expected.total(), 'piece')} of {plurals.counted(len(expected), 'item')}"
    )
    return Check(name="menu", title="CafeMenu counted every piece", ok=not wrong, detail=detail)


def _counters(
    counted: Mapping[str, Counted], shown: Mapping[str, Counted], growth: Counter[str], rows: Rows
) -> Check:
    """Compare MySQL's counters with DynamoDB's, and those that MySQL alone has with the rows."""
    zero = Counted(0, 0)  # as an item of the menu is that nobody has ordered
    wrong = [
        f"{name}: {counted.get(name)} in MySQL, {shown.get(name)} in DynamoDB"
        for name in sorted({*filter(is_shown, counted), *shown})
        if counted.get(name, zero) != shown.get(name, zero)
    ]
    quarters = sum(number for name, number in growth.items() if name.startswith(QUARTER))
    item_hours = sum(number for name, number in growth.items() if name.startswith(ITEM_HOUR))
    for title, number, expected in [
        ("quarters of an hour", quarters, rows.number),
        ("hours of items", item_hours, rows.menu.total()),
    ]:
        if number != expected:
            wrong.append(f"{title}: +{number:,} instead of +{expected:,}")
    detail = "; ".join(wrong[:EXAMPLES]) or f"{plurals.counted(len(shown), 'counter')}, to the version"
    title = "MySQL counted what DynamoDB shows"
    return Check(name="counters", title=title, ok=not wrong, detail=detail)


def _counted(item: Mapping[str, Any], counter: str) -> Counted:
    value, version = (int(item.get(name, {"N": "0"})["N"]) for name in (counter, "version"))
    return Counted(value, version)


def _growth(now: Mapping[str, Counted], before: Mapping[str, Counted]) -> Counter[str]:
    zero = Counted(0, 0)
    return Counter({name: counter.value - before.get(name, zero).value for name, counter in now.items()})


def _of_items(growth: Counter[str]) -> Counter[str]:
    items = {item: number for name, number in growth.items() if (item := item_of(name)) is not None}
    return Counter({item: number for item, number in items.items() if number})


def _is_day(key: str) -> bool:
    return key.startswith("ORDERS#") and "T" not in key.removeprefix("ORDERS#")


def _is_hour(key: str) -> bool:
    return key.startswith("ORDERS#") and "T" in key.removeprefix("ORDERS#")
