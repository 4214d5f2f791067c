"""A number keeps its exact value on all paths of an order, or is refused with the name of its field."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import order_processor
import place_order
from cli import replay
from cli.messages import Message
from orders import replay as database_replay
from orders.exact_json import NumberText, decode
from orders.ledger import Ledger
from orders.message import parse_batch, parse_record
from orders.order import Order
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.projection import Projection
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.mysql.reconciliation import ReconciliationDatabase
from tests.dynamodb import NAMES
from tests.json_numbers import JSON_NUMBERS
from tests.stores import BERLIN
from tests.unit.api import TrackingKeys

SENT = datetime(2026, 11, 22, 14, 5, 6, 789000, tzinfo=UTC)
PERIOD = (SENT - timedelta(hours=1), SENT + timedelta(hours=1))
FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def is_storable(text: str) -> bool:
    return not isinstance(decode(text), NumberText)


STORABLE = JSON_NUMBERS.filter(is_storable)
UNSTORABLE = JSON_NUMBERS.filter(lambda text: not is_storable(text)) | st.sampled_from(
    ["1e999999999", "-1e-999999999", "1e9999999999999999999", "9" * 3900, f"1e{'9' * 3900}"]
)
# More digits than Python parses as an integer, and than a request may have.
LONG = ["9" * 5000, f"1e{'9' * 5000}"]
# JSON with a number in a field `n`, by the path of the number.
PLACES = {
    "n": "{}",
    "n[1]": "[0, {}]",
    "n.deep[0].price": '{{"a": 1, "deep": [{{"price": {}}}]}}',
    "n[0][0][2]": "[[[1, 2, {}]]]",
}


class Topic:
    """A topic that keeps its messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def publish(self, message: str) -> None:
        self.messages.append(message)


class Pipeline:
    """The functions that an order passes, and both stores."""

    def __init__(self, mysql: MySql, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.topic = Topic()
        self.dynamodb = dynamodb
        self.rows = ReconciliationDatabase(mysql, BERLIN)
        projection = Projection(DynamoDb(client=dynamodb), NAMES, BERLIN)
        self.ledger = Ledger(OrdersDatabase(mysql, BERLIN), projection, BERLIN)
        monkeypatch.setattr(place_order, "topic", lambda: self.topic)
        monkeypatch.setattr(place_order, "tracking_keys", TrackingKeys)
        monkeypatch.setattr(order_processor, "ledger", lambda: self.ledger)
        self._numbers = itertools.count(1)

    def place(self, fields: str) -> tuple[int, Any]:
        """Place an order with further fields; return the response's status and body."""
        response = place_order.handler({"body": f'{{"item": "Tea", "quantity": 1, {fields}}}'}, None)
        return response["statusCode"], json.loads(response["body"])

    def notification(self) -> dict[str, Any]:
        """Return the last published message as SNS delivers it to the queue."""
        body = {
            "Type": "Notification",
            "MessageId": f"n-{next(self._numbers)}",
            "Timestamp": "2026-11-22T14:05:06.789Z",
            "Message": self.topic.messages.pop(),
        }
        return record(json.dumps(body))

    def replayed(self, order_id: str) -> dict[str, str]:
        """Replay the period from both sources; return the order's message from each."""
        start, end = (moment.isoformat() for moment in PERIOD)
        page: list[Any] = database_replay.replay(self.rows, {"from": start, "to": end})["orders"]
        (row,) = [order for order in map(decode, page) if order["orderId"] == order_id]  # type: ignore[index]
        pages = replay.from_dynamodb(self.dynamodb, NAMES.orders, *PERIOD)
        (item,) = [order for page in pages for order in page if order["orderId"] == order_id]
        return {"rds": replay.in_envelope(row), "dynamodb": replay.in_envelope(item)}  # type: ignore[arg-type]


def record(body: str) -> dict[str, Any]:
    sent = str(int(SENT.timestamp() * 1000))
    return {"messageId": "m-1", "body": body, "attributes": {"SentTimestamp": sent}}


@pytest.fixture
def pipeline(mysql: MySql, moto_dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    return Pipeline(mysql, moto_dynamodb, monkeypatch)


def values(order_fields: Any) -> list[Fraction]:
    """Return the exact values of the numbers in `n`."""
    return [Fraction(number) for number in order_fields["n"]["list"]]


@FEW
@given(st.lists(STORABLE, min_size=1, max_size=20))
@example(["0.1234567890123456712345678901", "3.4028235e38", "1e40", "1.10", "-0", "0e9999999999"])
@example(["9" * 38 + "e88", "1e-130", "9" * 38 + "e-167", "1" + "0" * 125, "0.1", "1e125"])
def test_a_number_that_dynamodb_can_hold_stays_exact(pipeline: Pipeline, numbers: list[str]) -> None:
    sent = [Fraction(0 if "e9999" in number else number) for number in numbers]

    status, body = pipeline.place(f'"n": {{"list": [{", ".join(numbers)}]}}')
    assert status == 202
    order_id = body["orderId"]
    notification = pipeline.notification()
    assert order_processor.handler({"Records": [notification]}, None) == {"batchItemFailures": []}

    # Both stores.
    found = [row.order for row in pipeline.rows.period(*PERIOD, 0, 500)]
    (order,) = [order for order in found if isinstance(order, Order) and order.order_id == order_id]
    assert values(order.attributes) == sent
    key = {"TableName": NAMES.orders, "Key": {"orderId": {"S": order_id}}}
    item = pipeline.dynamodb.get_item(**key)["Item"]
    in_dynamodb = [number["N"] for number in item["n"]["M"]["list"]["L"]]
    assert [Fraction(number) for number in in_dynamodb] == sent
    assert all(len(Decimal(number).as_tuple().digits) <= 38 for number in in_dynamodb)

    # The same message as a dead letter, edited and unedited; and a replay from both sources.
    letter = Message(message_id="m-1", body=notification["body"], sent_at=int(SENT.timestamp() * 1000))
    bare = Message(message_id="m-2", body=letter.text, sent_at=letter.sent_at)
    again = {
        "edited": letter.corrected(letter.editable()).body,
        "redriven": letter.resendable(),
        "bare, redriven": bare.resendable(),
        **pipeline.replayed(order_id),
    }
    for how, body in again.items():
        order = parse_record(record(body))
        assert (order.order_id, values(order.attributes)) == (order_id, sent), how
    pipeline.dynamodb.delete_item(**key)  # A replay reads all items.


@given(UNSTORABLE, st.sampled_from(list(PLACES)))
def test_any_other_number_is_refused_with_the_name_of_its_field(number: str, path: str) -> None:
    fields = f'"item": "Tea", "quantity": 1, "n": {PLACES[path].format(number)}'
    sentence = f"{path} must be a number of at most 38 significant digits, from 1E-130 to 9.99E+125, or 0."

    response = place_order.handler({"body": f"{{{fields}}}"}, None)

    assert response["statusCode"] == 400
    assert json.loads(response["body"]) == {"message": sentence, "errors": {"n": sentence}}
    received, (rejected,) = parse_batch([record(f"{{{fields}}}")])
    assert (received, rejected.reason) == ([], sentence)


@pytest.mark.parametrize("number", LONG, ids=["digits", "exponent"])
def test_a_number_longer_than_any_request_is_refused_with_the_name_of_its_field(number: str) -> None:
    received, (rejected,) = parse_batch([record(f'{{"item": "Tea", "quantity": 1, "n": {number}}}')])
    assert received == []
    assert rejected.reason.startswith("n must be a number of at most 38 significant digits")
