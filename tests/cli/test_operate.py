"""`cafe reconcile`, `replay`, `doctor` and `worker`: what is asked and said, and when the answer is no."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cli import queues, worker
from cli.doctor.stores import newest_migration
from cli.main import app
from tests.cli.conftest import Cafe, Pulumi
from tests.cli.kitchen import Staff
from tests.cli.kitchen import order as kitchen_order
from tests.cli.stand_in import CONFIG, FakeAws, FakeFunctions, Reply, administrator

BUSY = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}}, "Invoke")


@pytest.fixture
def dev_cafe(cafe: Cafe, functions: FakeFunctions) -> Cafe:
    """The command on the stack `dev`."""
    return lambda *words: cafe(*words, "--stack", "dev")


def outcome(**found: object) -> dict[str, object]:
    return {"checked": 3, "repaired": 0, "drift": 0, "rds_orders": 30, "swept": 0, "left": 0} | found


# reconcile


def test_the_last_minutes_are_compared(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.answers = [outcome(swept=2, left=1, rejected=1, rejected_reason="quantity must be more.")]

    result = dev_cafe("reconcile")

    assert result.exit_code == 0
    assert functions.events == [{}]
    assert result.stdout.splitlines() == [
        "3 of 30 orders compared: 0 differed, 0 repaired.",
        "Dead letters: 2 recorded, 1 left.",
        "  1 with no order that can be recorded (`cafe dlq list`): quantity must be more.",
    ]


def test_orders_whose_id_belongs_to_another_order_are_named_and_no_failure(
    dev_cafe: Cafe, functions: FakeFunctions
) -> None:
    why = "orderId 17 belongs to another order, with another item"
    functions.answers = [outcome(left=2, conflicting=2, conflicting_reason=why)]

    result = dev_cafe("reconcile")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == [
        "Dead letters: 0 recorded, 2 left.",
        f"  2 orders with an id that belongs to another order (`cafe dlq edit ID` gives another): {why}",
    ]


def test_orders_among_the_dead_letters_that_could_not_be_recorded_are_no_malformed_ones(
    dev_cafe: Cafe, functions: FakeFunctions
) -> None:
    why, meaning = "MySQL error 1290", "the database is read-only"
    functions.answers = [outcome(left=1, waiting=1, waiting_reason=why, reason=why)]

    result = dev_cafe("reconcile")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:] == [
        "Dead letters: 0 recorded, 1 left.",
        f"  1 order not recorded now, and tried again every minute: {why} ({meaning})",
    ]
    assert "Not all could be done: MySQL error 1290 (the database is read-only)" in result.stderr


def test_a_comparison_that_was_not_possible_is_no_good_news(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    why = "Time was up after 9 rows."
    functions.answers = [outcome(compared=False, unchecked=why, reason=why)]

    result = dev_cafe("reconcile")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == ["Could not compare: Time was up after 9 rows."]


def test_rows_of_other_programs_and_rows_without_an_order_are_named(
    dev_cafe: Cafe, functions: FakeFunctions
) -> None:
    functions.answers = [outcome(counted=2, bad_rows={"7": "no item, or no quantity"})]

    assert dev_cafe("reconcile").stdout.splitlines()[1:] == [
        "2 orders counted that were inserted by another program.",
        "Row 7 of `orders` holds no order: no item, or no quantity.",
    ]


def test_what_an_earlier_release_left_is_of_no_known_kind(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.answers = [outcome(left=2)]

    assert dev_cafe("reconcile").stdout.endswith("\n  2 for a reason that `cafe dlq list` shows.\n")


def test_the_whole_table_is_followed_to_its_end_and_looked_at_again(
    dev_cafe: Cafe, functions: FakeFunctions
) -> None:
    functions.answers = [outcome(next=77, drift=2, repaired=2), outcome(drift=1, repaired=1), outcome()]

    result = dev_cafe("reconcile", "--full", "--json")

    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert functions.events == [{"command": "full"}, {"command": "full", "after": 77}, {}]
    assert (document["checked"], document["drift"], document["repaired"]) == (6, 3, 3)
    assert (document["remaining"], document["ok"]) == (0, True)


def test_what_still_differs_is_a_no(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.answers = [outcome(drift=5), outcome(drift=5)]

    result = dev_cafe("reconcile")

    assert result.exit_code == 1
    assert "5 still differ. `cafe reconcile --full` audits every counter." in result.stderr


def test_what_was_left_undone_is_a_no(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.answers = [outcome(reason="MySQL: away\x1b")]

    result = dev_cafe("reconcile")

    assert result.exit_code == 1
    assert r"Not all could be done: MySQL: away\x1b" in result.stderr


def test_a_rebuild_is_asked_for_and_tells_what_it_changed(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.answers = [
        outcome(drift=5, corrected={"metrics": {"TOTAL_ORDERS": -5}, "menu": {"Tea": 2}}),
        outcome(),
    ]

    refused = CliRunner().invoke(app, ["reconcile", "--rebuild", "--stack", "dev"], input="n\n")
    asked = list(functions.events)
    result = dev_cafe("reconcile", "--rebuild", "--yes")

    assert (refused.exit_code, asked) == (1, [])
    assert "Write every order of stack dev to DynamoDB again?" in refused.stderr
    assert result.exit_code == 0
    assert functions.events[0] == {"command": "rebuild"}
    assert "  TOTAL_ORDERS: -5\n" in result.stdout
    assert "  CafeMenu Tea: +2\n" in result.stdout


def test_a_function_that_runs_already_is_waited_for(
    dev_cafe: Cafe, functions: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    functions.answers = [BUSY, BUSY, outcome()]

    assert dev_cafe("reconcile").exit_code == 0
    assert len(functions.events) == 3


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            {"errorType": "Timeout", "errorMessage": "after 900 s"},
            "ReconcileOrders-dev failed: Timeout: after 900 s. `cafe doctor` names what is wrong.",
        ),
        ({"drift": "much"}, "The response of ReconcileOrders-dev is invalid at drift."),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Invoke"),
            "Invoke: AccessDenied: no.",
        ),
    ],
)
def test_a_function_that_fails_is_a_no_with_its_reason(
    dev_cafe: Cafe, functions: FakeFunctions, answer: Any, sentence: str
) -> None:
    functions.answers = [answer]

    result = dev_cafe("reconcile")

    assert result.exit_code == 1
    assert sentence in result.stderr


def test_ctrl_c_says_that_the_run_goes_on(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.usual = lambda _event: signal.raise_signal(signal.SIGINT)

    result = dev_cafe("reconcile")

    assert result.exit_code == 130
    assert "the run under way goes on" in result.stderr


# replay


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
    said = order(7)
    del said["created_at"]
    assert json.loads(bodies["O-7"]["Message"]) == said


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
        # A state comes from staff, and from no message.
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
    said = {"orderId": "O-1", "item": "Latte", "quantity": 2, "price": 2.5, "notes": [1]}
    assert json.loads(body["Message"]) == said


NINES = "9" * 38


@pytest.mark.parametrize(
    "number", ["3.4028235e38", "1" + "0" * 125, f"{NINES}E+88", f"{NINES}E-167", "1.10", "0"]
)
def test_every_number_that_dynamodb_holds_is_sent_as_it_is(dev_cafe: Cafe, dev: FakeAws, number: str) -> None:
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
        ({"photo": {"M": {"a": {"B": b"1"}}}}, "photo holds binary data, which no order can hold."),
        (
            {"created_at": {"S": "2026-11-22Tnoon"}},
            "created_at is '2026-11-22Tnoon', which is not a time.",
        ),
    ],
)
def test_one_bad_order_does_not_block_a_period(
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


def test_decimals_from_the_database_are_sent_as_they_are(
    dev_cafe: Cafe, functions: FakeFunctions, dev: FakeAws
) -> None:
    exact = f'{{"orderId": "O-1", "n": 0.1{NINES}, "created_at": "2026-11-22T12:00:00.000Z"}}'
    functions.usual = lambda _event: {"orders": [exact], "next": None}

    assert replay(dev_cafe, "--yes").exit_code == 0

    (body,) = map(json.loads, dev.bodies(dev.queue_url))
    assert body["Message"] == f'{{"n": 0.1{NINES}, "orderId": "O-1"}}'


def test_a_row_without_an_order_is_named_and_the_others_are_sent(
    dev_cafe: Cafe, functions: FakeFunctions, dev: FakeAws
) -> None:
    order = {"orderId": "O-1", "item": "Tea", "quantity": 1, "created_at": "2026-11-22T12:00:00.000Z"}
    bad = {"7": "its attributes are not JSON"}
    functions.usual = lambda _event: {"orders": [order], "bad_rows": bad, "next": None}

    result = replay(dev_cafe, "--yes")

    assert result.exit_code == 1
    assert len(dev.bodies(dev.queue_url)) == 1
    assert "1 was not sent; row 7: its attributes are not JSON" in result.stderr


def test_orders_dated_in_the_future_are_told_before_they_are_sent_again(
    dev_cafe: Cafe, functions: FakeFunctions
) -> None:
    order = {"orderId": "O-1", "item": "Tea", "quantity": 1, "created_at": "2036-01-01T00:00:00.000Z"}
    functions.usual = lambda _event: {"orders": [order], "next": None}

    result = dev_cafe("replay", "--from", "2026-11-22", "--to", "2037-01-01", "--yes", "--json")

    assert (
        "1 order is dated in the future: a row that is not there yet gets the time of this" in result.stderr
    )
    assert json.loads(result.stdout)["dated_in_the_future"] == 1


def test_the_question_has_the_number_and_a_no_sends_nothing(
    dev_cafe: Cafe, recorded: FakeFunctions, dev: FakeAws
) -> None:
    result = CliRunner().invoke(app, ["replay", "--from", "2026-11-22", "--stack", "dev"], input="n\n")

    assert result.exit_code == 1
    assert "Send 25 orders of 2026-11-22 00:00:00 to " in result.stderr
    assert dev.bodies(dev.queue_url) == []


def test_another_consumers_queue_can_be_the_only_one(
    dev_cafe: Cafe, recorded: FakeFunctions, dev: FakeAws
) -> None:
    assert replay(dev_cafe, "--yes", "--send-to", dev.undelivered_url).exit_code == 0

    assert (len(dev.bodies(dev.undelivered_url)), dev.bodies(dev.queue_url)) == (25, [])


def test_all_subscribers_can_have_them(dev_cafe: Cafe, recorded: FakeFunctions, dev: FakeAws) -> None:
    topic = dev.sns.create_topic(Name="OrderTopic-dev")["TopicArn"]
    arn = dev.sqs.get_queue_attributes(QueueUrl=dev.queue_url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    dev.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    assert replay(dev_cafe, "--yes", "--send-to", "topic").exit_code == 0

    messages = [json.loads(json.loads(body)["Message"]) for body in dev.bodies(dev.queue_url)]
    assert {message["orderId"] for message in messages} == {f"O-{number}" for number in range(25)}


def test_ctrl_c_says_how_many_were_sent(
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
def test_a_period_or_place_that_is_none_is_wrong_usage(dev_cafe: Cafe, words: tuple[str, ...]) -> None:
    assert dev_cafe("replay", *words).exit_code == 2


# doctor


def well(**different: Any) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {
        "database": {"reachable": True, "reason": None, "schema": newest_migration()},
        "rds_orders": 30,
        "drift": 0,
        "as_of": now,
        "last_order_at": now,
    } | different


@pytest.fixture
def healthy(dev: FakeAws, functions: FakeFunctions, monkeypatch: pytest.MonkeyPatch) -> FakeFunctions:
    """A system in which all is well."""
    dev.make_bucket()
    functions.usual = lambda _event: well()
    monkeypatch.setattr("cli.doctor.worker.PAUSE", 0)
    return functions


def findings(cafe: Cafe) -> dict[str, tuple[str, str | None]]:
    """Return what is not well, and what to type next."""
    document = json.loads(cafe("doctor", "--json").stdout)
    assert document["ok"] == all(finding["state"] != "bad" for finding in document["findings"])
    return {f["name"]: (f["state"], f["next"]) for f in document["findings"] if f["state"] != "ok"}


def test_when_all_is_well_every_line_says_so(dev_cafe: Cafe, healthy: FakeFunctions) -> None:
    result = dev_cafe("doctor")

    assert result.exit_code == 0, result.output
    assert [line[0] for line in result.stdout.splitlines()[:-1]] == ["✓"] * 14
    assert result.stdout.splitlines()[-1] == "All is well."
    # No request about orders that wait: the alarm LateOrders is off.
    assert healthy.events == [{"command": "check"}]


@pytest.mark.parametrize(
    ("state", "minutes", "expected"),
    [
        ("received", 21, {"late_orders": ("warn", "cafe orders list --stack dev")}),
        ("preparing", 21, {"late_orders": ("warn", "cafe orders list --stack dev")}),
        ("received", 20, {}),
        ("ready", 21, {}),
    ],
)
def test_orders_that_wait_for_longer_than_the_setting_says_are_told(
    dev_cafe: Cafe,
    healthy: FakeFunctions,
    dev: FakeAws,
    pulumi: Pulumi,
    state: str,
    minutes: int,
    expected: dict[str, object],
) -> None:
    pulumi.prints(json.dumps(dev.outputs() | {"waiting_alarm_minutes": "20"}))
    staff = Staff(healthy)
    sent = datetime(2026, 11, 26, 13, 4, 5, tzinfo=UTC) - timedelta(minutes=minutes)
    staff.orders = [kitchen_order(state=state, created_at=sent.isoformat())]
    healthy.usual = lambda event: staff.answer(event) if "resource" in event else well()
    assert findings(dev_cafe) == expected


def test_each_bad_line_has_the_next_command(dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws) -> None:
    dev.put("poison")
    healthy.state = "Disabled"

    result = dev_cafe("doctor")

    assert result.exit_code == 1
    assert "✗ Worker              is paused: orders wait in the queue\n" in result.stdout
    assert "→ cafe worker resume --stack dev\n" in result.stdout
    assert "→ cafe dlq list --stack dev\n" in result.stdout
    assert result.stdout.endswith("2 bad, 0 to look at.\n")


NEW_PASSWORD = "make deploy STACK=dev ARGS='--replace **application-user'"
EVENTS = "aws rds describe-events --source-type db-instance --duration 120 --region eu-central-1"


@pytest.mark.parametrize(
    ("different", "expected"),
    [
        ({"drift": 2}, {"drift": ("bad", "cafe reconcile --stack dev")}),
        ({"drift": None, "as_of": None}, {"drift": ("warn", "cafe reconcile --stack dev")}),
        ({"as_of": "2026-11-22T00:00:00Z"}, {"drift": ("bad", "cafe reconcile --stack dev")}),
        (
            {"database": {"reachable": False, "reason": "refused", "schema": None}},
            {"database": ("bad", EVENTS), "schema": ("warn", EVENTS), "last_order": ("warn", EVENTS)},
        ),
        (
            {"database": {"reachable": False, "reason": "MySQL error 1045", "schema": newest_migration()}},
            {"database": ("bad", NEW_PASSWORD), "last_order": ("warn", NEW_PASSWORD)},
        ),
        (
            {"database": {"reachable": True, "reason": None, "schema": 1}},
            {"schema": ("bad", "make deploy STACK=dev ARGS=--refresh")},
        ),
        (
            {"database": {"reachable": True, "schema": newest_migration(), "narrow_for": 20.5}},
            {"schema": ("warn", "cafe database widen --stack dev")},
        ),
    ],
)
def test_what_the_function_sees_is_judged(
    dev_cafe: Cafe, healthy: FakeFunctions, different: Any, expected: Any
) -> None:
    healthy.usual = lambda _event: well(**different)

    assert findings(dev_cafe) == expected


def fail(
    aws: FakeAws, order_id: str, message_id: str = "m", reason: str = "MySQL error 1290", **more: object
) -> None:
    line = {"orderId": order_id, "messageId": message_id, "reason": reason, **more}
    aws.log({"level": "ERROR", "message": "Order not processed", **line})


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [
        ("MySQL error 1290", "the database is read-only"),
        ("MySQL error 1205", "a lock on the table or on rows did not end in time"),
        ("MySQL error 1021", "the database's storage is full"),
    ],
)
def test_a_database_that_refuses_writes_is_bad_before_any_order_fails(
    dev_cafe: Cafe, healthy: FakeFunctions, reason: str, meaning: str
) -> None:
    database = {"reachable": True, "reason": None, "schema": newest_migration(), "refuses_writes": reason}
    healthy.usual = lambda _event: well(database=database)

    result = dev_cafe("doctor")

    assert result.exit_code == 1
    assert f"Database            answers, but takes no orders: {reason} ({meaning})\n" in result.stdout
    assert "All is well" not in result.stdout


def test_orders_that_the_worker_could_not_record_are_bad_and_each_counts_once(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    for order_id in ("o1", "o2", "o1"):
        fail(dev, order_id)

    result = dev_cafe("doctor")

    assert result.exit_code == 1
    assert (
        "✗ Worker              2 orders failed in the last 15 min and are not recorded yet" in result.stdout
    )
    assert "MySQL error 1290 (the database is read-only)" in result.stdout
    assert "→ cafe status --watch --stack dev" in result.stdout


def test_orders_that_failed_and_are_recorded_since_are_told_and_are_well(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    fail(dev, "o1")
    dev.work("o1", {"item": "Tea", "quantity": 1})

    result = dev_cafe("doctor")

    assert result.exit_code == 0
    assert "1 order failed in the last 15 min, and recorded since" in result.stdout


def test_a_worker_whose_orders_only_the_reconciler_records_is_not_well(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.log({"level": "INFO", "message": "Order processed successfully", "orderId": "earlier"}, ago=1)
    fail(dev, "o1", reason="DynamoDB: AccessDeniedException")
    dev.dynamodb.put_item(TableName="Orders-dev", Item={"orderId": {"S": "o1"}})

    result = dev_cafe("doctor")

    assert (
        "1 order failed in the last 15 min, and recorded since, but the worker has recorded" in result.stdout
    )
    assert findings(dev_cafe) == {"worker": ("warn", "cafe verify --stack dev")}


DEPLOY = "make deploy STACK=dev ARGS=--refresh"


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("DynamoDB: AccessDeniedException", DEPLOY),
        ("The database's secret: An error occurred (AccessDeniedException) when calling", DEPLOY),
        ("MySQL error 1146", DEPLOY),
        ("DynamoDB: ThrottlingException", "cafe status --watch --stack dev"),
        ("DynamoDB: ValidationException", "cafe dlq list --stack dev"),
        ("MySQL error 1406", "cafe dlq list --stack dev"),
        ("KeyError in tables.py, line 7", "cafe dlq list --stack dev"),
    ],
)
def test_what_to_type_next_follows_from_the_reason_of_failed_orders(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws, reason: str, command: str
) -> None:
    fail(dev, "o1", reason=reason)

    assert findings(dev_cafe) == {"worker": ("bad", command)}


def test_a_worker_that_may_not_set_the_visibility_of_messages_is_not_well(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.log({"level": "ERROR", "message": "Visibility not set", "reason": "no time is left, 3 messages"})
    assert findings(dev_cafe) == {}  # it passes by itself
    reason = "SQS: An error occurred (AccessDenied) when calling the ChangeMessageVisibilityBatch"
    dev.log({"level": "ERROR", "message": "Visibility not set", "reason": reason})

    assert f"only after the queue's visibility timeout: {reason}" in dev_cafe("doctor").stdout
    assert findings(dev_cafe) == {"worker": ("warn", DEPLOY)}


def test_a_log_that_cannot_be_read_to_its_end_says_nothing_of_failed_orders(
    dev_cafe: Cafe, healthy: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [{"events": [], "nextToken": "more"}, {"events": []}]
    monkeypatch.setattr("cli.worker_log._pages", lambda *_: pages)
    monkeypatch.setattr("cli.worker_log.MOST_PAGES", 1)

    result = dev_cafe("doctor")

    assert "! Worker              takes orders, but its log in the last 15 min is too long" in result.stdout
    assert "All is well" not in result.stdout


def test_dead_letters_are_told_apart(dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws) -> None:
    dev.put('{"orderId": "o1", "item": "Tea", "quantity": 0}')
    fail(dev, "o2", dev.put('{"orderId": "o2", "item": "Tea", "quantity": 1}'))
    dev.put('{"orderId": "o3", "item": "Tea", "quantity": 1}')
    dev.dynamodb.put_item(TableName="Orders-dev", Item={"orderId": {"S": "o3"}})

    line = next(line for line in dev_cafe("doctor").stdout.splitlines() if "Dead letters" in line)

    assert line == (
        "✗ Dead letters        3 messages: 1 with no order: quantity must be an integer from 1 to 1000; "
        "1 order not recorded now, and tried again every minute: "
        "MySQL error 1290 (the database is read-only); "
        "1 order recorded, and removed by the next sweep"
    )


def test_orders_whose_id_belongs_to_another_one_are_conflicts_and_no_failure_of_the_worker(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    why = "orderId o1 belongs to another order, with another item"
    message_id = dev.put('{"orderId": "o1", "item": "Tea", "quantity": 1}')
    item: Any = {"orderId": {"S": "o1"}, "item": {"S": "Latte"}, "quantity": {"N": "1"}}
    dev.dynamodb.put_item(TableName="Orders-dev", Item=item)
    fail(dev, "o1", message_id, why, refused=True, conflict=True)
    found = {"rejected": 0, "conflicting": 70, "waiting": 0, "as_of": "2026-11-22T14:00:00Z"}

    text = dev_cafe("doctor").stdout
    dev.api.status = Reply(body={"sync": {"dead_lettered": 1, "dead_letters": found}})

    assert f"✗ Dead letters        1 message: 1 order whose id belongs to another order: {why}\n" in text
    assert f"✗ Conflicting ids     1 order not recorded: {why}\n" in text
    assert "Worker              takes orders from the queue; none failed in the last 15 min" in text
    command = ("bad", "cafe dlq list --stack dev")
    assert findings(dev_cafe) == {"dead_letters": command, "conflicts": command}


def test_conflicts_beyond_the_messages_that_were_looked_at_are_those_of_the_sweep(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    for _ in range(3):
        dev.put("poison")
    found = {"rejected": 1, "conflicting": 2, "waiting": 0, "as_of": "2026-11-22T14:00:00Z"}
    dev.api.status = Reply(body={"sync": {"dead_lettered": 3, "dead_letters": found}})

    assert "✗ Conflicting ids     2 orders not recorded\n" in dev_cafe("doctor").stdout


def test_an_order_that_a_store_cannot_hold_does_not_wait(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    message_id = dev.put('{"orderId": "o1", "item": "Tea", "quantity": 1}')
    fail(dev, "o1", message_id, "MySQL error 1406", refused=True)

    told = "1 order that cannot be recorded until corrected: MySQL error 1406\n"
    assert f"Dead letters        1 message: {told}" in dev_cafe("doctor").stdout
    assert findings(dev_cafe)["dead_letters"] == ("bad", "cafe dlq list --stack dev")
    (message,) = json.loads(dev_cafe("dlq", "list", "--json").stdout)["messages"]
    assert (message["state"], message["state_reason"]) == ("refused", "MySQL error 1406")


def test_dead_letters_that_no_sweep_reads_are_not_tried_again(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.put('{"orderId": "o1", "item": "Tea", "quantity": 1}')
    seen = {"rejected": 0, "waiting": 1, "as_of": "2026-11-22T14:00:00Z"}
    dev.api.status = Reply(body={"sync": {"dead_lettered": 1, "dead_letters": seen}})
    swept = dev_cafe("doctor").stdout
    dev.api.status = Reply(body={"sync": {"dead_lettered": 1, "dead_letters": None}})

    assert "1 order not recorded now, and tried again every minute\n" in swept
    text = "1 order not recorded now; ReconcileOrders has not read them in the last 5 min\n"
    assert text in dev_cafe("doctor").stdout
    assert findings(dev_cafe) == {"dead_letters": ("bad", "cafe reconcile --stack dev")}


def test_a_worker_whose_log_cannot_be_read_is_not_well(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.logs.delete_log_group(logGroupName="/cafe/dev/OrderProcessor")

    assert findings(dev_cafe)["worker"][0] == "bad"


def test_without_dynamodb_nobody_says_that_the_stores_were_not_compared(
    dev_cafe: Cafe, healthy: FakeFunctions
) -> None:
    away = {"reachable": False, "reason": "DynamoDB: throttled"}
    healthy.usual = lambda _event: well(dynamodb=away, as_of=None, drift=None)

    assert "Drift               not known: DynamoDB: throttled" in dev_cafe("doctor").stdout


def test_a_young_stack_is_not_compared_yet_and_an_old_one_should_have_been(
    dev_cafe: Cafe, healthy: FakeFunctions
) -> None:
    healthy.usual = lambda _event: well(as_of=None, drift=None)

    young = dev_cafe("doctor")
    healthy.changed_at = datetime.now(UTC) - timedelta(hours=1)
    old = dev_cafe("doctor")

    assert "! Drift               not compared yet: ReconcileOrders does so every minute\n" in young.stdout
    assert young.exit_code == 0
    assert "✗ Drift               not compared yet, although the worker takes orders for 1 h" in old.stdout
    assert old.exit_code == 1


def test_orders_dated_in_the_future_are_not_the_last_order(dev_cafe: Cafe, healthy: FakeFunctions) -> None:
    healthy.usual = lambda _event: well(future_orders=1)
    told = dev_cafe("doctor")
    healthy.usual = lambda _event: well(last_order_at="2099-01-01T00:00:00Z")  # an earlier release
    old = dev_cafe("doctor")

    assert "ago; 1 order dated in the future besides\n" in told.stdout
    assert "which is in the future" in old.stdout


def test_a_function_that_fails_leaves_the_other_lines(dev_cafe: Cafe, healthy: FakeFunctions) -> None:
    healthy.usual = lambda _event: {"errorType": "Timeout", "errorMessage": "late"}

    assert findings(dev_cafe).keys() == {"database", "schema", "drift", "last_order"}
    assert len(healthy.events) == 1


def test_messages_that_sns_could_not_deliver_are_bad(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.put("{}", dev.undelivered_url)

    assert findings(dev_cafe) == {"undelivered": ("bad", "cafe dlq list --queue subscription --stack dev")}


def test_orders_that_sns_would_lose_are_bad(dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws) -> None:
    dev.sqs.set_queue_attributes(QueueUrl=dev.queue_url, Attributes={"Policy": ""})
    refused = dev_cafe("doctor")
    dev.sns.unsubscribe(SubscriptionArn=dev.subscription)
    lost = dev_cafe("doctor")

    assert "OrderQueue's policy does not let OrderTopic send to it" in refused.stdout
    assert "OrderQueue is not subscribed to OrderTopic: orders are accepted, and then lost" in lost.stdout
    assert refused.exit_code == lost.exit_code == 1
    assert findings(dev_cafe) == {"undelivered": ("bad", DEPLOY)}


def test_a_topic_that_is_gone_is_deployed_again(dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws) -> None:
    dev.sns.delete_topic(TopicArn=dev.outputs()["topic_arn"])

    assert findings(dev_cafe) == {"undelivered": ("bad", DEPLOY)}


@pytest.mark.parametrize(
    ("age", "state"),
    [(timedelta(seconds=5), None), (timedelta(minutes=2), "warn"), (timedelta(hours=1), "bad")],
)
def test_the_age_of_the_oldest_order_is_judged_where_it_is_known(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws, age: timedelta, state: str | None
) -> None:
    dev.put("{}", dev.queue_url)
    administrator().cloudwatch.put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": "OrderQueue-dev"}],
                "Timestamp": datetime.now(UTC) - timedelta(minutes=1),
                "Value": age.total_seconds(),
            }
        ],
    )

    expected = {"queue": (state, "cafe status --watch --stack dev")} if state else {}
    assert findings(dev_cafe) == expected


def test_a_queue_that_does_not_shrink_is_noticed_without_metrics(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.put("{}", dev.queue_url)

    assert findings(dev_cafe)["queue"][0] == "warn"


@pytest.mark.parametrize(
    ("state", "last", "expected"),
    [
        ("Updating", "", "warn"),
        ("Disabling", "", "bad"),
        ("Enabled", "PROBLEM: Function call failed", "warn"),
    ],
)
def test_the_workers_mapping_is_judged(
    dev_cafe: Cafe, healthy: FakeFunctions, state: str, last: str, expected: str
) -> None:
    healthy.state, healthy.last = state, last

    assert findings(dev_cafe)["worker"][0] == expected


def test_what_is_not_there_is_deployed_again(dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws) -> None:
    gone = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "Invoke")
    healthy.answers = [gone]
    dev.sqs.delete_queue(QueueUrl=dev.dead_letter_queue_url)

    deploy = ("bad", "make deploy STACK=dev ARGS=--refresh")
    assert findings(dev_cafe) == dict.fromkeys(
        ["dead_letters", "conflicts", "database", "schema", "drift", "last_order"], deploy
    )


def test_credentials_of_another_account_are_the_only_finding(
    dev_cafe: Cafe, healthy: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "210987654321")

    result = dev_cafe("doctor")

    assert result.exit_code == 1
    assert "of account 210987654321, and the stack is in account 123456789012" in result.stdout
    assert result.stdout.endswith("1 bad, 0 to look at.\n")


def test_credentials_that_are_refused_are_the_only_finding(
    dev_cafe: Cafe, healthy: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "GetCallerIdentity")
    sts = SimpleNamespace(get_caller_identity=Mock(side_effect=expired))
    monkeypatch.setattr(administrator(), "sts", sts)

    assert findings(dev_cafe) == {"credentials": ("bad", "aws sso login")}


def test_the_doors_are_judged(dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws) -> None:
    dev.api.page = Reply(status=403, body={"message": "No"})
    dev.api.status = Reply(body={"degraded": ["rds"]})

    assert {name: state for name, (state, _) in findings(dev_cafe).items()} == {"page": "bad", "api": "warn"}


def test_settings_that_the_page_cannot_use_are_a_finding(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.api.config = Reply(body=CONFIG.replace("en-US", "en-12"))

    assert findings(dev_cafe) == {"page": ("bad", "make deploy STACK=dev ARGS=--refresh")}


def test_a_stack_that_is_older_than_the_command_is_told_to_deploy(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws, pulumi: Any
) -> None:
    outputs = dev.outputs()
    del outputs["worker_mapping"]
    pulumi.prints(json.dumps(outputs))

    assert findings(dev_cafe) == {"worker": ("bad", "make deploy STACK=dev ARGS=--refresh")}


# worker


def test_the_worker_rests_and_goes_on(
    dev_cafe: Cafe, functions: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)

    assert dev_cafe("worker", "pause").stdout == "The worker rests; orders wait in the queue.\n"
    assert functions.state == "Disabled"
    assert json.loads(dev_cafe("worker", "resume", "--json").stdout) == {"stack": "dev", "state": "Enabled"}


def test_a_mapping_that_stays_as_it_is_is_a_no(
    dev_cafe: Cafe, functions: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PATIENCE", 0)
    monkeypatch.setattr(functions, "update_event_source_mapping", lambda **_words: None)

    result = dev_cafe("worker", "pause")

    assert result.exit_code == 1
    assert "still Enabled" in result.stderr
