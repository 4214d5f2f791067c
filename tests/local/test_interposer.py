"""The stand-in for DynamoDB passes calls on as they are, and says no in DynamoDB's own words."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from local import clients
from local.interposer import Answer, Call, Interposer, LosingAnswers, Meddler, Throttling, error

PUTS = {"Orders": [{"PutRequest": {"Item": {"orderId": {"S": str(number)}}}} for number in range(3)]}


class Service:
    """DynamoDB, as far as a stand-in can tell: it notes what it is sent."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str, Any]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.received.append(
                    (self.headers["X-Amz-Target"], self.headers["Host"], json.loads(body))
                )
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("x-amzn-RequestId", "R1")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.server.shutdown()
    running.server.server_close()
    running.thread.join()


@pytest.fixture
def interposer(service: Service) -> Iterator[Interposer]:
    running = Interposer(f"http://127.0.0.1:{service.server.server_port}")
    yield running
    running.close()


@pytest.fixture
def dynamodb(interposer: Interposer) -> Any:
    return clients.session("us-east-1").client(
        "dynamodb", endpoint_url=interposer.url, config=Config(retries={"total_max_attempts": 1})
    )


@pytest.fixture
def numbers() -> random.Random:
    return random.Random(1)  # noqa: S311  # not for secrets


class Refusing(Meddler):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def before(self, call: Call) -> Answer | None:
        return self.answer


def test_what_is_not_meddled_with_arrives_as_it_was_signed(
    service: Service, interposer: Interposer, dynamodb: Any
) -> None:
    answer = dynamodb.batch_write_item(RequestItems=PUTS)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] == "R1"
    ((target, host, body),) = service.received
    assert target == "DynamoDB_20120810.BatchWriteItem"
    assert f"http://{host}" == interposer.url
    assert body["RequestItems"] == PUTS
    assert (interposer.refused, interposer.lost) == (0, 0)


@pytest.mark.parametrize("code", Throttling.ERRORS)
def test_an_error_is_what_boto3_takes_for_dynamodbs(
    service: Service, interposer: Interposer, dynamodb: Any, code: str
) -> None:
    interposer.meddler = Refusing(error(code))
    with pytest.raises(ClientError) as caught:
        dynamodb.get_item(TableName="Orders", Key={"orderId": {"S": "1"}})
    assert caught.value.response["Error"]["Code"] == code
    assert service.received == []
    assert interposer.refused == 1


def test_a_lost_answer_is_a_write_that_was_done(
    service: Service, interposer: Interposer, dynamodb: Any, numbers: random.Random
) -> None:
    interposer.meddler = LosingAnswers(numbers, 1.0)
    with pytest.raises(ConnectionClosedError):
        dynamodb.batch_write_item(RequestItems=PUTS)
    dynamodb.get_item(TableName="Orders", Key={"orderId": {"S": "1"}})
    assert len(service.received) == 2
    assert interposer.lost == 1


def test_throttling_leaves_its_share_and_says_no_in_every_way(numbers: random.Random) -> None:
    throttling = Throttling(numbers, 0.8)
    call = Call(operation="BatchWriteItem", body={"RequestItems": PUTS}, caller_port=1)
    answers = [throttling.before(call) for _ in range(500)]
    refusals = [answer for answer in answers if answer is not None]
    assert 370 < len(refusals) < 430
    said = {answer.body.get("__type") for answer in refusals}
    assert said == {*Throttling.ERRORS, None}
    assert {"UnprocessedItems": PUTS} in [answer.body for answer in refusals]


def test_throttling_refuses_single_statements_of_partiql_too(numbers: random.Random) -> None:
    throttling = Throttling(numbers, 1.0)
    call = Call(operation="BatchExecuteStatement", body={"Statements": [{}, {}]}, caller_port=1)
    answers = [throttling.before(call) for _ in range(50)]
    refused = {"Error": {"Code": "ThrottlingError"}}
    assert {"Responses": [refused, refused]} in [answer.body for answer in answers if answer]
