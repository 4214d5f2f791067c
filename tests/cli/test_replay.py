"""`cafe replay`: which orders are sent again, where to, and with which ids and times."""

from __future__ import annotations

import json
import signal
import threading
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import queues
from cli.main import app
from cli.queues import Sent
from cli.replay import UnsendableError
from cli.replay import replay as replay_orders
from orders.message import unwrap
from tests.cli.conftest import Cafe
from tests.cli.stand_in import FakeAws, FakeFunctions


def order(number: int) -> dict[str, object]:
    return {
        "orderId": f"O-{number}",
        "item": "Latte",
        "quantity": 1,
        "customer_name": "Zoë",
        "table_number": 4,
        "created_at": f"2026-11-22T14:00:00.{number:03}Z",
    }


@pytest.fixture
def recorded(functions: FakeFunctions) -> FakeFunctions:
    """A database with 25 orders, read in pages of ten."""

    def read(event: dict[str, Any]) -> dict[str, object]:
        after = event.get("after") or 0
        page = [order(number) for number in range(after, min(25, after + 10))]
        return {"orders": page, "next": after + 10 if after + 10 < 25 else None}

    functions.usual = read
    return functions


def replay(cafe: Cafe, *words: str) -> Any:
    return cafe("replay", "--from", "2026-11-22T00:00Z", "--to", "2026-11-23T00:00Z", *words)


def test_a_period_is_sent_again_under_its_ids_and_times(
    dev_cafe: Cafe, recorded: FakeFunctions, dev: FakeAws
) -> None:
    result = replay(dev_cafe, "--yes")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("25 of 25 orders of 2026-11-2")
    assert recorded.events[0] == {
        "command": "read",
        "from": "2026-11-22T00:00:00.000Z",
        "to": "2026-11-23T00:00:00.000Z",
        "limit": 500,
    }
    bodies = {body["MessageId"]: body for body in map(json.loads, dev.bodies(dev.queue_url))}
    assert bodies.keys() == {f"O-{number}" for number in range(25)}
    assert bodies["O-7"]["Timestamp"] == "2026-11-22T14:00:00.007Z"
    expected = order(7)
    del expected["created_at"]
    assert json.loads(bodies["O-7"]["Message"]) == expected


def test_orders_that_only_dynamodb_has_are_sent_under_their_ids_and_times(
    dev_cafe: Cafe, functions: FakeFunctions, dev: FakeAws
) -> None:
    def put(number: int, created_at: dict[str, Any]) -> None:
        item: dict[str, Any] = {
            "orderId": {"S": f"O-{number}"},
            "item": {"S": "Latte"},
            "quantity": {"N": "2"},
        }
        item |= {"price": {"N": "2.5"}, "notes": {"L": [{"N": "1"}]}}
        # States are not part of a message.
        item |= {"order_state": {"S": "ready"}, "state_version": {"N": "7"}, "pickup_number": {"S": "A01"}}
        dev.dynamodb.put_item(TableName="Orders-dev", Item=item | created_at)

    put(1, {"created_at": {"S": "2026-11-22T23:59:59.999+00:00"}})
    put(2, {"created_at": {"S": "2026-11-23T00:00:00.000+00:00"}})  # not in the period
    put(3, {})  # of an older system

    result = replay(dev_cafe, "--source", "dynamodb", "--yes")

    assert result.exit_code == 0, result.output
    assert functions.events == []
    (body,) = map(json.loads, dev.bodies(dev.queue_url))
    assert (body["MessageId"], body["Timestamp"]) == ("O-1", "2026-11-22T23:59:59.999Z")
    expected = {"orderId": "O-1", "item": "Latte", "quantity": 2, "price": 2.5, "notes": [1]}
    assert json.loads(body["Message"]) == expected


NINES = "9" * 38


@pytest.mark.parametrize(
    "number", ["3.4028235e38", "1" + "0" * 125, f"{NINES}E+88", f"{NINES}E-167", "1.10", "0"]
)
def test_every_number_of_dynamodb_is_sent_exactly(dev_cafe: Cafe, dev: FakeAws, number: str) -> None:
    put(dev, "O-1", n={"L": [{"N": number}, {"NS": [number]}]})

    result = replay(dev_cafe, "--source", "dynamodb", "--yes")

    assert result.exit_code == 0, result.output
    (body,) = map(json.loads, dev.bodies(dev.queue_url))
    assert json.loads(body["Message"], parse_int=Decimal, parse_float=Decimal)["n"] == [
        Decimal(number),
        [Decimal(number)],
    ]


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ({"photo": {"M": {"a": {"B": b"1"}}}}, "photo is binary data, which no order can have."),
        (
            {"created_at": {"S": "2026-11-22Tnoon"}},
            "created_at is '2026-11-22Tnoon', which is not a time.",
        ),
    ],
)
def test_one_invalid_order_does_not_block_a_period(
    dev_cafe: Cafe, dev: FakeAws, field: dict[str, Any], sentence: str
) -> None:
    for order_id in ("O-1", "O-3"):
        put(dev, order_id)
    put(dev, "O-2", **field)

    result = replay(dev_cafe, "--source", "dynamodb", "--yes")

    assert result.exit_code == 1
    assert "2 of 3 orders of" in result.stdout
    assert f"1 was not sent; O-2: {sentence}" in result.stderr
    assert {json.loads(body)["MessageId"] for body in dev.bodies(dev.queue_url)} == {"O-1", "O-3"}


def put(aws: FakeAws, order_id: str, **fields: Any) -> None:
    """Put an order into the table `Orders`."""
    item = {
        "item": {"S": "Latte"},
        "quantity": {"N": "2"},
        "created_at": {"S": "2026-11-22T12:00:00.000+00:00"},
    }
    aws.dynamodb.put_item(TableName="Orders-dev", Item={"orderId": {"S": order_id}, **item, **fields})


def test_orders_that_cannot_be_sent_count_in_the_progress() -> None:
    def body(order: dict[str, Any]) -> str:
        if order["orderId"] != "O-2":
            raise UnsendableError("It cannot be sent.")
        return "{}"

    pages = [[{"orderId": f"O-{number}"} for number in range(1, 5)]]
    counted: list[int] = []
    delivered = replay_orders(
        pages,
        body,
        lambda messages: [Sent(message_id="m") for _ in messages],
        stop=threading.Event(),
        advance=counted.append,
    )

    assert (delivered.sent, set(delivered.failures)) == (1, {"O-1", "O-3", "O-4"})
    assert sum(counted) == 4


def test_decimals_from_the_database_are_sent_as_they_are(
    dev_cafe: Cafe, functions: FakeFunctions, dev: FakeAws
) -> None:
    exact = f'{{"orderId": "O-1", "n": 0.1{NINES}, "created_at": "2026-11-22T12:00:00.000Z"}}'
    functions.usual = lambda _event: {"orders": [exact], "next": None}

    assert replay(dev_cafe, "--yes").exit_code == 0

    (body,) = map(json.loads, dev.bodies(dev.queue_url))
    assert body["Message"] == f'{{"n": 0.1{NINES}, "orderId": "O-1"}}'


def test_an_invalid_row_is_reported_and_the_others_are_sent(
    dev_cafe: Cafe, functions: FakeFunctions, dev: FakeAws
) -> None:
    order = {"orderId": "O-1", "item": "Tea", "quantity": 1, "created_at": "2026-11-22T12:00:00.000Z"}
    bad = {"7": "its attributes are not JSON"}
    functions.usual = lambda _event: {"orders": [order], "bad_rows": bad, "next": None}

    result = replay(dev_cafe, "--yes")

    assert result.exit_code == 1
    assert len(dev.bodies(dev.queue_url)) == 1
    assert "1 was not sent; row 7: its attributes are not JSON" in result.stderr


def test_orders_dated_in_the_future_are_reported_before_they_are_sent(
    dev_cafe: Cafe, functions: FakeFunctions
) -> None:
    order = {"orderId": "O-1", "item": "Tea", "quantity": 1, "created_at": "2036-01-01T00:00:00.000Z"}
    functions.usual = lambda _event: {"orders": [order], "next": None}

    result = dev_cafe("replay", "--from", "2026-11-22", "--to", "2037-01-01", "--yes", "--json")

    assert (
        "1 order is dated in the future: a row that does not exist yet gets the time of this" in result.stderr
    )
    assert json.loads(result.stdout)["dated_in_the_future"] == 1


def test_the_confirmation_has_the_number_and_without_it_nothing_is_sent(
    dev_cafe: Cafe, recorded: FakeFunctions, dev: FakeAws
) -> None:
    result = CliRunner().invoke(app, ["replay", "--from", "2026-11-22", "--stack", "dev"], input="n\n")

    assert result.exit_code == 1
    assert "Send 25 orders of 2026-11-22 00:00:00 to " in result.stderr
    assert dev.bodies(dev.queue_url) == []


def test_orders_can_be_sent_to_another_queue_only(
    dev_cafe: Cafe, recorded: FakeFunctions, dev: FakeAws
) -> None:
    assert replay(dev_cafe, "--yes", "--send-to", dev.undelivered_url).exit_code == 0

    assert (len(dev.bodies(dev.undelivered_url)), dev.bodies(dev.queue_url)) == (25, [])


def test_orders_can_be_sent_to_all_subscribers(dev_cafe: Cafe, recorded: FakeFunctions, dev: FakeAws) -> None:
    topic = dev.sns.create_topic(Name="OrderTopic-dev")["TopicArn"]
    arn = dev.sqs.get_queue_attributes(QueueUrl=dev.queue_url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    dev.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    assert replay(dev_cafe, "--yes", "--send-to", "topic").exit_code == 0

    bodies = dev.bodies(dev.queue_url)
    messages = [json.loads(json.loads(body)["Message"]) for body in bodies]
    assert {message["orderId"] for message in messages} == {f"O-{number}" for number in range(25)}
    # The worker does not measure how long it takes to record them.
    envelopes = [unwrap(body)[0] for body in bodies]
    assert all(envelope is not None and envelope.sent_again for envelope in envelopes)


def test_ctrl_c_reports_how_many_were_sent(
    dev_cafe: Cafe, recorded: FakeFunctions, dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = queues.send

    def send_and_interrupt(*words: Any) -> list[queues.Sent]:
        signal.raise_signal(signal.SIGINT)
        return send(*words)

    monkeypatch.setattr(queues, "send", send_and_interrupt)
    result = replay(dev_cafe, "--yes")

    assert result.exit_code == 130
    assert "Stopped: 10 of 25 orders were sent again" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--from", "yesterday"),
        ("--from", "2026-11-22", "--to", "2026-11-21"),
        ("--from", "2026-11-22", "--send-to", "elsewhere"),
    ],
)
def test_an_invalid_period_or_destination_is_wrong_usage(dev_cafe: Cafe, words: tuple[str, ...]) -> None:
    assert dev_cafe("replay", *words).exit_code == 2
