"""`cafe doctor`: what it finds, and which command it names."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from cli.doctor.stores import newest_migration
from tests.cli.conftest import Cafe, Pulumi
from tests.cli.kitchen import Staff
from tests.cli.kitchen import order as kitchen_order
from tests.cli.stand_in import CONFIG, FakeAws, FakeFunctions, Reply, administrator


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
    """The functions of a healthy stack."""
    dev.make_bucket()
    functions.usual = lambda _event: well()
    monkeypatch.setattr("cli.doctor.worker.PAUSE", 0)
    return functions


def findings(cafe: Cafe) -> dict[str, tuple[str, str | None]]:
    """Return the state and the next command of each check that is not ok."""
    document = json.loads(cafe("doctor", "--json").stdout)
    assert document["ok"] == all(finding["state"] != "bad" for finding in document["findings"])
    return {f["name"]: (f["state"], f["next"]) for f in document["findings"] if f["state"] != "ok"}


def test_every_check_of_a_healthy_stack_is_ok(dev_cafe: Cafe, healthy: FakeFunctions) -> None:
    result = dev_cafe("doctor")

    assert result.exit_code == 0, result.output
    assert [line[0] for line in result.stdout.splitlines()[:-1]] == ["✓"] * 14
    assert result.stdout.splitlines()[-1] == "All is well."
    # The orders in the kitchen are not read, because the alarm LateOrders is off.
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
def test_orders_that_wait_longer_than_the_setting_are_a_warning(
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
    healthy.usual = lambda event: staff.respond(event) if "resource" in event else well()
    assert findings(dev_cafe) == expected


def test_each_failure_has_the_next_command(dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws) -> None:
    dev.put("poison")
    healthy.state = "Disabled"

    result = dev_cafe("doctor")

    assert result.exit_code == 1
    assert "✗ Worker              is paused: orders wait in the queue\n" in result.stdout
    assert "→ cafe worker resume --stack dev\n" in result.stdout
    assert "→ cafe dlq list --stack dev\n" in result.stdout
    assert result.stdout.endswith("2 bad, 0 to check.\n")


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
def test_the_state_of_the_stores_decides(
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
    assert f"Database            reachable, but refuses writes: {reason} ({meaning})\n" in result.stdout
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


def test_orders_that_failed_and_were_recorded_later_are_ok(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    fail(dev, "o1")
    dev.work("o1", {"item": "Tea", "quantity": 1})

    result = dev_cafe("doctor")

    assert result.exit_code == 0
    assert "1 order failed in the last 15 min, and recorded since" in result.stdout


def test_a_worker_whose_orders_only_the_reconciler_records_is_a_warning(
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
        ("Secrets Manager: AccessDeniedException", DEPLOY),
        ("MySQL error 1146", DEPLOY),
        ("DynamoDB: ThrottlingException", "cafe status --watch --stack dev"),
        ("Secrets Manager: InternalServiceError", "cafe status --watch --stack dev"),
        ("DynamoDB: ValidationException", "cafe dlq list --stack dev"),
        ("MySQL error 1406", "cafe dlq list --stack dev"),
        ("KeyError in tables.py, line 7", "cafe dlq list --stack dev"),
    ],
)
def test_the_next_command_follows_from_the_reason_of_failed_orders(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws, reason: str, command: str
) -> None:
    fail(dev, "o1", reason=reason)

    assert findings(dev_cafe) == {"worker": ("bad", command)}


def test_a_worker_without_permission_to_set_visibility_is_a_warning(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.log({"level": "ERROR", "message": "Visibility not set", "reason": "no time is left, 3 messages"})
    assert findings(dev_cafe) == {}  # a temporary problem
    reason = "SQS: An error occurred (AccessDenied) when calling the ChangeMessageVisibilityBatch"
    dev.log({"level": "ERROR", "message": "Visibility not set", "reason": reason})

    assert f"only after the queue's visibility timeout: {reason}" in dev_cafe("doctor").stdout
    assert findings(dev_cafe) == {"worker": ("warn", DEPLOY)}


def test_a_log_that_is_too_long_is_a_warning(
    dev_cafe: Cafe, healthy: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [{"events": [], "nextToken": "more"}, {"events": []}]
    monkeypatch.setattr("cli.worker_log._pages", lambda *_: pages)
    monkeypatch.setattr("cli.worker_log.MOST_PAGES", 1)

    result = dev_cafe("doctor")

    assert "! Worker              takes orders, but its log in the last 15 min is too long" in result.stdout
    assert "All is well" not in result.stdout


def test_dead_letters_are_counted_by_state(dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws) -> None:
    dev.put('{"orderId": "o1", "item": "Tea", "quantity": 0}')
    fail(dev, "o2", dev.put('{"orderId": "o2", "item": "Tea", "quantity": 1}'))
    dev.put('{"orderId": "o3", "item": "Tea", "quantity": 1}')
    dev.dynamodb.put_item(TableName="Orders-dev", Item={"orderId": {"S": "o3"}})

    line = next(line for line in dev_cafe("doctor").stdout.splitlines() if "Dead letters" in line)

    assert line == (
        "✗ Dead letters        3 messages: 1 without a valid order: "
        "quantity must be an integer from 1 to 1000; "
        "1 order not recorded now, and retried every minute: "
        "MySQL error 1290 (the database is read-only); "
        "1 order recorded, and removed by the next sweep"
    )


def test_conflicting_orders_are_not_a_failure_of_the_worker(
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


def test_conflicts_beyond_the_messages_that_were_read_are_those_of_the_sweep(
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

    text = "1 order that cannot be recorded until corrected: MySQL error 1406\n"
    assert f"Dead letters        1 message: {text}" in dev_cafe("doctor").stdout
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

    assert "1 order not recorded now, and retried every minute\n" in swept
    text = "1 order not recorded now; ReconcileOrders has not read them in the last 5 min\n"
    assert text in dev_cafe("doctor").stdout
    assert findings(dev_cafe) == {"dead_letters": ("bad", "cafe reconcile --stack dev")}


def test_a_worker_whose_log_cannot_be_read_is_bad(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.logs.delete_log_group(logGroupName="/cafe/dev/OrderProcessor")

    assert findings(dev_cafe)["worker"][0] == "bad"


def test_without_dynamodb_drift_is_unknown(dev_cafe: Cafe, healthy: FakeFunctions) -> None:
    away = {"reachable": False, "reason": "DynamoDB: throttled"}
    healthy.usual = lambda _event: well(dynamodb=away, as_of=None, drift=None)

    assert "Drift               unknown: DynamoDB: throttled" in dev_cafe("doctor").stdout


def test_a_missing_comparison_is_a_failure_in_an_old_stack_only(
    dev_cafe: Cafe, healthy: FakeFunctions
) -> None:
    healthy.usual = lambda _event: well(as_of=None, drift=None)

    young = dev_cafe("doctor")
    healthy.changed_at = datetime.now(UTC) - timedelta(hours=1)
    old = dev_cafe("doctor")

    assert "! Drift               not compared yet: ReconcileOrders does so every minute\n" in young.stdout
    assert young.exit_code == 0
    assert "✗ Drift               not compared yet, although the worker was deployed 1 h ago" in old.stdout
    assert old.exit_code == 1


def test_orders_dated_in_the_future_are_not_the_last_order(dev_cafe: Cafe, healthy: FakeFunctions) -> None:
    healthy.usual = lambda _event: well(future_orders=1)
    text = dev_cafe("doctor")
    healthy.usual = lambda _event: well(last_order_at="2099-01-01T00:00:00Z")  # an earlier release
    old = dev_cafe("doctor")

    assert "ago; 1 order dated in the future besides\n" in text.stdout
    assert "which is in the future" in old.stdout


def test_a_failing_function_leaves_the_other_checks(dev_cafe: Cafe, healthy: FakeFunctions) -> None:
    healthy.usual = lambda _event: {"errorType": "Timeout", "errorMessage": "late"}

    assert findings(dev_cafe).keys() == {"database", "schema", "drift", "last_order"}
    assert len(healthy.events) == 1


def test_messages_that_sns_could_not_deliver_are_bad(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.put("{}", dev.undelivered_url)

    assert findings(dev_cafe) == {"undelivered": ("bad", "cafe dlq list --queue subscription --stack dev")}


def test_a_missing_subscription_or_policy_is_bad(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.sqs.set_queue_attributes(QueueUrl=dev.queue_url, Attributes={"Policy": ""})
    refused = dev_cafe("doctor")
    dev.sns.unsubscribe(SubscriptionArn=dev.subscription)
    lost = dev_cafe("doctor")

    assert "OrderQueue's policy does not let OrderTopic send to it" in refused.stdout
    assert "OrderQueue is not subscribed to OrderTopic: orders are accepted, and then lost" in lost.stdout
    assert refused.exit_code == lost.exit_code == 1
    assert findings(dev_cafe) == {"undelivered": ("bad", DEPLOY)}


def test_a_missing_topic_is_deployed_again(dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws) -> None:
    dev.sns.delete_topic(TopicArn=dev.outputs()["topic_arn"])

    assert findings(dev_cafe) == {"undelivered": ("bad", DEPLOY)}


@pytest.mark.parametrize(
    ("age", "state"),
    [(timedelta(seconds=5), None), (timedelta(minutes=2), "warn"), (timedelta(hours=1), "bad")],
)
def test_the_age_of_the_oldest_message_decides(
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


def test_a_queue_that_does_not_shrink_is_found_without_metrics(
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
def test_the_state_of_the_workers_mapping_decides(
    dev_cafe: Cafe, healthy: FakeFunctions, state: str, last: str, expected: str
) -> None:
    healthy.state, healthy.last = state, last

    assert findings(dev_cafe)["worker"][0] == expected


def test_missing_resources_are_deployed_again(dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws) -> None:
    gone = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "Invoke")
    healthy.responses = [gone]
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
    assert result.stdout.endswith("1 bad, 0 to check.\n")


def test_credentials_that_are_refused_are_the_only_finding(
    dev_cafe: Cafe, healthy: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "GetCallerIdentity")
    sts = SimpleNamespace(get_caller_identity=Mock(side_effect=expired))
    monkeypatch.setattr(administrator(), "sts", sts)

    assert findings(dev_cafe) == {"credentials": ("bad", "aws sso login")}


def test_the_page_and_the_api_are_checked(dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws) -> None:
    dev.api.page = Reply(status=403, body={"message": "No"})
    dev.api.status = Reply(body={"degraded": ["rds"]})

    assert {name: state for name, (state, _) in findings(dev_cafe).items()} == {"page": "bad", "api": "warn"}


@pytest.mark.parametrize("records", [{}, {"domain_records": "[]"}])
def test_for_a_domain_without_records_a_deploy_or_the_missing_records_are_named(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws, pulumi: Pulumi, records: dict[str, str]
) -> None:
    outputs = dev.outputs()
    pages = {"page_url": "http://cafe.localhost:9/order-status", "cloudfront_url": outputs["page_url"]}
    pulumi.prints(json.dumps(outputs | pages | records))

    command = "pulumi stack output domain_records --stack dev"
    if not records:
        command = "make deploy STACK=dev ARGS=--refresh"
    assert findings(dev_cafe) == {"page": ("bad", command)}


def test_settings_that_the_page_cannot_use_are_a_finding(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws
) -> None:
    dev.api.config = Reply(body=CONFIG.replace("en-US", "en-12"))

    assert findings(dev_cafe) == {"page": ("bad", "make deploy STACK=dev ARGS=--refresh")}


def test_a_stack_older_than_the_command_needs_a_deploy(
    dev_cafe: Cafe, healthy: FakeFunctions, dev: FakeAws, pulumi: Any
) -> None:
    outputs = dev.outputs()
    del outputs["worker_mapping"]
    pulumi.prints(json.dumps(outputs))

    assert findings(dev_cafe) == {"worker": ("bad", "make deploy STACK=dev ARGS=--refresh")}
