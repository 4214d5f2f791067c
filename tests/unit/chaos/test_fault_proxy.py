"""The fault proxy passes calls on unchanged, or responds with DynamoDB's errors."""

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

from chaos.fault_proxy import (
    DROPPED,
    ERRORS,
    Call,
    FaultProxy,
    error,
    killing_callers,
    losing_responses,
    throttling,
)
from local import clients

PUTS = {"Orders": [{"PutRequest": {"Item": {"orderId": {"S": str(number)}}}} for number in range(3)]}


class Service:
    """A fake DynamoDB that records its requests."""

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
def proxy(service: Service) -> FaultProxy:
    return FaultProxy(f"http://127.0.0.1:{service.server.server_port}")


@pytest.fixture
def url(proxy: FaultProxy) -> Iterator[str]:
    with proxy.listening() as found:
        yield found


@pytest.fixture
def dynamodb(url: str) -> Any:
    return clients.session("us-east-1").client(
        "dynamodb", endpoint_url=url, config=Config(retries={"total_max_attempts": 1})
    )


@pytest.fixture
def numbers() -> random.Random:
    return random.Random(1)  # noqa: S311  # not for secrets


def test_a_call_without_a_fault_is_passed_on_as_signed(
    service: Service, proxy: FaultProxy, url: str, dynamodb: Any
) -> None:
    response = dynamodb.batch_write_item(RequestItems=PUTS)
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] == "R1"
    ((target, host, body),) = service.received
    assert target == "DynamoDB_20120810.BatchWriteItem"
    assert f"http://{host}" == url
    assert body["RequestItems"] == PUTS
    assert (proxy.refused, proxy.lost) == (0, 0)


@pytest.mark.parametrize("code", ERRORS)
def test_boto3_parses_an_injected_error_as_dynamodbs(
    service: Service, proxy: FaultProxy, dynamodb: Any, code: str
) -> None:
    with proxy.injecting(lambda _call, _done: error(code)), pytest.raises(ClientError) as caught:
        dynamodb.get_item(TableName="Orders", Key={"orderId": {"S": "1"}})
    assert caught.value.response["Error"]["Code"] == code
    assert service.received == []
    assert proxy.refused == 1


def test_a_write_whose_response_is_lost_is_done(
    service: Service, proxy: FaultProxy, dynamodb: Any, numbers: random.Random
) -> None:
    with proxy.injecting(losing_responses(numbers, 1.0)), pytest.raises(ConnectionClosedError):
        dynamodb.batch_write_item(RequestItems=PUTS)
    dynamodb.get_item(TableName="Orders", Key={"orderId": {"S": "1"}})
    assert len(service.received) == 2
    assert proxy.lost == 1


def test_throttling_passes_its_share_and_refuses_in_every_way(numbers: random.Random) -> None:
    inject = throttling(numbers, 0.8)
    call = Call(operation="BatchWriteItem", body={"RequestItems": PUTS}, caller_port=1)
    responses = [inject(call, False) for _ in range(500)]
    refusals = [each for each in responses if each is not None]
    assert 370 < len(refusals) < 430
    codes = {(each.body or {}).get("__type") for each in refusals}
    assert codes == {*ERRORS, None}
    assert {"UnprocessedItems": PUTS} in [each.body for each in refusals]


def test_throttling_refuses_single_statements_of_partiql_too(numbers: random.Random) -> None:
    inject = throttling(numbers, 1.0)
    call = Call(operation="BatchExecuteStatement", body={"Statements": [{}, {}]}, caller_port=1)
    responses = [inject(call, False) for _ in range(50)]
    refused = {"Error": {"Code": "ThrottlingError"}}
    assert {"Responses": [refused, refused]} in [each.body for each in responses if each]


@pytest.mark.parametrize("after", [False, True])
def test_callers_are_killed_only_before_or_after_their_orders_are_written_and_not_too_many(
    after: bool,
) -> None:
    inject = killing_callers(lambda port: port == 1, at_most=2, after=after)
    batch = {port: Call(operation="BatchWriteItem", body={}, caller_port=port) for port in (1, 2)}
    assert inject(batch[1], not after) is None
    assert inject(batch[2], after) is None  # not a worker
    assert inject(Call(operation="GetItem", body={}, caller_port=1), after) is None
    assert [inject(batch[1], after) for _ in range(3)] == [DROPPED, DROPPED, None]
