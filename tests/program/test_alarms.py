"""The alarms with their metrics and thresholds, and the budget."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import failure_log
import log
from infra import alarms
from orders import backoff
from tests.program.conftest import Program
from tests.program.setting_values import CHANGED

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
def test_an_alarm_has_its_metric_and_notifies_the_topic(program: Program, name: str) -> None:
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
    # CloudWatch cannot use the AWS-managed key of SNS.
    assert "kmsMasterKeyId" not in program.one("sns/topic:Topic", "Alarms").inputs


def test_late_orders_raise_an_alarm_if_the_setting_is_set(
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
    # CloudWatch charges for each metric, so it is published only for the alarm.
    assert (publishes(program), publishes(dev)) == (True, False)


def test_orders_are_old_when_they_should_be_in_the_dead_letter_queue(
    with_settings: Callable[..., Program],
) -> None:
    delays = round(sum(backoff.DELAYS) * (1 + backoff.JITTER))
    program = with_settings(**CHANGED)
    assert program.one(ALARM, "OldOrders").inputs["threshold"] == 3 * (120 + 5) + delays


def test_the_storage_alarm_goes_off_below_the_threshold_of_autoscaling(program: Program) -> None:
    """RDS adds storage when a tenth of it is free."""
    allocated = program.one("rds/instance:Instance").inputs["allocatedStorage"]
    threshold = program.one(ALARM, "DatabaseStorage").inputs["threshold"]
    assert threshold == allocated * 1024**3 / 20


def test_charged_cpu_credits_raise_an_alarm_and_missing_data_does_not(program: Program) -> None:
    """The metric has a datapoint every five minutes, and exists for burstable classes only."""
    alarm = program.one(ALARM, "DatabaseCredits").inputs
    assert (alarm["metricName"], alarm["statistic"], alarm["period"]) == (
        "CPUSurplusCreditsCharged",
        "Maximum",
        300,
    )
    assert (alarm["threshold"], alarm["comparisonOperator"]) == (0, "GreaterThanThreshold")
    assert alarm["treatMissingData"] == "notBreaching"


def test_drift_in_two_runs_raises_an_alarm_and_so_do_missing_runs(program: Program) -> None:
    drift, silent = program.one(ALARM, "Drift").inputs, program.one(ALARM, "ReconcilerSilent").inputs
    assert (drift["datapointsToAlarm"], drift["evaluationPeriods"], drift["period"]) == (2, 2, 60)
    assert (silent["statistic"], silent["comparisonOperator"]) == ("SampleCount", "LessThanThreshold")
    assert silent["treatMissingData"] == "breaching"


def test_each_kind_of_dead_letter_has_its_own_alarm(program: Program) -> None:
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
        # Missing data does not end an alarm.
        assert alarm["treatMissingData"] == "ignore"


def test_alarms_are_sent_to_the_address_if_there_is_one(
    with_settings: Callable[..., Program], dev: Program
) -> None:
    assert len(dev.all("sns/topicSubscription:TopicSubscription")) == 1
    subscription = with_settings(**CHANGED).one("sns/topicSubscription:TopicSubscription", "alarm-email")
    assert (subscription.inputs["protocol"], subscription.inputs["endpoint"]) == ("email", "ops@example.org")
    assert subscription.inputs["topic"] == "arn:Topic.Alarms"


BUDGET = "budgets/budget:Budget"


def test_a_budget_notifies_the_address_of_the_alarms_before_it_is_spent(
    with_settings: Callable[..., Program], program: Program
) -> None:
    assert program.all(BUDGET) == []
    budget = with_settings(monthlyBudget="30", alarmEmail="ops@example.org").one(BUDGET).inputs
    assert (budget["limitAmount"], budget["limitUnit"], budget["timeUnit"]) == ("30", "USD", "MONTHLY")
    kinds = [(n["notificationType"], n["threshold"]) for n in budget["notifications"]]
    assert kinds == [("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)]
    # Not through the topic, whose subscription has to be confirmed.
    assert all(n["subscriberEmailAddresses"] == ["ops@example.org"] for n in budget["notifications"])
    assert "costFilters" not in budget


def test_a_budget_by_tag_counts_this_stack_only(
    with_settings: Callable[..., Program],
) -> None:
    program = with_settings(**CHANGED)
    assert program.one(BUDGET).inputs["costFilters"] == [
        {"name": "TagKeyValue", "values": ["user:Stack$dev"]}
    ]
    assert program.one("sqs/queue:Queue", "OrderQueue").inputs["tags"]["Stack"] == "dev"


def test_namespace_and_metrics_are_those_that_the_functions_publish(program: Program) -> None:
    assert alarms.NAMESPACE == log.NAMESPACE
    assert program.one(ALARM, "FailedOrders").inputs["metricName"] == failure_log.FAILED_ORDERS


def test_the_worker_counts_failures_with_the_visibility_timeout_of_the_queue(program: Program) -> None:
    queue = program.one("sqs/queue:Queue", "OrderQueue").inputs
    worker = program.one("lambda/function:Function", "OrderProcessor").inputs
    assert queue["visibilityTimeoutSeconds"] >= backoff.VISIBILITY_PER_TIMEOUT * worker["timeout"]


def test_failures_in_two_of_five_minutes_raise_an_alarm_and_missing_data_does_not(program: Program) -> None:
    failed = program.one(ALARM, "FailedOrders").inputs
    assert (failed["statistic"], failed["threshold"], failed["comparisonOperator"]) == (
        "Sum",
        0,
        "GreaterThanThreshold",
    )
    assert (failed["datapointsToAlarm"], failed["evaluationPeriods"], failed["period"]) == (2, 5, 60)
    assert failed["treatMissingData"] == "notBreaching"
