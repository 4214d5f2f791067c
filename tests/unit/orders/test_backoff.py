"""The delay until a failed message is received again: the rule, the calls that apply it, and outages."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

import order_processor
import reconcile_orders
import redelivery
from orders import backoff
from orders.backoff import visibility
from orders.failures import Conflict, Defect, Refused
from orders.ledger import Failures, Recorded
from orders.order import Order
from stores.sqs import PARALLEL, OrderQueue
from tests.stores import moto_client
from tests.waiting import LIMIT

UNAVAILABLE = "MySQL error 2003"
MALFORMED = Refused("The order must be a JSON object; this is not JSON.")
CONFLICT = Conflict("orderId o1 belongs to another order, with another item")
DEFECT = Defect("KeyError in tables.py, line 7")
VISIBILITY = 180  # seconds; of the queue in `dev` and `prod`


@pytest.fixture
def jitter(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Choose the jitter: -1 for the shortest delay, 1 for the longest."""

    def choose(sign: float) -> None:
        monkeypatch.setattr(
            "orders.backoff.random.uniform", lambda low, high: (low + high) / 2 + sign * (high - low) / 2
        )

    return choose


@pytest.mark.parametrize(
    ("reason", "receives", "shortest", "longest"),
    [
        (MALFORMED, 1, 0, 0),
        (MALFORMED, 2, 0, 0),
        (MALFORMED, 3, 0, 0),
        (CONFLICT, 1, 0, 0),
        (CONFLICT, 2, 0, 0),
        (CONFLICT, 3, 0, 0),
        (UNAVAILABLE, 1, 8, 12),
        (UNAVAILABLE, 2, 48, 72),
        (UNAVAILABLE, 3, 0, 0),
        (UNAVAILABLE, 4, 0, 0),
        (DEFECT, 1, 8, 12),
        (DEFECT, 2, 48, 72),
        (DEFECT, 3, 48, 72),
        (DEFECT, 4, 48, 72),
    ],
)
def test_a_failed_message_is_received_again_after_its_delay(
    jitter: Callable[[float], None], reason: str, receives: int, shortest: int, longest: int
) -> None:
    found = []
    for sign in (-1, 1):
        jitter(sign)
        found.append(visibility(reason, receives, elapsed=0, queue_timeout=VISIBILITY))
    assert found == [shortest, longest]


@pytest.mark.parametrize(("queue", "seconds"), [(1, 1), (9, 9), (11, 11), (12, 12), (13, 12)])
def test_no_delay_exceeds_the_visibility_timeout_of_the_queue(
    jitter: Callable[[float], None], queue: int, seconds: int
) -> None:
    jitter(1)
    assert visibility(UNAVAILABLE, 1, elapsed=0, queue_timeout=queue) == seconds


def test_the_delay_counts_from_the_receive(jitter: Callable[[float], None]) -> None:
    jitter(0)
    assert visibility(UNAVAILABLE, 1, elapsed=8, queue_timeout=VISIBILITY) == 2
    assert visibility(UNAVAILABLE, 1, elapsed=16, queue_timeout=VISIBILITY) == 1


@given(
    receives=st.integers(1, 1000),
    elapsed=st.floats(0, 900),
    queue=st.integers(1, 43_200),
)
def test_an_unforeseen_failure_is_never_retried_at_once(receives: int, elapsed: float, queue: int) -> None:
    assert 1 <= visibility(DEFECT, receives, elapsed=elapsed, queue_timeout=queue) <= min(72, queue)


# The delay of orders by an outage, by a simulated clock


def recorded_at(sent: float, outage: float, slow: float, sweeps: float) -> float:
    """Simulate one order in an outage that begins at 0, and return when it is recorded.

    Parameters
    ----------
    slow
        Seconds until the worker finds a store unavailable.
    sweeps
        When the reconciler's first run begins; another follows every minute.
    """
    now = sent
    for receives in range(1, backoff.MAX_RECEIVES + 1):
        if now >= outage:
            return now
        now += slow + visibility(UNAVAILABLE, receives, elapsed=slow, queue_timeout=VISIBILITY)
    run = sweeps
    while run < max(now, outage):
        run += 60
    return run + reconcile_orders.SCHEDULED


SLOW = st.floats(0, 11)  # connecting takes up to 3 seconds, a read up to 8


@given(sent=st.floats(0, 30), slow=SLOW)
def test_an_outage_of_half_a_minute_delays_an_order_by_at_most_ninety_seconds(
    sent: float, slow: float
) -> None:
    assert recorded_at(sent, outage=30, slow=slow, sweeps=59) - sent <= 90


@given(sent=st.floats(0, 600), slow=SLOW, sweeps=st.floats(0, 60))
def test_after_an_outage_of_ten_minutes_every_order_is_recorded_within_two(
    sent: float, slow: float, sweeps: float
) -> None:
    assert recorded_at(sent, outage=600, slow=slow, sweeps=sweeps) - 600 <= 120


# The calls


class Context:
    """An invocation with some time left."""

    def __init__(self, milliseconds: int) -> None:
        self.left = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.left


PLENTY = 30_000


class Sqs:
    """A client that records the visibility timeouts that it sets, by receipt handle."""

    def __init__(self) -> None:
        self.set: dict[str, int] = {}
        self.batches: list[list[str]] = []
        self.attributes_read = 0

    def get_queue_attributes(self, **_: Any) -> Any:
        self.attributes_read += 1
        return {"Attributes": {"VisibilityTimeout": str(VISIBILITY)}}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> Any:  # noqa: N803
        assert QueueUrl == "url"
        assert 1 <= len(Entries) <= 10
        assert len({entry["Id"] for entry in Entries}) == len(Entries)
        self.batches.append([entry["ReceiptHandle"] for entry in Entries])
        self.set |= {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in Entries}
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


def record(message_id: str, body: object, receives: int = 1) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": f"receipt of {message_id}",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"SentTimestamp": "1790000000000", "ApproximateReceiveCount": str(receives)},
    }


def order(order_id: str) -> dict[str, Any]:
    return {"orderId": order_id, "item": "Tea", "quantity": 1}


class LedgerStandIn:
    def __init__(self, failures: Failures) -> None:
        self.failures = failures

    def record_batch(self, orders: Mapping[str, Order]) -> Recorded:
        return Recorded(self.failures, frozenset())


Handle = Callable[..., list[str]]


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch, jitter: Callable[[float], None]) -> Handle:
    """Return a function that handles a batch and returns the ids of the failed messages."""
    jitter(0)

    def call(sqs: Any, records: Sequence[Any], failures: Failures, context: Any = None) -> list[str]:
        monkeypatch.setattr(order_processor, "ledger", lambda: LedgerStandIn(failures))
        monkeypatch.setattr(order_processor, "order_queue", lambda: OrderQueue("url", client=sqs))
        response = order_processor.handler({"Records": records}, context or Context(PLENTY))
        return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]

    return call


def problems(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line["reason"] for line in lines if line["message"] == "Visibility not set"]


def test_the_worker_sets_the_visibility_of_failed_messages_only(handle: Handle) -> None:
    sqs = Sqs()
    records = [
        record("recorded", order("o1")),
        record("malformed", "poison"),
        record("first", order("o2")),
        record("second", order("o3"), receives=2),
        record("third", order("o4"), receives=3),
        record("refused", order("o5")),
        record("conflict", order("o6")),
        record("defect", order("o7"), receives=3),
    ]
    failures: Failures = {
        **dict.fromkeys(("first", "second", "third"), UNAVAILABLE),
        "refused": Refused("DynamoDB: ValidationException"),
        "conflict": CONFLICT,
        "defect": DEFECT,
    }
    assert sorted(handle(sqs, records, failures)) == sorted(r["messageId"] for r in records[1:])
    assert sqs.set == {
        "receipt of malformed": 0,
        "receipt of first": 10,
        "receipt of second": 60,
        "receipt of third": 0,
        "receipt of refused": 0,
        "receipt of conflict": 0,
        "receipt of defect": 60,
    }


def test_a_batch_without_a_failure_makes_no_call(handle: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redelivery, "_set", lambda *_: pytest.fail("called"))
    assert handle(Sqs(), [record("m1", order("o1"))], {}) == []


def test_malformed_messages_need_no_attributes_of_the_queue(handle: Handle) -> None:
    sqs = Sqs()
    handle(sqs, [record("m1", "poison")], {})
    assert sqs.attributes_read == 0


def test_ten_thousand_messages_are_set_by_a_thousand_calls_several_at_once(handle: Handle) -> None:
    together = threading.Barrier(PARALLEL, timeout=LIMIT)

    class Slow(Sqs):
        """Responds once as many calls wait as may run at once."""

        def change_message_visibility_batch(self, **request: Any) -> Any:
            together.wait()
            return super().change_message_visibility_batch(**request)

    sqs = Slow()
    records = [record(f"m{number}", order(f"o{number}")) for number in range(10_000)]
    assert len(handle(sqs, records, {f"m{number}": UNAVAILABLE for number in range(10_000)})) == 10_000
    assert len(sqs.set) == 10_000
    assert len(sqs.batches) == 1_000


def test_orders_come_before_malformed_messages_and_those_that_waited_longest_first(
    handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.sqs.PARALLEL", 1)
    sqs = Sqs()
    kinds = [("poison", "poison", 3), ("first", None, 1), ("third", None, 3), ("second", None, 2)]
    records = [
        record(f"{kind}-{number}", body or order(f"{kind}-{number}"), receives)
        for kind, body, receives in kinds
        for number in range(10)
    ]
    handle(sqs, records, {r["messageId"]: UNAVAILABLE for r in records})
    order_of_calls = [batch[0].removeprefix("receipt of ").partition("-")[0] for batch in sqs.batches]
    assert order_of_calls == ["third", "second", "first", "poison"]


def test_the_calls_end_in_time_and_the_rest_keeps_its_visibility_timeout(
    handle: Handle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stores.sqs.PARALLEL", 1)
    context = Context(5_001)

    class Slow(Sqs):
        """Takes half a second for a call."""

        def change_message_visibility_batch(self, **request: Any) -> Any:
            context.left -= 500
            return super().change_message_visibility_batch(**request)

    sqs = Slow()
    records = [record(f"m{number}", "poison") for number in range(50)]
    assert len(handle(sqs, records, {}, context)) == 50
    # No call starts in the last four seconds.
    assert (len(sqs.set), context.left) == (30, 3_501)
    assert problems(capsys) == ["no time is left, 20 messages"]


def test_an_invocation_without_time_left_makes_no_call(
    handle: Handle, capsys: pytest.CaptureFixture[str]
) -> None:
    sqs = Sqs()
    assert handle(sqs, [record("m1", order("o1"))], {"m1": UNAVAILABLE}, Context(4_000)) == ["m1"]
    assert (sqs.set, sqs.attributes_read) == ({}, 0)
    assert problems(capsys) == ["no time is left, 1 messages"]


class Refusing(Sqs):
    """Refuses every change."""

    def change_message_visibility_batch(self, **_: Any) -> Any:
        raise ClientError(
            {"Error": {"Code": "AccessDenied", "Message": "no"}}, "ChangeMessageVisibilityBatch"
        )


class Unreachable(Sqs):
    """Cannot be reached."""

    def get_queue_attributes(self, **_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://sqs")


class Strange(Sqs):
    """Returns an unexpected response."""

    def get_queue_attributes(self, **_: Any) -> Any:
        return {}


class Partial(Sqs):
    """Has forgotten one receipt."""

    def change_message_visibility_batch(self, **_: Any) -> Any:
        return {"Successful": [], "Failed": [{"Id": "0", "Code": "ReceiptHandleIsInvalid"}]}


@pytest.mark.parametrize(
    ("sqs", "reason"),
    [
        (Refusing(), "AccessDenied"),
        (Unreachable(), "EndpointConnectionError"),
        (Strange(), "KeyError"),
        (Partial(), "SQS: ReceiptHandleIsInvalid, 1 messages"),
    ],
)
def test_a_failed_call_is_only_logged(
    handle: Handle, capsys: pytest.CaptureFixture[str], sqs: Sqs, reason: str
) -> None:
    records = [record("m1", order("o1")), record("m2", order("o2"))]
    assert handle(sqs, records, {"m2": UNAVAILABLE}) == ["m2"]
    (problem,) = problems(capsys)
    assert reason in problem


def test_a_worker_without_the_address_of_its_queue_still_records(
    handle: Handle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_queue = order_processor.order_queue
    monkeypatch.delenv("QUEUE_URL", raising=False)
    monkeypatch.setattr(order_processor, "ledger", lambda: LedgerStandIn({}))
    open_queue.cache_clear()
    response = order_processor.handler({"Records": [record("m1", "poison")]}, Context(PLENTY))
    assert response == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert len(problems(capsys)) == 1


def test_visibility_is_set_after_both_stores_are_written(
    handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = []

    class Ledger:
        def record_batch(self, orders: Mapping[str, Order]) -> Recorded:
            happened.append("stores")
            return Recorded({}, frozenset())

    monkeypatch.setattr(order_processor, "ledger", Ledger)
    monkeypatch.setattr(order_processor, "back_off", lambda *_, **__: happened.append("queue"))
    order_processor.handler({"Records": [record("m1", "poison")]}, Context(PLENTY))
    assert happened == ["stores", "queue"]


def test_a_crash_keeps_the_visibility_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ledger:
        def record_batch(self, orders: Mapping[str, Order]) -> Recorded:
            raise MemoryError

    sqs = Sqs()
    monkeypatch.setattr(order_processor, "ledger", Ledger)
    monkeypatch.setattr(order_processor, "order_queue", lambda: OrderQueue("url", client=sqs))
    with pytest.raises(MemoryError):
        order_processor.handler({"Records": [record("m1", "poison")]}, Context(PLENTY))
    assert sqs.set == {}


@pytest.fixture
def queue() -> Iterator[tuple[Any, str]]:
    """A queue of moto."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        client = moto_client("sqs")
        url = client.create_queue(QueueName="OrderQueue", Attributes={"VisibilityTimeout": "77"})["QueueUrl"]
        yield client, url


def test_sqs_accepts_the_calls(queue: tuple[Any, str]) -> None:
    client, url = queue
    for number in range(12):
        client.send_message(QueueUrl=url, MessageBody=str(number))
    received: list[Any] = []
    while len(received) < 12:
        received += client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    orders = OrderQueue(url, client=client)
    assert orders.visibility_timeout() == 77
    assert orders.set_visibility({message["ReceiptHandle"]: 0 for message in received}, lambda: 1.0) is None
    assert len(client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]) == 10
