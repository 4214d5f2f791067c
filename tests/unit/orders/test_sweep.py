"""Orders among the dead letters are recorded, and invalid messages stay for an operator."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from pymysql.cursors import Cursor

from orders import message
from orders.counters import Counted
from orders.failures import Conflict, Defect, Refused, StoreUnavailableError
from orders.ledger import Failures, Ledger, Written
from orders.order import Order
from orders.sweep import SweepResult, sweep
from stores.dynamodb.projection import Projection
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.sqs import PARALLEL, DeadLetters
from tests.stores import BERLIN, Server
from tests.unit.dead_letter_queue import Queue, order
from tests.waiting import LIMIT


@pytest.fixture
def dead_letters(queue: Queue) -> DeadLetters:
    return DeadLetters(queue.url, client=queue.client)


def run(dead_letters: DeadLetters, ledger: Ledger, left: Callable[[], float] = lambda: 1.0) -> SweepResult:
    return sweep(dead_letters, ledger, left)


def total(projection: Projection) -> int:
    """Read `TOTAL_ORDERS`."""
    return projection.read(["TOTAL_ORDERS"])["TOTAL_ORDERS"].value


def test_orders_are_recorded_and_invalid_messages_stay(
    queue: Queue, dead_letters: DeadLetters, ledger: Ledger, projection: Projection, dynamodb: Any
) -> None:
    envelope = {
        "Type": "Notification",
        "MessageId": "sns-1",
        "Timestamp": "2026-11-22T12:00:00.000Z",
        "Message": json.dumps(order()),
    }
    queue.send(*(order(f"o{n}") for n in range(14)), "poison", order("o99", quantity=0), envelope)
    (bare,) = queue.send(order())
    found = run(dead_letters, ledger)
    assert sorted(found.recorded) == sorted([*(f"o{n}" for n in range(14)), "sns-1", bare])
    assert (found.left, found.rejected, found.conflicting, found.waiting) == (2, 2, 0, 0)
    assert found.reason is found.waiting_reason is found.conflicting_reason is None
    assert found.rejected_reason
    assert queue.visible() == 2
    assert total(projection) == 16
    item = dynamodb.get_item(TableName="Orders", Key={"orderId": {"S": "sns-1"}})["Item"]
    assert item["created_at"] == {"S": "2026-11-22T12:00:00.000+00:00"}
    # The messages that stay are read again by each sweep, and visible in between.
    again = run(dead_letters, ledger)
    assert (again.recorded, again.rejected) == ([], 2)
    assert queue.visible() == 2


def test_a_recorded_order_is_deleted_and_not_counted_again(
    queue: Queue, dead_letters: DeadLetters, ledger: Ledger, projection: Projection
) -> None:
    queue.send(order("o1"), order("o1"))
    run(dead_letters, ledger)
    queue.send(order("o1"))
    assert run(dead_letters, ledger).recorded == ["o1"]
    assert (total(projection), queue.visible()) == (1, 0)


def test_an_order_with_the_id_of_another_one_stays_as_a_conflict(
    queue: Queue, dead_letters: DeadLetters, ledger: Ledger, projection: Projection
) -> None:
    queue.send(order("o1"))
    run(dead_letters, ledger)
    queue.send(order("o1", item="Latte"), order("o2"), order("o1"), "poison")
    found = run(dead_letters, ledger)
    assert sorted(found.recorded) == ["o1", "o2"]
    assert (found.left, found.rejected, found.conflicting, found.waiting) == (2, 1, 1, 0)
    assert found.conflicting_reason == "orderId o1 belongs to another order, with another item"
    assert "poison" not in found.conflicting_reason
    assert (total(projection), queue.visible()) == (2, 2)


def test_one_of_two_orders_with_one_id_is_recorded_and_the_other_stays(
    queue: Queue, dead_letters: DeadLetters, ledger: Ledger, projection: Projection
) -> None:
    queue.send(order("o1"), order("o1", quantity=2))
    found = run(dead_letters, ledger)
    assert (found.recorded, found.conflicting) == (["o1"], 1)
    assert (total(projection), queue.visible()) == (1, 1)


def test_a_conflict_ends_when_the_order_that_has_its_id_is_deleted(
    queue: Queue, dead_letters: DeadLetters, ledger: Ledger, server: Server
) -> None:
    queue.send(order("o1"))
    run(dead_letters, ledger)
    queue.send(order("o1", item="Latte"))
    assert run(dead_letters, ledger).conflicting == 1
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders WHERE order_id = 'o1'")
    found = run(dead_letters, ledger)
    assert (found.recorded, found.conflicting, queue.visible()) == (["o1"], 0, 0)


def test_lasting_conflicts_cost_two_statements_together_and_write_nothing(
    queue: Queue, dead_letters: DeadLetters, mysql: MySql
) -> None:
    class Unused:
        """A projection that must not be called."""

        def write(self, orders: Sequence[Order], counted: Mapping[str, Counted]) -> Written:
            raise AssertionError(orders)

    database = OrdersDatabase(mysql, BERLIN)
    database.record([Order(f"o{n:02}", None, "Latte", 1) for n in range(50)])
    queue.send(*(order(f"o{n:02}") for n in range(50)))
    statements: list[str] = []
    query = Cursor._query  # type: ignore[attr-defined]

    def watched(cursor: Cursor, sql: str) -> Any:
        statements.append(sql)
        return query(cursor, sql)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cursor, "_query", watched)
        found = run(dead_letters, Ledger(database, Unused(), BERLIN))
    assert (found.conflicting, found.left, queue.visible()) == (50, 50, 50)
    assert [sql.split()[0] for sql in statements] == ["START", "INSERT", "SELECT"]


class LedgerStandIn(Ledger):
    """A ledger whose orders fail for reasons by order id, or for one reason."""

    def __init__(self, **reasons: str) -> None:
        self.reasons = reasons
        self.calls = 0

    def record(self, orders: Mapping[str, Order]) -> Failures:
        self.calls += 1
        reasons = {
            key: self.reasons.get(order.order_id, self.reasons.get("all")) for key, order in orders.items()
        }
        return {key: reason for key, reason in reasons.items() if reason is not None}


def test_while_a_store_is_unavailable_orders_wait_and_only_invalid_messages_are_rejected() -> None:
    sqs = Sqs([*(json.dumps(order(f"o{n}")) for n in range(95)), "poison"])
    unavailable = LedgerStandIn(all="MySQL error 2003")
    found = run(DeadLetters("url", client=sqs), unavailable)
    assert (found.recorded, found.waiting, found.rejected, found.left) == ([], 95, 1, 96)
    assert (found.waiting_reason, found.reason) == ("MySQL error 2003", None)
    assert found.rejected_reason == "The order must be a JSON object; this is not JSON."
    # The store is not called again for the rest, and the messages are visible again.
    assert unavailable.calls == 1
    assert len(sqs.visible) == 96


def test_an_order_that_a_store_refuses_stays_and_blocks_no_other(
    queue: Queue, dead_letters: DeadLetters
) -> None:
    queue.send(*(order(f"o{n}") for n in range(15)))
    found = run(dead_letters, LedgerStandIn(o3=Refused("DynamoDB: ValidationException")))
    assert (len(found.recorded), found.rejected, found.waiting, found.reason) == (14, 1, 0, None)
    assert found.rejected_reason == "DynamoDB: ValidationException"
    assert queue.visible() == 1


def test_conflicts_do_not_end_the_sweep_but_an_unavailable_store_does() -> None:
    sqs = Sqs([json.dumps(order(f"o{n}")) for n in range(95)])
    ledger = LedgerStandIn(all=Conflict("orderId belongs to another order"))
    found = run(DeadLetters("url", client=sqs), ledger)
    assert (found.conflicting, found.waiting, found.reason) == (95, 0, None)
    assert ledger.calls > 1


def test_an_order_that_triggers_a_defect_waits_for_the_next_release(
    queue: Queue, dead_letters: DeadLetters
) -> None:
    queue.send(order("o1"), order("o2"))
    found = run(dead_letters, LedgerStandIn(o1=Defect("KeyError in tables.py, line 7")))
    assert (found.recorded, found.rejected, found.waiting) == (["o2"], 0, 1)
    assert found.waiting_reason == "KeyError in tables.py, line 7"


def test_a_message_on_which_the_parser_fails_waits_and_blocks_no_other(
    queue: Queue, dead_letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = message.read_record

    def fail(record: Mapping[str, Any]) -> message.Received:
        if "defect" in record["body"]:
            raise ZeroDivisionError("Ann")
        return parse(record)

    monkeypatch.setattr(message, "read_record", fail)
    queue.send(order("o1"), order("o2", note="defect"))
    found = run(dead_letters, LedgerStandIn())
    assert (found.recorded, found.rejected, found.waiting) == (["o1"], 0, 1)
    assert found.waiting_reason is not None
    assert found.waiting_reason.startswith("ZeroDivisionError in test_sweep.py")


def test_the_reason_of_a_message_with_many_errors_is_short(queue: Queue, dead_letters: DeadLetters) -> None:
    queue.send({"item": "Tea", "quantity": 1, **{f"field {n}": {"": 1} for n in range(999)}})
    assert len(run(dead_letters, LedgerStandIn()).rejected_reason or "") < 1000


def test_a_sweep_ends_in_time() -> None:
    sqs = Sqs([json.dumps(order(f"o{n}")) for n in range(95)])
    times = iter([1.0, -1.0])
    found = run(DeadLetters("url", client=sqs), LedgerStandIn(), lambda: next(times))
    assert len(found.recorded) == 80


class Sqs:
    """A client of SQS with one queue in memory, which counts its calls."""

    def __init__(self, bodies: Sequence[str]) -> None:
        self.calls = Counter[str]()
        self.visible = {f"m{number}": body for number, body in enumerate(bodies)}
        self.hidden: dict[str, str] = {}
        self._lock = threading.Lock()

    def receive_message(self, **_: Any) -> Any:
        with self._lock:
            self.calls["receive"] += 1
            taken = [self.visible.popitem() for _ in range(min(10, len(self.visible)))]
            self.hidden.update(taken)
            sent = {"SentTimestamp": "1790000000000"}
            return {
                "Messages": [
                    {"MessageId": message_id, "ReceiptHandle": message_id, "Body": body, "Attributes": sent}
                    for message_id, body in taken
                ]
            }

    def delete_message_batch(self, Entries: Sequence[Mapping[str, Any]], **_: Any) -> None:  # noqa: N803
        with self._lock:
            self.calls["delete"] += 1
            for entry in Entries:
                del self.hidden[entry["ReceiptHandle"]]

    def change_message_visibility_batch(self, Entries: Sequence[Mapping[str, Any]], **_: Any) -> None:  # noqa: N803
        with self._lock:
            self.calls["put back"] += 1
            for entry in Entries:
                self.visible[entry["ReceiptHandle"]] = self.hidden.pop(entry["ReceiptHandle"])


@pytest.mark.parametrize("poison", [0, 2_000])
def test_ten_thousand_orders_cost_a_round_of_calls_for_every_eighty_messages(poison: int) -> None:
    bodies = [json.dumps(order(f"o{number}")) for number in range(10_000)]
    bodies[5_000:5_000] = ["poison"] * poison
    sqs, ledger = Sqs(bodies), LedgerStandIn()
    found = sweep(DeadLetters("url", client=sqs), ledger, lambda: 1.0)
    assert (len(found.recorded), found.rejected, found.waiting) == (10_000, poison, 0)
    assert (len(sqs.visible), sqs.hidden) == (poison, {})
    rounds = (10_000 + poison) // 80
    # Eight receives at once, one batch for the stores, eight deletions at once; a last round finds no more.
    assert sqs.calls["receive"] == 8 * (rounds + 1)
    assert ledger.calls == rounds
    assert sqs.calls["delete"] <= 8 * rounds
    assert sqs.calls["put back"] == poison // 10


def test_messages_are_received_deleted_and_put_back_in_concurrent_calls() -> None:
    together = threading.Barrier(PARALLEL, timeout=LIMIT)

    class Slow:
        """A queue that responds once all calls are waiting."""

        def receive_message(self, **_: Any) -> Any:
            number = together.wait()
            return {"Messages": [{"MessageId": f"m{number}", "ReceiptHandle": "r", "Body": "{}"}]}

        def __getattr__(self, name: str) -> Any:
            return lambda **_: together.wait()

    letters = DeadLetters("url", client=Slow())
    assert len(letters.receive()) == PARALLEL
    letters._receipts = {str(number): "r" for number in range(20 * PARALLEL)}
    letters.delete([str(number) for number in range(10 * PARALLEL)])
    letters.release([str(number) for number in range(10 * PARALLEL, 20 * PARALLEL)])


def test_after_a_failed_call_no_further_one_begins_and_none_stays_running() -> None:
    another, reported = threading.Event(), threading.Event()
    begun: list[str] = []
    ended: list[str] = []

    class OneFails:
        """A queue that refuses the first call once a second one runs, and is slow for the others."""

        def delete_message_batch(self, *, Entries: Sequence[Any], **_: Any) -> Any:  # noqa: N803 - boto3's name
            if Entries[0]["ReceiptHandle"] == "0":
                another.wait(LIMIT)
                raise EndpointConnectionError(endpoint_url="url")
            begun.append(Entries[0]["ReceiptHandle"])
            another.set()
            reported.wait(0.05)
            ended.append(Entries[0]["ReceiptHandle"])
            return {}

    letters = DeadLetters("url", client=OneFails())
    names = [str(number) for number in range(10_000)]
    letters._receipts = dict(zip(names, names, strict=True))
    with pytest.raises(StoreUnavailableError):
        letters.delete(names)
    running = set(begun) - set(ended)
    reported.set()
    assert running == set()
    assert len(begun) < len(names) // 10 - 1  # ten go together


def test_a_message_received_again_ends_the_sweep_and_is_counted_once() -> None:
    class WithoutVisibilityTimeout:
        """A queue that delivers a message again at once."""

        back: Sequence[str] = ()

        def receive(self) -> Sequence[Mapping[str, Any]]:
            return [{"messageId": "m1", "body": "poison", "attributes": {}}]

        def delete(self, message_ids: Sequence[str]) -> None:
            assert not message_ids

        def release(self, message_ids: Sequence[str]) -> None:
            self.back = message_ids

    queue = WithoutVisibilityTimeout()
    assert sweep(queue, LedgerStandIn(), lambda: 1.0).rejected == 1
    assert queue.back == ["m1"]


def test_a_queue_that_is_unavailable_is_reported(queue: Queue, dead_letters: DeadLetters) -> None:
    queue.client.delete_queue(QueueUrl=queue.url)
    found = run(dead_letters, LedgerStandIn())
    assert found.reason is not None
    assert found.reason.startswith("SQS: ")


def test_orders_recorded_before_the_queue_failed_are_reported() -> None:
    class Failing:
        """A queue that delivers one order and then fails."""

        messages: Sequence[Mapping[str, Any]] = [
            {
                "messageId": "m1",
                "body": json.dumps(order("o1")),
                "attributes": {"SentTimestamp": "1790000000000"},
            }
        ]

        def receive(self) -> Sequence[Mapping[str, Any]]:
            if not self.messages:
                raise StoreUnavailableError("SQS: throttled")
            taken, self.messages = self.messages, []
            return taken

        def delete(self, message_ids: Sequence[str]) -> None:
            assert message_ids == ["m1"]

        def release(self, message_ids: Sequence[str]) -> None:
            raise StoreUnavailableError("SQS: throttled")

    found = sweep(Failing(), LedgerStandIn(), lambda: 1.0)
    assert (found.recorded, found.reason) == (["o1"], "SQS: throttled")
