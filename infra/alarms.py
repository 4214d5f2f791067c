"""The alarms, the SNS topic that they notify, and the monthly budget.

`docs/runbook.md` has a page for each alarm; `make docs` writes the tables of alarms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import iam, objective
from infra.api import Api
from infra.budget import monthly_budget
from infra.database import max_connections
from infra.functions import SharedResources
from infra.lambda_function import Functions
from infra.objective import NAMESPACE, Metric

MINUTE = 60  # seconds
# 2 of 5 minutes: ignore a failure that recovers within one minute, but not one that returns.
EVALUATED, BREACHING = 5, 2
GIGABYTE = 1024**3
# Of the setting databaseStorage. RDS enlarges the storage once less than 10 percent has been free for five
# minutes, so half of that is reached only at the storage's limit, or if it fills faster than it grows.
MIN_FREE_STORAGE = 0.05
MAX_CPU = 80  # percent
MAX_CONNECTIONS = 0.8  # of the connections that the database accepts
RUNBOOK = "docs/runbook.md"  # without the setting runbookUrl


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """Inputs of Alarms."""

    shared: SharedResources
    api: Api
    functions: Functions


class Alarms(pulumi.ComponentResource):
    """The alarms, and the topic that they notify when they go off and when they recover."""

    topic: aws.sns.Topic
    runbook: str
    """URL of the runbook, or its path in the repository."""

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Alarms", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._alarms: list[aws.cloudwatch.MetricAlarm] = []
        settings = args.shared.settings
        self.runbook = settings.runbook_url or RUNBOOK

        # Not encrypted: CloudWatch cannot use the AWS-managed key of SNS, and alarms contain no secrets.
        self.topic = aws.sns.Topic("Alarms", opts=self._child)
        if settings.alarm_email:
            aws.sns.TopicSubscription(
                "alarm-email",
                topic=self.topic.arn,
                protocol="email",
                endpoint=settings.alarm_email,
                opts=self._child,
            )
        if settings.monthly_budget:
            monthly_budget(settings, opts=self._child)
        # SNS cannot deliver from one topic to another, so alarms notify each.
        self._actions: list[pulumi.Input[str]] = [self.topic.arn, *settings.alarm_topics]
        self._queues(args)
        self._functions(args)
        self._throttles(args)
        self._reconciliation(args)
        self._database(args)
        if settings.waiting_alarm_minutes:
            self._kitchen(args)
        if settings.recorded_within:
            self._objective(args)
        if settings.retention_days:
            self._retention(args)
        aws.sns.TopicPolicy(
            "Alarms",
            arn=self.topic.arn,
            policy=iam.policy(
                iam.grant(
                    {"Service": "cloudwatch.amazonaws.com"},
                    ["sns:Publish"],
                    self.topic.arn,
                    ArnEquals={"aws:SourceArn": self.arns},
                ),
                iam.require_tls("sns", self.topic.arn) | {"Action": "sns:Publish"},
            ),
            opts=self._child,
        )
        self.register_outputs({})

    @property
    def arns(self) -> list[pulumi.Output[str]]:
        """Return the ARNs of the alarms."""
        return [alarm.arn for alarm in self._alarms]

    def _queues(self, args: AlarmsArgs) -> None:
        messaging = args.shared.messaging
        # ReconcileOrders counts the dead letters every minute; if it cannot, ReconcilerSilent goes off.
        reconciler = args.functions.reconcile_orders.dimensions
        self._alarm(
            "DeadLetters",
            "Messages in OrderDLQ do not contain a valid order and have to be corrected manually.",
            metric=(NAMESPACE, "RejectedDeadLetters", "Maximum", reconciler),
            missing="ignore",
        )
        # The worker's metric ConflictingOrders counts events; this one stays until the conflict is resolved.
        self._alarm(
            "ConflictingOrders",
            "Orders in OrderDLQ have the id of another order: `cafe dlq show` shows both, and `cafe dlq edit`"
            " sets a new id.",
            metric=(NAMESPACE, "ConflictingDeadLetters", "Maximum", reconciler),
            missing="ignore",
        )
        self._alarm(
            "WaitingOrders",
            "Valid orders in OrderDLQ cannot be recorded yet; ReconcileOrders retries every minute.",
            metric=(NAMESPACE, "WaitingDeadLetters", "Maximum", reconciler),
            missing="ignore",
        )
        self._alarm(
            "UndeliveredOrders",
            "SNS could not deliver orders to OrderQueue; they are in OrderSubscriptionDLQ.",
            metric=(
                "AWS/SQS",
                "ApproximateNumberOfMessagesVisible",
                "Maximum",
                {"QueueName": messaging.undelivered.name},
            ),
        )
        self._alarm(
            "OldOrders",
            "Orders wait in OrderQueue for longer than the worker's three attempts take.",
            metric=(
                "AWS/SQS",
                "ApproximateAgeOfOldestMessage",
                "Maximum",
                {"QueueName": messaging.queue.name},
            ),
            threshold=messaging.seconds_to_dead_letter,
        )

    def _functions(self, args: AlarmsArgs) -> None:
        self._alarm(
            "FailedOrders",
            "OrderProcessor could not record orders: a store is unavailable, locked, full or read-only.",
            metric=(NAMESPACE, "FailedOrders", "Sum", args.functions.order_processor.dimensions),
        )
        self._alarm(
            "WorkerErrors",
            "OrderProcessor fails with an error or times out.",
            metric=("AWS/Lambda", "Errors", "Sum", args.functions.order_processor.dimensions),
        )
        self._alarm(
            "OrdersNotCopied",
            "BackupOrders could not copy the orders to their bucket; it retries every six hours.",
            metric=("AWS/Lambda", "Errors", "Sum", args.functions.backup_orders.dimensions),
            datapoints=(1, 1),
            # Keep the state of the last run until the next one.
            missing="ignore",
        )
        self._alarm(
            "OrdersNotTaken",
            "The API responds with 5xx: orders are not accepted, or the order status is unavailable.",
            metric=(
                "AWS/ApiGateway",
                "5XXError",
                "Sum",
                {"ApiName": args.api.rest_api.name, "Stage": args.api.stage.stage_name},
            ),
        )

    def _throttles(self, args: AlarmsArgs) -> None:
        # CloudWatch charges for each metric: these functions take, record and change orders. ReconcilerSilent
        # goes off for the reconciler.
        functions = {
            "take": args.functions.place_order,
            "record": args.functions.order_processor,
            "change": args.functions.staff_orders,
        }
        self._alarm(
            "ThrottledFunctions",
            "Lambda throttles PlaceOrder, OrderProcessor or StaffOrders: the account has reached its limit of"
            " concurrent executions.",
            metric={
                name: ("AWS/Lambda", "Throttles", "Sum", function.dimensions)
                for name, function in functions.items()
            },
            expressions={"throttles": " + ".join(f"FILL({name}, 0)" for name in functions)},
        )

    def _objective(self, args: AlarmsArgs) -> None:
        undelivered = args.shared.messaging.undelivered
        self._alarm(
            "OrdersNotInTime",
            f"More than {objective.MAX_NOT_IN_TIME}% of the last hour's orders, of at least"
            f" {objective.MIN_ORDERS}, were not recorded within recordedWithin seconds; the objective is that"
            f" {objective.OBJECTIVE}% are.",
            metric=objective.metrics(args.functions.order_processor.function.name, undelivered.name),
            expressions=objective.EXPRESSIONS,
            threshold=objective.MAX_NOT_IN_TIME,
            period=objective.HOUR,
            datapoints=(1, 1),
        )

    def _reconciliation(self, args: AlarmsArgs) -> None:
        reconciler = args.functions.reconcile_orders.dimensions
        self._alarm(
            "Drift",
            "DynamoDB differed from MySQL in two consecutive runs of ReconcileOrders.",
            metric=(NAMESPACE, "Drift", "Maximum", reconciler),
            datapoints=(2, 2),
            # In a minute without a run, keep the state.
            missing="ignore",
        )
        self._alarm(
            "ReconcilerSilent",
            "ReconcileOrders has not compared MySQL with DynamoDB, or not read OrderDLQ, for five minutes.",
            metric=(NAMESPACE, "Drift", "SampleCount", reconciler),
            comparison="LessThanThreshold",
            threshold=1,
            datapoints=(EVALUATED, EVALUATED),
            missing="breaching",
        )

    def _kitchen(self, args: AlarmsArgs) -> None:
        self._alarm(
            "LateOrders",
            "An order is not ready waitingAlarmMinutes after it was sent.",
            metric=(NAMESPACE, "OldestWaiting", "Maximum", args.functions.reconcile_orders.dimensions),
            threshold=args.shared.settings.waiting_alarm_minutes * MINUTE,
            # ReconcilerSilent goes off if the metric is missing.
            missing="ignore",
        )

    def _retention(self, args: AlarmsArgs) -> None:
        self._alarm(
            "NamesNotErased",
            "EraseOrders could not erase the names of old orders; it retries every six hours.",
            metric=("AWS/Lambda", "Errors", "Sum", args.functions.erase_orders.dimensions),
            datapoints=(1, 1),
            # Keep the state of the last run until the next one.
            missing="ignore",
        )

    def _database(self, args: AlarmsArgs) -> None:
        instance = {"DBInstanceIdentifier": args.shared.database.instance.identifier}
        self._alarm(
            "DatabaseStorage",
            f"Less than {MIN_FREE_STORAGE:.0%} of databaseStorage is free: the storage has reached its limit,"
            " or fills faster than it grows.",
            metric=("AWS/RDS", "FreeStorageSpace", "Minimum", instance),
            comparison="LessThanThreshold",
            threshold=round(MIN_FREE_STORAGE * args.shared.settings.database_storage * GIGABYTE),
        )
        self._alarm(
            "DatabaseBusy",
            f"The database's CPU utilization has been over {MAX_CPU}% for 15 minutes.",
            metric=("AWS/RDS", "CPUUtilization", "Average", instance),
            threshold=MAX_CPU,
            period=5 * MINUTE,
            datapoints=(3, 3),
        )
        self._alarm(
            "DatabaseConnections",
            f"More than {MAX_CONNECTIONS:.0%} of the database's connections are in use; when none is left,"
            " orders wait.",
            metric=("AWS/RDS", "DatabaseConnections", "Maximum", instance),
            threshold=int(MAX_CONNECTIONS * max_connections(args.shared.settings.database_instance_class)),
        )
        # RDS never throttles a burstable instance: it charges for CPU beyond the class's credits. Other
        # classes do not have this metric.
        self._alarm(
            "DatabaseCredits",
            "The database uses more CPU than its burstable class includes, and AWS charges for the surplus.",
            metric=("AWS/RDS", "CPUSurplusCreditsCharged", "Maximum", instance),
            period=5 * MINUTE,
            datapoints=(1, 1),
        )

    def _alarm(
        self,
        name: str,
        description: str,
        *,
        metric: Metric
        | Mapping[str, Metric],  # several by id for `expressions`, the last of which is watched
        expressions: Mapping[str, str] = MappingProxyType({}),
        threshold: float = 0,
        comparison: str = "GreaterThanThreshold",
        period: int = MINUTE,
        datapoints: tuple[int, int] = (BREACHING, EVALUATED),
        missing: str = "notBreaching",
    ) -> None:
        breaching, evaluated = datapoints
        alarm = aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=f"{description} What to do: {self.runbook}#{name.lower()}",
            comparison_operator=comparison,
            threshold=threshold,
            evaluation_periods=evaluated,
            datapoints_to_alarm=breaching,
            treat_missing_data=missing,
            alarm_actions=self._actions,
            ok_actions=self._actions,
            opts=self._child,
            **_watched(metric, expressions, period),
        )
        self._alarms.append(alarm)


def _watched(metric: Metric | Mapping[str, Metric], expressions: Mapping[str, str], period: int) -> Any:
    """Return an alarm's inputs for a metric, or for the last of several expressions."""
    if isinstance(metric, tuple):
        return {**_statistic(metric, "statistic"), "period": period}
    queries: list[dict[str, Any]] = [
        {"id": key, "metric": {**_statistic(each, "stat"), "period": period}} for key, each in metric.items()
    ]
    queries += [{"id": key, "expression": text} for key, text in expressions.items()]
    queries[-1] |= {"label": queries[-1]["id"], "return_data": True}
    return {"metric_queries": queries}


def _statistic(metric: Metric, key: str) -> dict[str, Any]:
    namespace, name, statistic, dimensions = metric
    return {"namespace": namespace, "metric_name": name, key: statistic, "dimensions": dimensions}
