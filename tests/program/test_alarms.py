"""What wakes somebody, what runs by the clock, and that both are wired to the right things."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

import failure_log
import log
from infra import alarms
from orders import backoff
from tests.program.conftest import Program
from tests.program.test_setting_effects import OTHERS

ALARMS = {
    "DeadLetters": ("CafeOrders", {"FunctionName": "Function.ReconcileOrders"}),
    "ConflictingOrders": ("CafeOrders", {"FunctionName": "Function.ReconcileOrders"}),
    "WaitingOrders": ("CafeOrders", {"FunctionName": "Function.ReconcileOrders"}),
    "UndeliveredOrders": ("AWS/SQS", {"QueueName": "Queue.OrderSubscriptionDLQ"}),
    "OldOrders": ("AWS/SQS", {"QueueName": "Queue.OrderQueue"}),
    "FailedOrders": ("CafeOrders", {"FunctionName": "Function.OrderProcessor"}),
    "WorkerErrors": ("AWS/Lambda", {"FunctionName": "Function.OrderProcessor"}),
    "OrdersNotCopied": ("AWS/Lambda", {"FunctionName": "Function.BackupOrders"}),
    "OrdersNotTaken": ("AWS/ApiGateway", {"ApiName": "RestApi.orders", "Stage": "prod"}),
    "Drift": ("CafeOrders", {"FunctionName": "Function.ReconcileOrders"}),
    "ReconcilerSilent": ("CafeOrders", {"FunctionName": "Function.ReconcileOrders"}),
    "DatabaseStorage": ("AWS/RDS", {"DBInstanceIdentifier": "Instance.cafe-db"}),
    "DatabaseBusy": ("AWS/RDS", {"DBInstanceIdentifier": "Instance.cafe-db"}),
    "DatabaseCredits": ("AWS/RDS", {"DBInstanceIdentifier": "Instance.cafe-db"}),
}
ALARM = "cloudwatch/metricAlarm:MetricAlarm"


def test_these_are_the_alarms(program: Program) -> None:
    assert {alarm.name for alarm in program.all(ALARM)} == set(ALARMS)


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_its_own_thing_and_tells_the_topic(program: Program, name: str) -> None:
    alarm = program.one(ALARM, name).inputs
    assert (alarm["namespace"], alarm["dimensions"]) == ALARMS[name]
    assert alarm["alarmActions"] == alarm["okActions"] == ["arn:Topic.Alarms"]
    assert alarm["alarmDescription"].endswith(f"docs/runbook.md, {name}.")


def test_only_the_alarms_may_publish_to_their_topic(program: Program) -> None:
    policy = program.one("sns/topicPolicy:TopicPolicy", "Alarms").policy()
    (allowed,) = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Resource"] == ["arn:Topic.Alarms"]
    sources = allowed["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert set(sources) == {f"arn:MetricAlarm.{name}" for name in ALARMS}


def test_cloudwatch_can_publish_to_the_topic_of_the_alarms(program: Program) -> None:
    # It may not use the key that AWS manages for SNS.
    assert "kmsMasterKeyId" not in program.one("sns/topic:Topic", "Alarms").inputs


def test_orders_that_nobody_makes_are_an_alarm_if_the_setting_says_after_how_long(
    with_settings: Callable[..., Program], dev: Program
) -> None:
    def publishes(program: Program) -> bool:
        environment = program.one("lambda/function:Function", "ReconcileOrders").inputs["environment"]
        return "PUBLISH_OLDEST_WAITING" in environment["variables"]

    program = with_settings(waitingAlarmMinutes="20")
    late = program.one(ALARM, "LateOrders").inputs
    assert (late["metricName"], late["threshold"], late["statistic"]) == ("OldestWaiting", 1200, "Maximum")
    assert (late["namespace"], late["treatMissingData"]) == ("CafeOrders", "ignore")
    assert late["alarmDescription"].endswith("docs/runbook.md, LateOrders.")
    # Each metric costs money: nobody pays for one that no alarm watches.
    assert (publishes(program), publishes(dev)) == (True, False)


def test_orders_are_old_when_three_attempts_would_have_dead_lettered_them(
    with_settings: Callable[..., Program],
) -> None:
    delays = round(sum(backoff.DELAYS) * (1 + backoff.JITTER))
    program = with_settings(workerTimeout="60", batchWindow="5")
    assert program.one(ALARM, "OldOrders").inputs["threshold"] == 3 * (60 + 5) + delays


def test_the_storage_alarm_goes_off_where_growth_has_ended_and_not_where_it_begins(
    program: Program,
) -> None:
    """RDS adds storage when a tenth of it is left."""
    allocated = program.one("rds/instance:Instance").inputs["allocatedStorage"]
    threshold = program.one(ALARM, "DatabaseStorage").inputs["threshold"]
    assert threshold == allocated * 1024**3 / 20


def test_credits_that_are_charged_are_an_alarm_and_no_data_is_good(program: Program) -> None:
    """The metric has a point every five minutes, and only burstable classes have it."""
    alarm = program.one(ALARM, "DatabaseCredits").inputs
    assert (alarm["metricName"], alarm["statistic"], alarm["period"]) == (
        "CPUSurplusCreditsCharged",
        "Maximum",
        300,
    )
    assert (alarm["threshold"], alarm["comparisonOperator"]) == (0, "GreaterThanThreshold")
    assert alarm["treatMissingData"] == "notBreaching"


def test_a_drift_of_two_runs_is_an_alarm_and_so_is_a_silence(program: Program) -> None:
    drift, silent = program.one(ALARM, "Drift").inputs, program.one(ALARM, "ReconcilerSilent").inputs
    assert (drift["datapointsToAlarm"], drift["evaluationPeriods"], drift["period"]) == (2, 2, 60)
    assert (silent["statistic"], silent["comparisonOperator"]) == ("SampleCount", "LessThanThreshold")
    assert silent["treatMissingData"] == "breaching"


def test_each_kind_of_dead_letter_has_an_alarm_of_its_own(program: Program) -> None:
    names = ("DeadLetters", "ConflictingOrders", "WaitingOrders")
    alarms = [program.one(ALARM, name).inputs for name in names]
    metrics = ["RejectedDeadLetters", "ConflictingDeadLetters", "WaitingDeadLetters"]
    assert [alarm["metricName"] for alarm in alarms] == metrics
    for alarm in alarms:
        assert (alarm["statistic"], alarm["comparisonOperator"], alarm["threshold"]) == (
            "Maximum",
            "GreaterThanThreshold",
            0,
        )
        # An alarm does not end because nobody looks any more.
        assert alarm["treatMissingData"] == "ignore"


def test_alarms_go_to_an_address_if_there_is_one(with_settings: Callable[..., Program], dev: Program) -> None:
    assert len(dev.all("sns/topicSubscription:TopicSubscription")) == 1
    told = with_settings(alarmEmail="ops@example.org").one(
        "sns/topicSubscription:TopicSubscription", "alarm-email"
    )
    assert (told.inputs["protocol"], told.inputs["endpoint"]) == ("email", "ops@example.org")
    assert told.inputs["topic"] == "arn:Topic.Alarms"


BUDGET = "budgets/budget:Budget"


def test_a_budget_writes_to_the_address_of_the_alarms_before_it_is_spent(
    with_settings: Callable[..., Program], program: Program
) -> None:
    assert program.all(BUDGET) == []
    budget = with_settings(monthlyBudget="30", alarmEmail="ops@example.org").one(BUDGET).inputs
    assert (budget["limitAmount"], budget["limitUnit"], budget["timeUnit"]) == ("30", "USD", "MONTHLY")
    kinds = [(n["notificationType"], n["threshold"]) for n in budget["notifications"]]
    assert kinds == [("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)]
    # Not through the topic, whose address has to confirm.
    assert {*map(str, (n["subscriberEmailAddresses"] for n in budget["notifications"]))} == {
        "['ops@example.org']"
    }
    assert "costFilters" not in budget


def test_a_budget_counts_the_stack_alone_where_its_tag_is_activated(
    with_settings: Callable[..., Program],
) -> None:
    program = with_settings(**OTHERS)
    assert program.one(BUDGET).inputs["costFilters"] == [
        {"name": "TagKeyValue", "values": ["user:Stack$dev"]}
    ]
    assert program.one("sqs/queue:Queue", "OrderQueue").inputs["tags"]["Stack"] == "dev"


def test_the_namespace_and_the_names_are_those_that_the_functions_publish(program: Program) -> None:
    assert alarms.NAMESPACE == log.NAMESPACE
    assert program.one(ALARM, "FailedOrders").inputs["metricName"] == failure_log.FAILED_ORDERS


def test_failures_are_counted_with_the_visibility_that_the_queue_has(program: Program) -> None:
    queue = program.one("sqs/queue:Queue", "OrderQueue").inputs
    worker = program.one("lambda/function:Function", "OrderProcessor").inputs
    assert queue["visibilityTimeoutSeconds"] >= failure_log.VISIBILITY_PER_TIMEOUT * worker["timeout"]


def test_orders_that_fail_in_two_minutes_of_five_are_an_alarm_and_no_data_is_none(program: Program) -> None:
    failed = program.one(ALARM, "FailedOrders").inputs
    assert (failed["statistic"], failed["threshold"], failed["comparisonOperator"]) == (
        "Sum",
        0,
        "GreaterThanThreshold",
    )
    assert (failed["datapointsToAlarm"], failed["evaluationPeriods"], failed["period"]) == (2, 5, 60)
    assert failed["treatMissingData"] == "notBreaching"


def test_the_reconciler_runs_every_minute(program: Program) -> None:
    rule = program.one("cloudwatch/eventRule:EventRule", "ReconcileOrders")
    assert re.fullmatch(r"rate\(1 minute\)", rule.inputs["scheduleExpression"])
    target = program.one("cloudwatch/eventTarget:EventTarget", "ReconcileOrders")
    assert target.inputs["arn"] == "arn:Function.ReconcileOrders"
    assert target.inputs["rule"] == "EventRule.ReconcileOrders"


def test_every_counter_is_audited_every_hour_in_an_invocation_of_its_own(program: Program) -> None:
    rule = program.one("cloudwatch/eventRule:EventRule", "AuditOrders")
    assert rule.inputs["scheduleExpression"] == "rate(1 hour)"
    target = program.one("cloudwatch/eventTarget:EventTarget", "AuditOrders").inputs
    assert json.loads(target["input"]) == {"command": "full", "source": "aws.events"}
    assert target["rule"] == "EventRule.AuditOrders"


@pytest.mark.parametrize("name", ["ReconcileOrders", "BackupOrders"])
def test_only_its_rule_may_call_it_and_a_failed_run_is_not_repeated(program: Program, name: str) -> None:
    permission = program.one("lambda/permission:Permission", name).inputs
    assert permission["principal"] == "events.amazonaws.com"
    assert permission["sourceArn"] == f"arn:EventRule.{name}"
    asynchronous = program.one("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", name).inputs
    assert asynchronous["maximumRetryAttempts"] == 0
    assert asynchronous["functionName"] == f"Function.{name}"
