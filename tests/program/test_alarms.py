"""The alarms with their metrics and thresholds, and the budget."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import failure_log
import log
from infra import database, objective
from infra.alarm_parsers import MAX_URL
from infra.generated_docs import WITH_ALL_ALARMS
from infra.recording import ROOT
from infra.setting_parsers import INSTANCE_CLASSES
from orders import backoff
from tests.docs import markdown
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
    "DatabaseConnections": ("AWS/RDS", {"DBInstanceIdentifier": "Instance.cafe-db"}),
    # Of the last metric of an expression
    "ThrottledFunctions": ("AWS/Lambda", {"FunctionName": "Function.StaffOrders"}),
    "OrdersNotInTime": ("AWS/SQS", {"QueueName": "Queue.OrderSubscriptionDLQ"}),
}
MAX_DESCRIPTION = 1024  # characters
ALARM = "cloudwatch/metricAlarm:MetricAlarm"


def test_these_are_the_alarms(program: Program) -> None:
    assert {alarm.name for alarm in program.all(ALARM)} == set(ALARMS)


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_has_its_metric_and_notifies_the_topic(program: Program, name: str) -> None:
    alarm = program.one(ALARM, name).inputs
    *_, metric = [query["metric"] for query in alarm.get("metricQueries", []) if "metric" in query] or [alarm]
    assert (metric["namespace"], metric["dimensions"]) == ALARMS[name]
    assert alarm["alarmActions"] == alarm["okActions"] == ["arn:Topic.Alarms"]


def test_each_alarm_links_to_its_page_of_the_runbook(with_settings: Callable[..., Program]) -> None:
    url = "https://git.example.org/" + "x" * (MAX_URL - 24)
    program = with_settings(runbookUrl=url, **WITH_ALL_ALARMS)
    assert program.outputs["runbook_url"] == url
    alarms = program.all(ALARM)
    assert len(alarms) == len(ALARMS) + len(WITH_ALL_ALARMS)
    anchors = markdown.anchors(ROOT / "docs/runbook.md")
    for alarm in alarms:
        description = alarm.inputs["alarmDescription"]
        page, _, anchor = description.rpartition("#")
        assert page.endswith(f" What to do: {url}")
        assert anchor == alarm.name.lower() in anchors
        assert len(description) <= MAX_DESCRIPTION


def test_alarms_also_notify_the_owners_topics(with_settings: Callable[..., Program]) -> None:
    (topic,) = json.loads(CHANGED["alarmTopics"])
    for alarm in with_settings(**CHANGED).all(ALARM):
        assert alarm.inputs["alarmActions"] == alarm.inputs["okActions"] == ["arn:Topic.Alarms", topic]


def test_an_objective_of_0_has_neither_alarm_nor_metrics(with_settings: Callable[..., Program]) -> None:
    program = with_settings(recordedWithin="0", alarmEmail="ops@example.org")
    assert "OrdersNotInTime" not in {alarm.name for alarm in program.all(ALARM)}
    worker = program.one("lambda/function:Function", "OrderProcessor").inputs
    assert "RECORDED_WITHIN" not in worker["environment"]["variables"]


def test_throttles_of_any_function_that_orders_need_raise_an_alarm(dev: Program) -> None:
    queries = dev.one(ALARM, "ThrottledFunctions").inputs["metricQueries"]
    functions = {query["metric"]["dimensions"]["FunctionName"] for query in queries if "metric" in query}
    assert functions == {f"Function.{name}" for name in ("PlaceOrder", "OrderProcessor", "StaffOrders")}
    assert {query["metric"]["metricName"] for query in queries if "metric" in query} == {"Throttles"}
    assert queries[-1]["expression"] == "FILL(take, 0) + FILL(record, 0) + FILL(change, 0)"


@pytest.mark.parametrize(
    ("instance_class", "gibibytes"),
    [("db.t4g.micro", 1), ("db.t3.2xlarge", 32), ("db.m7g.large", 8), ("db.r8g.48xlarge", 1536)],
)
def test_the_memory_of_an_instance_class_follows_from_its_family_and_size(
    instance_class: str, gibibytes: int
) -> None:
    assert database.memory(instance_class) == gibibytes


def test_the_alarm_of_connections_goes_off_before_a_reported_limit_is_reached(program: Program) -> None:
    alarm = program.one(ALARM, "DatabaseConnections").inputs
    reported = {"db.t4g.micro": 66, "db.t4g.small": 150}
    limit = reported[program.one("rds/instance:Instance").inputs["instanceClass"]]
    assert 0.6 * limit < alarm["threshold"] < 0.8 * limit
    assert all(database.max_connections(each) >= 50 for each in INSTANCE_CLASSES)


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
    assert late["alarmDescription"].endswith("docs/runbook.md#lateorders")
    # CloudWatch charges for each metric, so it is published only for the alarm.
    assert (publishes(program), publishes(dev)) == (True, False)


def test_a_failed_run_raises_an_alarm_while_names_have_to_be_erased(
    with_settings: Callable[..., Program],
) -> None:
    alarm = with_settings(**CHANGED).one(ALARM, "NamesNotErased").inputs
    assert (alarm["metricName"], alarm["dimensions"]) == ("Errors", {"FunctionName": "Function.EraseOrders"})
    assert (alarm["evaluationPeriods"], alarm["treatMissingData"]) == (1, "ignore")


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
    assert objective.NAMESPACE == log.NAMESPACE
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
