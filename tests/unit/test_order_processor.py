"""The worker's response, its log line for each order, and its metrics."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

import order_processor
from orders.failures import Conflict, Defect, Refused
from orders.ledger import Recorded
from orders.order import Order


def record(message_id: str, body: str) -> dict[str, Any]:
    return {"messageId": message_id, "body": body, "attributes": {"SentTimestamp": "1790000000000"}}


class LedgerStandIn:
    """A ledger that gives reasons by order id."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = reasons

    def record_batch(self, orders: Mapping[str, Order]) -> Recorded:
        failures = {
            key: self.reasons[order.order_id]
            for key, order in orders.items()
            if order.order_id in self.reasons
        }
        return Recorded(failures, frozenset())


@pytest.fixture(autouse=True)
def without_a_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not set the visibility of failed messages, which has tests of its own."""
    monkeypatch.setattr(order_processor, "back_off", lambda *_, **__: None)


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_log_line_of_a_message_with_many_errors_is_short(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(order_processor, "ledger", lambda: LedgerStandIn({}))
    malformed = {"item": "Tea", "quantity": 1, **{f"field {n}": {"": 1} for n in range(9999)}}
    order_processor.handler({"Records": [record("m1", json.dumps(malformed))]}, None)
    (line,) = log_lines(capsys)
    assert line["message"] == "Message rejected"
    assert len(json.dumps(line)) < 2000


def test_only_failed_messages_stay_on_the_queue(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(order_processor, "ledger", lambda: LedgerStandIn({"o2": "MySQL error 2003"}))
    bodies = [
        json.dumps({"orderId": f"o{n}", "item": "Tea", "quantity": 1, "customer_name": "Ann"})
        for n in (1, 2, 2)
    ]
    records = [record(f"m{n}", body) for n, body in enumerate([*bodies, "poison"])]
    response = order_processor.handler({"Records": records}, None)
    assert sorted(failure["itemIdentifier"] for failure in response["batchItemFailures"]) == [
        "m1",
        "m2",
        "m3",
    ]
    lines = log_lines(capsys)
    assert lines[0]["message"] == "Message rejected"
    assert {
        "level": "INFO",
        "message": "Order processed successfully",
        "orderId": "o1",
        "messageId": "m0",
    } in lines
    assert "Ann" not in json.dumps(lines)


def test_an_order_that_a_store_refuses_permanently_is_logged_as_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failures = {
        "o1": Refused("DynamoDB: ValidationException"),
        "o2": Defect("KeyError"),
        "o3": "away",
        "o4": Conflict("orderId o4 belongs to another order, with another item"),
    }
    monkeypatch.setattr(order_processor, "ledger", lambda: LedgerStandIn(failures))
    order_processor.handler({"Records": [record(name, order(name)) for name in failures]}, None)
    logged = {
        line["orderId"]: (line.get("refused", False), line.get("conflict", False))
        for line in log_lines(capsys)
    }
    assert logged == {"o1": (True, False), "o2": (False, False), "o3": (False, False), "o4": (True, True)}


def test_an_order_that_failed_without_a_reason_stays_on_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_processor, "ledger", lambda: LedgerStandIn({"o1": ""}))
    response = order_processor.handler({"Records": [record("m1", order("o1"))]}, None)
    assert response == {"batchItemFailures": [{"itemIdentifier": "m1"}]}


class Context:
    """Lambda's context, with the worker's usual timeout."""

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def receive(message_id: str, body: str, count: int = 1, since: float = 0.0) -> dict[str, Any]:
    """Record a receive: which one it is, and how many seconds after the first."""
    found = record(message_id, body)
    found["attributes"] |= {
        "ApproximateReceiveCount": str(count),
        "ApproximateFirstReceiveTimestamp": str(int((time.time() - since) * 1000)),
    }
    return found


def order(order_id: str) -> str:
    return json.dumps({"orderId": order_id, "item": "Tea", "quantity": 1})


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Have every order fail, and return what batches add to the worker's metrics."""
    reasons = {f"o{n}": "MySQL error 1290" for n in range(9)}
    reasons |= {f"c{n}": Conflict(f"orderId c{n} belongs to another order") for n in range(9)}
    monkeypatch.setattr(order_processor, "ledger", lambda: LedgerStandIn(reasons))
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "OrderProcessor-dev")

    def sums(*batches: list[dict[str, Any]]) -> dict[str, int]:
        for batch in batches:
            order_processor.handler({"Records": batch}, Context())
        found = Counter[str]()
        for line in log_lines(capsys):
            for definition in line.get("_aws", {}).get("CloudWatchMetrics", []):
                assert (definition["Namespace"], definition["Dimensions"]) == (
                    "CafeOrders",
                    [["FunctionName"]],
                )
                assert line["FunctionName"] == "OrderProcessor-dev"
                for metric in definition["Metrics"]:
                    found[metric["Name"]] += line[metric["Name"]]
        return found

    return sums


def test_an_order_that_fails_in_all_its_receives_is_one_failed_order(counted: Any) -> None:
    receives = [(1, 0.0), (2, 11.0), (3, 75.0)]
    found = counted(*([receive("m1", order("o1"), count, since)] for count, since in receives))
    assert found == {"FailedOrders": 1}


def test_an_order_that_is_twice_in_a_batch_is_one_failed_order(counted: Any) -> None:
    batch = [receive("m1", order("o1")), receive("m2", order("o1")), receive("m3", order("o2"))]
    assert counted(batch) == {"FailedOrders": 2}


@pytest.mark.parametrize(("count", "since"), [(2, 190.0), (3, 370.0)])
def test_an_order_whose_earlier_receives_crashed_or_timed_out_is_counted(
    counted: Any, count: int, since: float
) -> None:
    assert counted([receive("m1", order("o1"), count, since)])["FailedOrders"] == 1


@pytest.mark.parametrize("since", [190.0, 250.0])
def test_an_order_that_was_counted_before_a_crash_is_not_counted_again(counted: Any, since: float) -> None:
    assert counted([receive("m1", order("o1"), 3, since)])["FailedOrders"] == 0


def test_a_malformed_message_is_counted_separately_and_once(counted: Any) -> None:
    found = counted(*([receive("m1", "poison", count)] for count in (1, 2, 3)))
    assert found == {"MalformedMessages": 1}


def test_a_conflict_is_counted_separately_and_at_its_first_receive(counted: Any) -> None:
    found = counted(*([receive("m1", order("c1"), count, count - 1)] for count in (1, 2, 3)))
    assert found == {"ConflictingOrders": 1}


def test_a_batch_counts_each_conflicting_order_once_and_separately_from_failed_orders(counted: Any) -> None:
    first, other = order("c1"), json.dumps({"orderId": "c1", "item": "Latte", "quantity": 1})
    bodies = [first, first, other, order("c2"), order("o1"), "poison"]
    found = counted([receive(f"m{number}", body) for number, body in enumerate(bodies)])
    assert found == {"ConflictingOrders": 3, "FailedOrders": 1, "MalformedMessages": 1}


def test_a_recorded_order_is_not_counted_as_a_failure(counted: Any) -> None:
    assert counted([receive("m1", order("fine"))]) == {}


def test_a_line_has_the_number_of_its_receive_unless_all_went_well_at_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(order_processor, "ledger", lambda: LedgerStandIn({"o3": "MySQL error 2003"}))
    bodies = [order("o1"), order("o2"), order("o3"), '{"orderId": "o4"}']
    receives = [
        receive(f"m{n}", body, count)
        for n, (body, count) in enumerate(zip(bodies, (1, 2, 1, 3), strict=True))
    ]
    order_processor.handler({"Records": receives}, Context())
    lines = [line for line in log_lines(capsys) if "orderId" in line]
    logged = {line["orderId"]: line.get("receive") for line in lines}
    assert logged == {"o1": None, "o2": 2, "o3": 1, "o4": 3}
