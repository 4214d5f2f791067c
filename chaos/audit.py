"""Audit of a run: each order once in both stores and all counters, the malformed ones dead-lettered."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from chaos.plan import Plan
from cli import aws, plurals, queues
from cli.checks import Check
from cli.local_database import connect
from cli.messages import Message
from cli.stack import Database, Stack
from cli.traffic.audit import EXAMPLES, ZERO, Found, growth, growth_checks, read_counters
from orders.counters import ITEM_HOUR, QUARTER, Counted, is_projected

PAGE = 2000  # rows read at once
READ_TIMEOUT = 60  # seconds for a page
HIDDEN = 60  # seconds for which a message that was read is invisible
DEAD_LETTER_TIMEOUT = 60.0  # seconds; the reconciler may hold dead letters


class Audit:
    """Reads both stores and the queues as a whole, in pages.

    It is made before the first order is sent, when the stack is quiet: earlier orders are left out, such as
    the rows up to `last_id`.
    """

    def __init__(self, stack: Stack, clients: aws.Clients, plan: Plan) -> None:
        if stack.database is None:
            raise RuntimeError("only the local stack's database can be read")
        self._stack = stack
        self._clients = clients
        self._plan = plan
        self._database: Database = stack.database
        ((self.last_id,),) = self._query("SELECT COALESCE(MAX(id), 0) FROM orders")
        self._before = self._counters()

    def checks(self, expected: Mapping[str, int], *, keep: bool) -> Iterator[Check]:
        """Yield each check as soon as it is made; `keep` leaves this run's dead letters in the queue."""
        rows, others, other_pieces = self._rows()
        yield rows.check("rds", "Every valid order has one row in RDS")
        yield self._items().check("dynamodb", "Every valid order has one item in DynamoDB")
        counted, projected = self._counters(), read_counters(self._stack, self._clients)
        orders, pieces = rows.total() + others, rows.pieces + other_pieces
        yield from growth_checks(growth(projected, self._before), pieces, orders, exact=True)
        yield _same_counters(counted, projected, growth(counted, self._before), orders, pieces.total())
        yield self._dead_letters(expected["malformed"], keep=keep)
        yield self._nothing_left()

    # RDS

    def _query(self, statement: str, *values: object) -> Any:
        with connect(self._database, read_timeout=READ_TIMEOUT) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def _counters(self) -> dict[str, Counted]:
        rows = self._query("SELECT name, value, version FROM counters")
        return {name.decode(): Counted(value, version) for name, value, version in rows}

    def _rows(self) -> tuple[Found, int, Counter[str]]:
        """Read the rows since the run began: this run's, and the number and pieces of others."""
        found, others, pieces = Found(self._plan.wanted, self._plan.orders), 0, Counter[str]()
        columns, last = "id, item, quantity, customer_name, attributes", self.last_id
        while page := self._query(
            f"SELECT {columns} FROM orders WHERE id > %s ORDER BY id LIMIT {PAGE}",  # noqa: S608
            last,
        ):
            for last, item, quantity, customer, attributes in page:  # noqa: B007
                if customer == self._plan.customer:
                    found.add(json.loads(attributes or "{}").get("number"), item, quantity)
                else:
                    others += 1
                    pieces[item] += quantity
        return found, others, pieces

    # DynamoDB

    def _items(self) -> Found:
        found = Found(self._plan.wanted, self._plan.orders)
        pages = self._clients.dynamodb.get_paginator("scan").paginate(
            TableName=self._stack.output("orders_table"),
            ConsistentRead=True,
            FilterExpression="customer_name = :ours",
            ExpressionAttributeValues={":ours": {"S": self._plan.customer}},
        )
        for item in chain.from_iterable(page["Items"] for page in pages):
            number = item.get("number", {}).get("N")
            found.add(int(number) if number else None, item["item"]["S"], int(item["quantity"]["N"]))
        return found

    # Queues

    def _dead_letters(self, expected: int, *, keep: bool) -> Check:
        """Read all dead letters until the expected ones are there; delete this run's malformed ones."""
        url = self._stack.output("dead_letter_queue_url")
        deadline = time.monotonic() + DEAD_LETTER_TIMEOUT
        while True:
            malformed: list[Message] = []
            times: Counter[int] = Counter()
            valid = 0
            with queues.scanning(self._clients.sqs, url, threading.Event(), hold=HIDDEN) as scan:
                for message in chain.from_iterable(scan.batches()):
                    number = self._plan.number_of_malformed(message.body)
                    if number is None:
                        valid += self._plan.customer in message.body
                    else:
                        malformed.append(message)
                        times[number] += 1
                is_over = len(times) >= expected or time.monotonic() > deadline
                if is_over and not keep:
                    scan.delete(malformed)
            if is_over:
                break
            time.sleep(0.5)
        wrong = sum(self._plan.order(number).fate != "malformed" for number in times)
        ok = len(times) == expected == times.total() and not valid and not wrong
        detail = (
            f"{len(times):,} of {expected:,}, each once"
            if ok
            else (
                f"{plurals.counted(times.total(), 'dead letter')} with {len(times):,} of "
                f"{plurals.counted(expected, 'malformed order')}, {valid:,} with a valid one"
            )
        )
        return Check(name="dead_letters", title="Every malformed order is in the DLQ", ok=ok, detail=detail)

    def _nothing_left(self) -> Check:
        left, undelivered = (
            queues.depth(self._clients.sqs, self._stack.output(name)).total
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
