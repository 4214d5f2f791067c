"""Orders among the dead letters are recorded, and what holds none stays for a person."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import boto3
import pytest

from orders.ledger import Failures, Ledger, Refused, StoreUnavailableError
from orders.order import Order
from orders.sweep import Swept, sweep
from stores.queues import DeadLetters
from tests.unit.books import Books


class Queue:
    """A queue that a test fills and watches."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.url: str = client.create_queue(QueueName="OrderDLQ")["QueueUrl"]

    def send(self, *bodies: object) -> list[str]:
        return [
            self.client.send_message(QueueUrl=self.url, MessageBody=json.dumps(body))["MessageId"]
            for body in bodies
        ]

    def visible(self) -> int:
        names = ["ApproximateNumberOfMessages"]
        answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return int(answer["Attributes"][names[0]])


@pytest.fixture
def queue(dynamodb: Any) -> Queue:
    return Queue(boto3.client("sqs", region_name="us-east-1"))


@pytest.fixture
def dead_letters(queue: Queue) -> DeadLetters:
    return DeadLetters(queue.url, client=queue.client)


def order(order_id: str | None = None, **fields: Any) -> dict[str, Any]:
    named = {"orderId": order_id} if order_id else {}
    return {**named, "item": "Tea", "quantity": 1, **fields}


def run(dead_letters: DeadLetters, ledger: Ledger, left: Callable[[], float] = lambda: 1.0) -> Swept:
    return sweep(dead_letters, ledger, left)


def test_orders_are_recorded_and_poison_stays(queue: Queue, dead_letters: DeadLetters, books: Books) -> None:
    envelope = {
        "Type": "Notification",
        "MessageId": "sns-1",
        "Timestamp": "2026-11-22T12:00:00.000Z",
        "Message": json.dumps(order()),
    }
    queue.send(*(order(f"o{n}") for n in range(14)), "poison", order("o99", quantity=0), envelope)
    (bare,) = queue.send(order())
    found = run(dead_letters, books.ledger)
    assert sorted(found.recorded) == sorted([*(f"o{n}" for n in range(14)), "sns-1", bare])
    assert (found.left, found.reason) == (2, None)
    assert queue.visible() == 2
    assert books.kept() == books.counts.total() == 16
    assert books.item("Orders", "orderId", "sns-1")["created_at"] == {"S": "2026-11-22T12:00:00.000+00:00"}
    # What stays is looked at again each time, and is there for everybody in between.
    assert run(dead_letters, books.ledger) == Swept(recorded=[], left=2)
    assert queue.visible() == 2


def test_an_order_that_is_recorded_already_is_taken_off_and_not_counted_again(
    queue: Queue, dead_letters: DeadLetters, books: Books
) -> None:
    queue.send(order("o1"), order("o1"))
    run(dead_letters, books.ledger)
    queue.send(order("o1"))
    assert run(dead_letters, books.ledger).recorded == ["o1"]
    assert (books.counts.total(), queue.visible()) == (1, 0)


class LedgerStandIn(Ledger):
    """A ledger that gives reasons by order id, or by `*` for all."""

    def __init__(self, **reasons: str) -> None:
        self.reasons = reasons

    def record(self, orders: Sequence[Order]) -> Failures:
        everything = self.reasons.get("all")
        return {
            order.order_id: everything or self.reasons[order.order_id]
            for order in orders
            if everything or order.order_id in self.reasons
        }


def test_while_a_store_is_away_nothing_is_lost_and_nothing_hidden(
    queue: Queue, dead_letters: DeadLetters
) -> None:
    queue.send(*(order(f"o{n}") for n in range(25)))
    found = run(dead_letters, LedgerStandIn(all="MySQL error 2003"))
    assert (found.recorded, found.reason) == ([], "MySQL error 2003")
    # It does not ask for the rest.
    assert found.left <= 10
    assert queue.visible() == 25


def test_an_order_that_a_store_refuses_stays_and_holds_nobody_up(
    queue: Queue, dead_letters: DeadLetters
) -> None:
    queue.send(*(order(f"o{n}") for n in range(15)))
    found = run(dead_letters, LedgerStandIn(o3=Refused("DynamoDB: ValidationException")))
    assert (len(found.recorded), found.left, found.reason) == (14, 1, None)
    assert queue.visible() == 1


def test_a_sweep_ends_in_time(queue: Queue, dead_letters: DeadLetters) -> None:
    queue.send(*(order(f"o{n}") for n in range(15)))
    times = iter([1.0, -1.0])
    assert len(run(dead_letters, LedgerStandIn(), lambda: next(times)).recorded) == 10


def test_what_comes_round_again_ends_the_sweep() -> None:
    class Impatient:
        """A queue that shows a message again at once."""

        back: Sequence[str] = ()

        def take(self) -> Sequence[Mapping[str, Any]]:
            return [{"messageId": "m1", "body": "poison", "attributes": {}}]

        def delete(self, message_ids: Sequence[str]) -> None:
            assert not message_ids

        def put_back(self, message_ids: Sequence[str]) -> None:
            self.back = message_ids

    impatient = Impatient()
    assert sweep(impatient, LedgerStandIn(), lambda: 1.0).left == 1
    assert impatient.back == ["m1"]


def test_a_queue_that_is_away_is_reported(queue: Queue, dead_letters: DeadLetters) -> None:
    queue.client.delete_queue(QueueUrl=queue.url)
    with pytest.raises(StoreUnavailableError, match="SQS"):
        run(dead_letters, LedgerStandIn())
