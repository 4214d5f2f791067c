"""What the handlers behind the API answer."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import get_order_status
import place_order
from orders.errors import StoreUnavailableError
from orders.status import NothingKnownError


class TopicStandIn:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.messages: list[Any] = []

    def publish(self, message: str) -> None:
        if self.error:
            raise self.error
        self.messages.append(json.loads(message))


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


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
