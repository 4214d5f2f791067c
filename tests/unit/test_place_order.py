"""`POST /orders`: from API Gateway's event to the published message and the response."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

import place_order
from orders.failures import StoreUnavailableError
from orders.tokens import verify
from stores.dynamodb.idempotency import KEY_LIFETIME, IdempotencyKeys
from tests import openapi
from tests.unit.idempotency_table import TABLE, Clock, create_table

TEA = '{"item": "Tea", "quantity": "2"}'
API_KEY = "k3y"


class Topic:
    """Topic that keeps what is published, or fails."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.messages: list[Any] = []

    def publish(self, message: str) -> None:
        if self.error:
            raise self.error
        self.messages.append(json.loads(message))

    @property
    def order_ids(self) -> list[str]:
        return [message["orderId"] for message in self.messages]


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    topic = Topic()
    monkeypatch.setattr(place_order, "topic", lambda: topic)
    return topic


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(moto_dynamodb: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> IdempotencyKeys:
    keys = IdempotencyKeys(TABLE, create_table(moto_dynamodb), clock)
    monkeypatch.setattr(place_order, "keys", lambda: keys)
    return keys


class TrackingKeys:
    """Keys that sign customers' tokens, or cannot be read."""

    def __init__(self) -> None:
        self.away = False

    def current(self) -> tuple[str, str]:
        if self.away:
            raise StoreUnavailableError("secret")
        return "1", "one"

    def get(self, name: str) -> str | None:
        return {"1": "one"}.get(name)


@pytest.fixture
def tracking_keys(monkeypatch: pytest.MonkeyPatch) -> TrackingKeys:
    keys = TrackingKeys()
    monkeypatch.setattr(place_order, "tracking_keys", lambda: keys)
    return keys


Post = Callable[..., tuple[int, Any]]


@pytest.fixture
def post(topic: Topic, table: IdempotencyKeys, tracking_keys: TrackingKeys) -> Post:
    """Place an order, and check the response against docs/openapi.yaml."""

    def post(body: str | None = TEA, *, encoded: bool = False, **headers: str) -> tuple[int, Any]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()} or None
        event = {"body": body, "headers": sent, "isBase64Encoded": encoded}
        response = place_order.handler(event, None)
        openapi.check("post", "/orders", response["statusCode"], response["headers"], response["body"])
        return response["statusCode"], json.loads(response["body"])

    return post


def test_an_order_is_published_under_the_id_in_the_response(post: Post, topic: Topic) -> None:
    status, body = post()
    assert status == 202
    assert topic.messages == [
        {"orderId": body["orderId"], "item": "Tea", "quantity": 2, "customer_name": "Guest"}
    ]


@pytest.mark.parametrize("origin", ["", "https://cafe.example"])
def test_a_customer_gets_a_link_to_this_order(
    post: Post, tracking_keys: TrackingKeys, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGE_ORIGIN", origin)
    responses = [post(Idempotency_Key="key")[1] for _ in range(2)]
    page, _, token = responses[0]["track_url"].partition("#")
    assert page == f"{origin}/track"
    assert verify(token, tracking_keys.get) == responses[0]["orderId"]
    assert responses[0] == responses[1]


def test_an_order_with_its_own_id_gets_no_link(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_API_KEY_SHA256", hashlib.sha256(API_KEY.encode()).hexdigest())
    own = '{"orderId": "O1", "item": "Tea", "quantity": 1}'
    assert "track_url" not in post(own, X_Api_Key=API_KEY)[1]
    assert "track_url" in post(X_Api_Key=API_KEY)[1]


def test_an_order_without_a_link_succeeds(post: Post, topic: Topic, tracking_keys: TrackingKeys) -> None:
    tracking_keys.away = True
    status, body = post()
    assert (status, len(topic.messages), "track_url" in body) == (202, 1, False)


def test_a_repeated_request_publishes_the_same_order(post: Post, topic: Topic) -> None:
    responses = [post(**{name: "key"}) for name in ("Idempotency_Key", "idempotency_key", "IDEMPOTENCY_KEY")]
    assert {status for status, _ in responses} == {202}
    assert set(topic.order_ids) == {body["orderId"] for _, body in responses}
    assert len(set(topic.order_ids)) == 1


def test_concurrent_requests_with_one_key_are_one_order(post: Post, topic: Topic) -> None:
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda _: post(Idempotency_Key="key"), range(8)))
    assert len({body["orderId"] for _, body in responses}) == 1
    assert len({json.dumps(message) for message in topic.messages}) == 1


def test_another_order_under_a_used_key_is_refused_and_not_published(post: Post, topic: Topic) -> None:
    post(Idempotency_Key="key")
    status, body = post('{"item": "Latte", "quantity": 2}', Idempotency_Key="key")
    assert (status, len(topic.messages)) == (422, 1)
    assert "new key" in body["message"]


def test_after_24_hours_a_key_is_a_new_order(post: Post, topic: Topic, clock: Clock) -> None:
    """A client that numbers its keys from 1 each day loses no order."""
    for body in (TEA, TEA, '{"item": "Latte", "quantity": 1}'):
        assert post(body, Idempotency_Key="1")[0] == 202
        clock.now += KEY_LIFETIME
    assert len(set(topic.order_ids)) == 3


def test_a_request_that_failed_before_it_was_published_keeps_its_order_id(
    post: Post, topic: Topic, moto_dynamodb: Any
) -> None:
    topic.error = StoreUnavailableError("SNS: away")
    assert post(Idempotency_Key="key")[0] == 503
    topic.error = None
    (claimed,) = moto_dynamodb.scan(TableName=TABLE)["Items"]
    assert post(Idempotency_Key="key")[0] == 202
    assert topic.order_ids == [claimed["orderId"]["S"]]


def test_while_the_keys_cannot_be_read_no_order_is_published(
    post: Post, topic: Topic, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Throttled:
        def put_item(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "secret"}}, "PutItem")

    monkeypatch.setattr(place_order, "keys", lambda: IdempotencyKeys(TABLE, Throttled()))
    status, body = post(Idempotency_Key="key")
    assert (status, topic.messages) == (503, [])
    assert "secret" not in body["message"]
    assert "ThrottlingException" in json.loads(capsys.readouterr().out)["reason"]
    assert post()[0] == 202  # without a key, the table is not read


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "a\tb"])
def test_a_malformed_key_is_a_bad_request(post: Post, topic: Topic, key: str) -> None:
    status, body = post(Idempotency_Key=key)
    assert (status, list(body["errors"]), topic.messages) == (400, ["Idempotency-Key"], [])


OWN_ID = '{"item": "Tea", "quantity": 2, "orderId": "O1"}'


@pytest.mark.parametrize("headers", [{}, {"x_api_key": API_KEY}, {"x_api_key": ""}])
def test_without_an_api_key_setting_no_order_may_set_its_id(
    post: Post, topic: Topic, headers: dict[str, str]
) -> None:
    status, body = post(OWN_ID, **headers)
    assert (status, list(body["errors"]), topic.messages) == (400, ["orderId"], [])


@pytest.mark.parametrize(("api_key", "status"), [(None, 400), ("guessed", 400), (API_KEY, 202)])
def test_only_with_the_api_key_may_an_order_set_its_id(
    post: Post, topic: Topic, monkeypatch: pytest.MonkeyPatch, api_key: str | None, status: int
) -> None:
    monkeypatch.setenv("ORDERS_API_KEY_SHA256", hashlib.sha256(API_KEY.encode()).hexdigest())
    headers = {} if api_key is None else {"X_Api_Key": api_key}
    assert post(OWN_ID, **headers)[0] == status
    assert topic.order_ids == ["O1"] * (status == 202)


def test_an_unavailable_topic_is_a_server_error_without_details(
    post: Post, topic: Topic, capsys: pytest.CaptureFixture[str]
) -> None:
    topic.error = StoreUnavailableError("SNS: arn:aws:sns:us-east-1:123456789012:OrderTopic")
    status, body = post()
    assert status == 503
    assert "arn:" not in body["message"]
    assert "arn:" in json.loads(capsys.readouterr().out)["reason"]


@pytest.mark.parametrize("body", [None, "", "caf\u00e9", base64.b64encode(b"\xff\xfe").decode()])
def test_a_body_that_is_not_text_is_a_bad_request(post: Post, body: str | None) -> None:
    assert post(body, encoded=True)[0] == 400


@pytest.mark.parametrize("body", ["[]", "{}", '{"item": "Tea", "quantity": 0}'])
def test_a_body_that_is_not_a_valid_order_is_a_bad_request(post: Post, body: str) -> None:
    assert post(body)[0] == 400


def test_a_body_that_is_too_large_is_refused_with_413(post: Post) -> None:
    assert post("x" * 4097)[0] == 413


@pytest.mark.parametrize(("api_key", "ids"), [(API_KEY, ["O1"]), ("guessed", [])])
def test_a_refused_order_is_logged_if_the_caller_may_choose_its_id(
    post: Post,
    api_key: str,
    ids: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ORDERS_API_KEY_SHA256", hashlib.sha256(API_KEY.encode()).hexdigest())
    own = '{"orderId": "O1", "item": "Tea", "quantity": 0, "customer_name": "Ann"}'
    assert post(own, X_Api_Key=api_key)[0] == 400
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["orderId"] for line in lines if line["message"] == "Order refused"] == ids
    assert "Ann" not in json.dumps(lines)
