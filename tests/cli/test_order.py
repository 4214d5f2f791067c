"""`cafe order`: its requests, its output, and retries that are never a second order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from tenacity import wait_none

from cli import http
from cli.stopping import stopping
from cli.traffic.client import ATTEMPTS, BusyError, Order, OrderClient, RefusedError
from cli.traffic.send import CONNECTIONS, place_many
from tests.cli.conftest import Cafe
from tests.cli.stand_in import FakeApi, Reply
from tests.waiting import eventually

LATTE = Order(item="Latte")


class NewClient(Protocol):
    """Makes a client that does not wait between attempts."""

    def __call__(self, url: str, *, timeout: float = 60) -> OrderClient: ...


@pytest.fixture
def new_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[NewClient]:
    """A function that makes clients, whose connections are closed at the end."""
    monkeypatch.setattr("cli.traffic.client.BACK_OFF", wait_none())
    with http.client(None, CONNECTIONS) as connections:

        def make(url: str, *, timeout: float = 60) -> OrderClient:
            return OrderClient(connections, url, timeout=timeout)

        yield make


@pytest.fixture
def client(api: FakeApi, new_client: NewClient) -> OrderClient:
    """A client of the fake API."""
    return new_client(api.outputs()["orders_url"])


def test_an_order_is_sent_and_its_id_printed(cafe: Cafe, api: FakeApi) -> None:
    result = cafe("order", "Flat White", "--quantity", "2", "--customer", "Ada")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "Order accepted: order-1\n", "")
    assert api.orders[0].body == {"item": "Flat White", "quantity": 2, "customer_name": "Ada"}
    assert api.orders[0].path == "/prod/orders"
    assert len(api.orders[0].headers["Idempotency-Key"]) == 36


def test_the_api_names_a_customer_without_a_name(cafe: Cafe, api: FakeApi) -> None:
    cafe("order", "Latte")

    assert api.orders[0].body == {"item": "Latte", "quantity": 1}


def test_many_orders_each_have_their_own_key_on_few_connections(cafe: Cafe, api: FakeApi) -> None:
    result = cafe("order", "Latte", "--count", "40")

    assert result.exit_code == 0
    assert result.stdout.startswith("40 of 40 orders accepted in ")
    assert "per second" in result.stdout
    assert len(api.order_ids) == len(api.orders) == 40
    assert len({request.connection for request in api.orders}) <= CONNECTIONS


def test_json_is_one_document_with_all_ids(cafe: Cafe, api: FakeApi) -> None:
    result = cafe("order", "Latte", "--count", "5", "--json")

    document = json.loads(result.stdout)
    assert (document["requested"], document["accepted"], document["interrupted"]) == (5, 5, False)
    assert set(document["order_ids"]) == api.order_ids
    assert result.stderr == ""


@pytest.mark.parametrize("busy", [Reply(status=429), Reply(status=500), Reply(status=503), Reply(status=0)])
def test_a_retry_has_the_same_key_and_is_not_a_second_order(
    api: FakeApi, client: OrderClient, busy: Reply
) -> None:
    api.replies = [busy, busy]

    order_id = client.place(LATTE.json())

    assert len(api.orders) == 3
    assert len({request.headers["Idempotency-Key"] for request in api.orders}) == 1
    assert api.order_ids == {order_id}


def test_short_failures_of_the_api_are_retried(cafe: Cafe, api: FakeApi) -> None:
    api.replies = [Reply(status=503)]

    assert cafe("order", "Latte").stdout == "Order accepted: order-1\n"


def test_retries_of_a_failing_api_end(api: FakeApi, client: OrderClient) -> None:
    api.replies = [Reply(status=503, body={"message": "Later, please"})] * (ATTEMPTS + 1)

    with pytest.raises(BusyError, match=r"/prod/orders returned 503 Service Unavailable: Later, please\.$"):
        client.place(LATTE.json())

    assert len(api.orders) == ATTEMPTS


def test_throttling_is_retried_without_a_limit(client: OrderClient, api: FakeApi) -> None:
    api.replies = [Reply(status=429)] * (3 * ATTEMPTS)

    assert client.place(LATTE.json()) == "order-1"


def test_there_is_no_retry_after_the_timeout(api: FakeApi, new_client: NewClient) -> None:
    api.replies = [Reply(status=503)] * 3

    with pytest.raises(BusyError):
        new_client(api.outputs()["orders_url"], timeout=0).place(LATTE.json())

    assert len(api.orders) == 1


def test_an_unreachable_api_is_named(new_client: NewClient) -> None:
    gone = new_client("http://127.0.0.1:9/prod/orders")

    with pytest.raises(BusyError, match=r"^http://127\.0\.0\.1:9/prod/orders is not reachable: no"):
        gone.place(LATTE.json())


def test_a_refusal_shows_the_sentence_of_each_field(cafe: Cafe, api: FakeApi) -> None:
    errors = {"item": "item must not be empty.", "quantity": "Must be from 1 to 1000."}
    api.replies = [Reply(status=400, body={"message": "The order is not valid.", "errors": errors})] * 2

    result = cafe("order", "", "--quantity", "0")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "item must not be empty.",
        "quantity: Must be from 1 to 1000.",
    ]
    assert json.loads(cafe("order", "", "--json").stdout)["errors"] == errors


def test_a_refusal_ends_a_run_of_many_at_once(cafe: Cafe, api: FakeApi) -> None:
    api.replies = [Reply(status=202, body={"orderId": "order-x"})] + [Reply(status=400)] * 1000

    result = cafe("order", "Latte", "--count", "900")

    assert result.exit_code == 1
    assert result.stdout.startswith("1 of 900 orders accepted")
    assert "400 Bad Request" in result.stderr
    assert len(api.orders) <= 1 + 2 * CONNECTIONS


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(status=403, body={"message": "Missing Authentication Token"}), "403 Forbidden: Missing Auth"),
        (Reply(status=413, body="<html>"), "413"),
        (Reply(status=400, body={"message": "No", "errors": ["?"]}), "400 Bad Request: No"),
        (Reply(status=404, body=[]), "404 Not Found."),
    ],
)
def test_any_other_refusal_shows_the_apis_message(
    cafe: Cafe, api: FakeApi, reply: Reply, sentence: str
) -> None:
    api.replies = [reply]

    result = cafe("order", "Latte")

    assert result.exit_code == 1
    assert sentence in result.stderr
    assert len(api.orders) == 1


@pytest.mark.parametrize("body", [{"message": "Order accepted"}, "accepted", []])
def test_a_response_without_an_order_id_is_an_error(cafe: Cafe, api: FakeApi, body: object) -> None:
    api.replies = [Reply(status=202, body=body)]

    result = cafe("order", "Latte")

    assert result.exit_code == 1
    assert "without an order id" in result.stderr


def test_control_characters_in_the_apis_message_are_escaped(cafe: Cafe, api: FakeApi) -> None:
    api.replies = [
        Reply(status=400, body={"message": "[red]\x1b[2J", "errors": {"item": "[bold]\u202e\x9b\ud800"}}),
        Reply(status=202, body={"orderId": "[blink]\x1b]0;owned\x07"}),
    ]

    refused, accepted = cafe("order", "Latte"), cafe("order", "Latte")

    assert refused.stderr == "item: [bold]\\u202e\\x9b\\ud800\n"
    assert accepted.stdout == "Order accepted: [blink]\\x1b]0;owned\\x07\n"


@pytest.mark.parametrize("words", [["--count", "0"], ["--quantity", "many"], ["--colour", "red"]])
def test_a_wrong_option_is_wrong_usage(cafe: Cafe, words: list[str]) -> None:
    result = cafe("order", "Latte", *words)

    assert result.exit_code == 2
    assert words[0] in result.stderr


def test_ctrl_c_keeps_what_was_accepted(api: FakeApi, client: OrderClient) -> None:
    enough = threading.Event()

    def accepted() -> None:
        if len(api.order_ids) >= 5 and not enough.is_set():
            enough.set()
            os.kill(os.getpid(), signal.SIGINT)

    with stopping() as stop:
        placed = place_many(client, LATTE, 100_000, stop, accepted)

    assert placed.interrupted
    assert 5 <= placed.accepted < 100_000
    assert set(placed.order_ids) == api.order_ids


def test_any_exception_stops_the_workers_and_is_raised(api: FakeApi, client: OrderClient) -> None:
    class FailedError(Exception):
        pass

    def fail(*_: object) -> None:
        raise FailedError

    def accepted() -> None:
        if len(api.order_ids) >= 5 and not enough.is_set():
            enough.set()
            os.kill(os.getpid(), signal.SIGUSR1)

    enough = threading.Event()
    before = signal.signal(signal.SIGUSR1, fail)
    try:
        with pytest.raises(FailedError):
            place_many(client, LATTE, 100_000, threading.Event(), accepted)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert len(api.order_ids) < 10_000


def test_the_installed_command_ends_with_130_and_a_sentence_on_ctrl_c(
    api: FakeApi, local_stack: Path
) -> None:
    program = Path(sys.executable).with_name("cafe")
    words = [str(program), "order", "Latte", "--count", "100000", "--directory", str(local_stack)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        eventually(lambda: len(api.order_ids) >= 5)
        os.kill(running.pid, signal.SIGINT)
        output, error = running.communicate()

    assert running.returncode == 130
    assert f"{len(api.order_ids):,} of 100,000 orders accepted" in output
    assert error == f"Stopped: {len(api.order_ids):,} of 100,000 orders were accepted, no more were sent.\n"


def test_a_refusal_is_reported_before_errors_that_follow_from_it(api: FakeApi, client: OrderClient) -> None:
    api.replies = [Reply(status=400, body={"message": "Wrong"})] + [Reply(status=503)] * 100

    placed = place_many(client, LATTE, 50, threading.Event())

    assert isinstance(placed.problem, RefusedError)
    assert placed.accepted == 0
