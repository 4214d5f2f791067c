"""What the handlers tell Lambda: which messages stay on the queue, which status a client gets."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest

import get_order_status
import order_processor
import place_order
from orders.ledger import Failures, StoreUnavailableError
from orders.order import Order
from orders.status import NothingKnownError


def record(message_id: str, body: str) -> dict[str, Any]:
    return {"messageId": message_id, "body": body, "attributes": {"SentTimestamp": "1790000000000"}}


class LedgerStandIn:
    def __init__(self, failures: Failures) -> None:
        self.failures = failures

    def record(self, orders: Sequence[Order]) -> Failures:
        return self.failures


class TopicStandIn:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.messages: list[Any] = []

    def publish(self, message: str) -> None:
        if self.error:
            raise self.error
        self.messages.append(json.loads(message))


@pytest.fixture(autouse=True)
def without_a_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the visibility of what failed alone: it has tests of its own."""
    monkeypatch.setattr(order_processor, "back_off", lambda *_, **__: None)


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_message_that_is_wrong_all_over_has_a_line_of_the_log_and_not_a_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(order_processor, "ledger", lambda: LedgerStandIn({}))
    said = {"item": "Tea", "quantity": 1, **{f"field {n}": {"": 1} for n in range(9999)}}
    order_processor.handler({"Records": [record("m1", json.dumps(said))]}, None)
    (line,) = log_lines(capsys)
    assert line["message"] == "Message rejected"
    assert len(json.dumps(line)) < 2000


def test_only_the_messages_that_failed_stay_on_the_queue(
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


def test_an_order_is_published_under_its_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = TopicStandIn()
    monkeypatch.setattr(place_order, "topic", lambda: topic)
    answer = place_order.handler({"body": '{"item": "Tea", "quantity": "2"}', "headers": None}, None)
    assert answer["statusCode"] == 202
    assert topic.messages == [
        {
            "orderId": json.loads(answer["body"])["orderId"],
            "item": "Tea",
            "quantity": 2,
            "customer_name": "Guest",
        }
    ]


def test_an_idempotency_key_is_found_however_it_is_spelt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place_order, "topic", TopicStandIn)
    event = {"body": '{"item": "Tea", "quantity": 2}'}
    answers = [
        place_order.handler({**event, "headers": {name: "key"}}, None)["body"]
        for name in ("Idempotency-Key", "idempotency-key")
    ]
    assert answers[0] == answers[1]


def test_a_topic_that_is_away_is_no_clients_fault_and_no_clients_business(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = TopicStandIn(StoreUnavailableError("SNS: arn:aws:sns:us-east-1:123456789012:OrderTopic"))
    monkeypatch.setattr(place_order, "topic", lambda: topic)
    answer = place_order.handler({"body": '{"item": "Tea", "quantity": 2}'}, None)
    assert answer["statusCode"] == 503
    assert "arn:" not in answer["body"]
    assert "arn:" in log_lines(capsys)[0]["reason"]


@pytest.mark.parametrize("body", [None, "", "caf\u00e9", base64.b64encode(b"\xff\xfe").decode()])
def test_a_body_that_is_no_text_is_a_bad_request(body: str | None) -> None:
    answer = place_order.handler({"body": body, "isBase64Encoded": True}, None)
    assert answer["statusCode"] == 400


def test_without_any_source_the_status_is_503_and_says_nothing_of_the_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ask() -> Any:
        raise NothingKnownError({"rds": "MySQL error 2003", "dynamodb": "secret", "sqs": "secret"})

    monkeypatch.setattr(get_order_status, "ask", lambda: ask)
    answer = get_order_status.handler({}, None)
    assert answer["statusCode"] == 503
    assert "secret" not in answer["body"]
    assert answer["headers"]["Cache-Control"] == "no-store"
