"""`cafe trace`: an order that is complete, or stopped at each hop, or whose sources cannot be read."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.trace import sources
from tests.cli.conftest import Cafe
from tests.cli.dead_letters import BAD, OWN_ID
from tests.cli.kitchen import Staff, order
from tests.cli.stand_in import LOG_GROUPS, FakeAws, FakeFunctions

FAILED = "Order not processed"
PROCESSED = "Order processed successfully"


class Scene:
    """A stack in which an order O-7 gets as far as a test lets it."""

    def __init__(self, dev: FakeAws, functions: FakeFunctions, cafe: Cafe) -> None:
        self.dev, self.functions, self.cafe = dev, functions, cafe
        self.staff = Staff(functions)
        self.staff.orders = []

    def accepted(self, **line: Any) -> None:
        """Log the response of the API."""
        self.dev.log(
            {"level": "INFO", "message": "Order accepted", "orderId": "O-7"} | line, 30, "PlaceOrder"
        )

    def received(self, message: str = PROCESSED, ago: float = 20, **line: Any) -> None:
        """Log a receive of the worker."""
        about = {"level": "INFO", "message": message, "orderId": "O-7", "messageId": "m-1"}
        self.dev.log(about | line, ago)

    def recorded(self, version: int = 1) -> None:
        """Put the order into MySQL."""
        now = datetime.now(UTC).isoformat()
        row = order("K07", order_id="O-7", version=version, created_at=now, state_at=now)
        self.staff.orders.append(row | {"item": "Tea", "quantity": 1, "customer_name": "Guest"})

    def projected(self, version: int = 1, item: str = "Tea") -> None:
        """Put the order into DynamoDB."""
        values = {"orderId": "O-7", "item": item, "customer_name": "Guest", "order_state": "received"}
        typed: Any = {name: {"S": value} for name, value in values.items()}
        numbers = {"quantity": {"N": "1"}, "state_version": {"N": str(version)}}
        self.dev.dynamodb.put_item(TableName="Orders-dev", Item=typed | numbers)

    def trace(self, *words: str) -> dict[str, Any]:
        """Return the document of `cafe trace`; its exit code is 0 only for an order that is shown."""
        result = self.cafe("trace", *(words or ("O-7",)), "--json")
        found: dict[str, Any] = json.loads(result.stdout)
        assert result.exit_code == (0 if found["outcome"] == "shown" else 1), result.output
        return found

    def path(self) -> tuple[str, dict[str, str]]:
        """Return where the order is, and whether it reached each hop."""
        found = self.trace()
        return found["outcome"], {hop["name"]: hop["reached"] for hop in found["hops"]}


@pytest.fixture
def scene(dev: FakeAws, functions: FakeFunctions, dev_cafe: Cafe) -> Scene:
    return Scene(dev, functions, dev_cafe)


def hops(reached: str) -> dict[str, str]:
    names = ("accepted", "published", "received", "recorded", "shown")
    return dict(zip(names, reached.split(), strict=True))


def test_a_complete_order_has_reached_every_hop(scene: Scene) -> None:
    scene.accepted()
    scene.received()
    scene.recorded()
    scene.projected()

    result = scene.cafe("trace", "K07")

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line[:12].split() for line in lines[:5]] == [["✓", name] for name in hops("- - - - -")]
    assert lines[3].endswith("in MySQL, as K07")
    assert lines[4].endswith("in DynamoDB, received, version 1")
    assert "Order accepted  orderId=O-7" in lines[5]
    assert lines[-1] == "O-7: It is recorded and shown: K07 is received."
    assert scene.path() == ("shown", hops("yes yes yes yes yes"))


def test_an_order_that_is_recorded_while_its_log_is_read_is_not_lost(scene: Scene) -> None:
    scene.received()
    missing = scene.staff.respond(
        {"httpMethod": "GET", "resource": "/orders", "pathParameters": {"id": "O-7"}}
    )
    scene.recorded()
    scene.projected()
    scene.functions.responses = [missing]
    assert scene.path()[0] == "shown"


def test_an_order_of_another_publisher_left_no_line_at_the_api(scene: Scene) -> None:
    scene.recorded()
    scene.projected()
    assert scene.path() == ("shown", hops("unseen yes unseen yes yes"))


def test_receives_are_counted_by_message_with_those_that_crashed(scene: Scene) -> None:
    scene.received(receive=3)
    scene.received(messageId="of a replay")
    scene.dev.log(
        {"message": "Order recorded from the dead-letter queue", "orderId": "O-7"}, 5, "ReconcileOrders"
    )
    scene.recorded()
    scene.projected()

    received = scene.trace()["hops"][2]

    assert received["detail"] == "4 times, in 2 messages, 1 time from OrderDLQ by ReconcileOrders"


@pytest.mark.parametrize("message", ["Order refused", "Order not published"])
def test_an_order_that_the_api_did_not_accept(scene: Scene, message: str) -> None:
    scene.accepted(level="ERROR", message=message, reason="SNS: AccessDenied")
    assert scene.path() == ("refused", hops("no no no no no"))
    assert "SNS: AccessDenied. The client has to send it again." in scene.trace()["sentence"]


def test_an_order_that_sns_could_not_deliver(scene: Scene) -> None:
    scene.accepted()
    scene.dev.put(OWN_ID, scene.dev.undelivered_url)
    assert scene.path() == ("undelivered", hops("yes yes no no no"))
    assert "cafe dlq redrive --queue subscription" in scene.trace()["sentence"]


def test_an_order_that_waits_in_the_queue_of_a_paused_worker(scene: Scene) -> None:
    scene.accepted()
    scene.dev.put(OWN_ID, scene.dev.queue_url)
    scene.functions.state = "Disabled"
    assert scene.path() == ("waiting", hops("yes yes no no no"))
    assert scene.trace()["sentence"].endswith("The worker is paused: `cafe worker resume`.")
    assert scene.dev.bodies(scene.dev.queue_url) == [OWN_ID]  # none of its receives was used up


def test_an_order_that_the_worker_cannot_record_now(scene: Scene) -> None:
    scene.accepted()
    for receive in (1, 2):
        scene.received(FAILED, level="ERROR", receive=receive, reason="MySQL error 2003")
    scene.dev.put(OWN_ID, scene.dev.queue_url)

    assert scene.path() == ("failing", hops("yes yes yes no no"))
    found = scene.trace()
    assert "MySQL error 2003 (the database is not reachable)" in found["sentence"]
    assert found["hops"][2]["detail"] == "2 times, in 1 message"


@pytest.mark.parametrize(
    ("body", "identity", "state", "sentence"),
    [
        (BAD, "O-8", "invalid", "quantity must be an integer"),
        ('{"orderId": "a \\"b\\" .. ü", "item": "Tea"}', 'a "b" .. ü', "invalid", "orderId must be 1 to 64"),
        ('{"orderId": 17, "item": "Tea", "quantity": 1}', "17", "invalid", "orderId must be 1 to 64"),
        (OWN_ID, "O-7", "waiting", "The order could not be recorded"),
    ],
)
def test_an_order_in_the_dead_letter_queue_is_found_by_its_id_valid_or_not(
    scene: Scene, body: str, identity: str, state: str, sentence: str
) -> None:
    message_id = scene.dev.put(body)
    scene.dev.log({"message": "Message rejected", "messageId": message_id, "reason": "wrong"})

    found = scene.trace(identity)

    assert found["outcome"] == "dead letter"
    assert f"It stopped in OrderDLQ. {sentence}" in found["sentence"]
    assert [letter["state"] for letter in found["dead_letters"]] == [state]
    assert [line["line"]["messageId"] for line in found["lines"]] == [message_id]
    assert scene.dev.bodies(scene.dev.dead_letter_queue_url) == [body]


def test_a_second_order_with_the_id_is_reported_beside_the_recorded_one(scene: Scene) -> None:
    scene.recorded()
    scene.projected(item="Latte")
    scene.dev.put(OWN_ID)
    found = scene.trace()
    assert found["outcome"] == "conflicting"
    assert "belongs to another order, with another item" in found["sentence"]


def test_a_duplicate_in_the_dead_letter_queue_does_not_matter(scene: Scene) -> None:
    scene.recorded()
    scene.projected()
    scene.dev.put(OWN_ID)
    assert scene.path()[0] == "shown"


@pytest.mark.parametrize("version", [0, 1])
def test_an_order_that_dynamodb_lacks_or_has_in_an_older_state(scene: Scene, version: int) -> None:
    scene.received(FAILED, reason="DynamoDB: ThrottlingException")
    scene.recorded(version=2)
    if version:
        scene.projected(version)
    assert scene.path() == ("not shown", hops("unseen yes yes yes no"))
    assert "DynamoDB: ThrottlingException" in scene.trace()["sentence"]


def test_an_order_whose_message_was_deleted_is_lost(scene: Scene) -> None:
    scene.accepted()
    scene.received("Message rejected", receive=3, reason="quantity must be an integer from 1 to 1000.")
    outcome, _ = scene.path()
    assert outcome == "lost"
    assert "quantity must be an integer from 1 to 1000." in scene.trace()["sentence"]


def test_an_order_whose_row_was_deleted_was_recorded(scene: Scene) -> None:
    scene.received()
    assert scene.path()[0] == "lost"
    assert "MySQL has no such row now" in scene.trace()["sentence"]


@pytest.mark.parametrize("identity", ["O-7", "..", "x" * 128, '"ü%41\n', "%41"])
def test_an_order_that_is_nowhere_gets_a_sentence(scene: Scene, identity: str) -> None:
    scene.staff.orders = [order("A01", order_id="A")]
    found = scene.trace(identity)
    assert (found["outcome"], found["lines"]) == ("not found", [])
    assert "the API never accepted it" in found["sentence"]


def test_a_pickup_number_that_the_kitchen_does_not_show_is_explained(scene: Scene) -> None:
    assert "no order with this pickup number now: give the order's id" in scene.trace("k42")["sentence"]


def refuse(*_: object, **__: object) -> Any:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Anything")


BROKEN: dict[str, Callable[[Scene], object]] = {
    "MySQL": lambda scene: setattr(scene.functions, "usual", lambda _event: {"statusCode": 503, "body": ""}),
    "DynamoDB": lambda scene: scene.dev.dynamodb.delete_table(TableName="Orders-dev"),
    "OrderDLQ": lambda scene: scene.dev.sqs.delete_queue(QueueUrl=scene.dev.dead_letter_queue_url),
    "OrderSubscriptionDLQ": lambda scene: scene.dev.sqs.delete_queue(QueueUrl=scene.dev.undelivered_url),
    "the log of PlaceOrder": lambda scene: scene.dev.logs.delete_log_group(
        logGroupName=LOG_GROUPS["PlaceOrder"]
    ),
    "the log of OrderProcessor": lambda scene: scene.dev.logs.delete_log_group(
        logGroupName=LOG_GROUPS["OrderProcessor"]
    ),
    "OrderQueue": lambda scene: setattr(scene.functions, "get_event_source_mapping", refuse),
}


@pytest.mark.parametrize("source", BROKEN)
def test_a_source_that_cannot_be_read_is_named_and_nothing_is_said_to_be_missing(
    scene: Scene, source: str
) -> None:
    BROKEN[source](scene)
    found = scene.trace()
    assert set(found["unchecked"]) == {source}
    assert found["outcome"] == "unknown"
    assert "it is unknown whether it is recorded" in found["sentence"]
    assert f"Could not check {source}: " in scene.cafe("trace", "O-7").stderr


def test_an_order_in_dynamodb_is_recorded_even_if_mysql_does_not_respond(scene: Scene) -> None:
    scene.projected()
    BROKEN["MySQL"](scene)
    assert scene.path() == ("unknown", hops("unseen yes unseen unknown yes"))
    assert "so it was recorded" in scene.trace()["sentence"]


def test_messages_that_another_receiver_holds_are_not_checked(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.dev.put(OWN_ID)
    scene.dev.sqs.receive_message(QueueUrl=scene.dev.dead_letter_queue_url, VisibilityTimeout=60)
    assert scene.trace()["unchecked"] == {
        "OrderDLQ": "another receiver holds 1 message: try again in a minute"
    }


def test_ctrl_c_while_a_queue_is_read_leaves_its_messages_visible(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.dev.put(OWN_ID)
    stop = threading.Event()
    stop.set()
    monkeypatch.setattr(sources, "stopping", lambda: nullcontext(stop))
    result = scene.cafe("trace", "O-7")
    assert (result.exit_code, result.stderr) == (130, "Stopped.\n")
    assert scene.dev.bodies(scene.dev.dead_letter_queue_url) == [OWN_ID]


def test_the_log_is_read_for_a_day_from_the_orders_time_or_in_the_requested_range(scene: Scene) -> None:
    scene.recorded()
    scene.projected()
    sent = datetime.now(UTC) - timedelta(days=3)
    scene.staff.orders[0]["created_at"] = sent.isoformat()
    scene.received("Order processed successfully", ago=3 * 86_400 - 5)
    scene.received("Order processed successfully", ago=3600)

    by_default, later = scene.trace(), scene.trace("O-7", "--since", "2h", "--until", "30m")

    assert [len(found["lines"]) for found in (by_default, later)] == [1, 1]
    assert by_default["lines"] != later["lines"]
    since = datetime.fromisoformat(by_default["since"])
    assert abs(sent - since - timedelta(minutes=10)) < timedelta(seconds=1)


def test_the_range_of_the_log_ends_after_its_start(scene: Scene) -> None:
    scene.recorded()
    scene.staff.orders[0]["created_at"] = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    scene.received(ago=1800)
    found = scene.trace("O-7", "--since", "1h")
    assert (found["since"] < found["until"], len(found["lines"])) == (True, 1)
    found = scene.trace("O-7", "--until", "5d")
    assert found["since"] < found["until"]
    for words in (("--since", "1h", "--until", "2h"), ("--since", "2999-01-01"), ("--since", "")):
        assert scene.cafe("trace", "O-7", *words).exit_code == 2


def test_a_blank_id_is_refused(scene: Scene) -> None:
    for words in (("trace", ""), ("trace", " "), ("logs", "--order", " "), ("orders", "show", "")):
        result = scene.cafe(*words)
        assert (result.exit_code, "It is empty." in result.stderr) == (2, True)


def test_an_order_that_was_received_was_not_refused(scene: Scene) -> None:
    assert "refused" in scene.trace()["hops"][0]["detail"]
    scene.received()
    assert "refused" not in scene.trace()["hops"][0]["detail"]
