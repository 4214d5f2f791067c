"""What wakes somebody: one alarm per thing that goes wrong, all to one topic.

`docs/runbook.md` has a page for each, under its name here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.api import Api
from infra.budget import monthly_budget
from infra.database import Database
from infra.functions import Surroundings
from infra.lambda_function import Function
from infra.messaging import Messaging

MINUTE = 60  # seconds
# Two of five minutes: what mends itself within one wakes nobody, and what comes and goes is still seen.
EVALUATED, BREACHING = 5, 2
NAMESPACE = "CafeOrders"  # of what the functions publish
GIGABYTE = 1024**3
# Of the setting databaseStorage. RDS lets the storage grow when only a tenth of it is free for five minutes:
# half of that is reached at the storage's limit, or if it fills faster than it grows.
STORAGE_LEFT = 0.05
BUSY = 80  # percent of the database's processors


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """What is watched, and who is told."""

    # Watched
    messaging: Messaging
    worker: Function
    reconciler: Function
    copier: Function
    api: Api
    database: Database
    database_storage: int  # gigabytes
    waiting_minutes: int  # after which an order that is not ready is late; 0: no order ever is

    # Told
    email: str  # empty for nobody; programs may subscribe to the topic all the same
    monthly_budget: int  # US dollars; 0 for none
    budget_by_tag: bool

    @classmethod
    def of(
        cls, given: Surroundings, api: Api, *, worker: Function, reconciler: Function, copier: Function
    ) -> AlarmsArgs:
        """Take the rest from the stack's settings and parts."""
        return cls(
            messaging=given.messaging,
            worker=worker,
            reconciler=reconciler,
            copier=copier,
            api=api,
            database=given.database,
            database_storage=given.settings.database_storage,
            waiting_minutes=given.settings.waiting_alarm_minutes,
            email=given.settings.alarm_email,
            monthly_budget=given.settings.monthly_budget,
            budget_by_tag=given.settings.budget_by_tag,
        )


class Alarms(pulumi.ComponentResource):
    """The alarms and the topic that they tell when they go off and when it is over."""

    topic: aws.sns.Topic

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Alarms", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._alarms: list[aws.cloudwatch.MetricAlarm] = []

        # Not encrypted: CloudWatch may not use the key that AWS keeps for SNS, and an alarm tells no secret.
        self.topic = aws.sns.Topic("Alarms", opts=self._child)
        if args.email:
            aws.sns.TopicSubscription(
                "alarm-email", topic=self.topic.arn, protocol="email", endpoint=args.email, opts=self._child
            )
        if args.monthly_budget:
            monthly_budget(args.monthly_budget, args.email, by_tag=args.budget_by_tag, opts=self._child)
        self._orders_that_are_stuck(args)
        self._functions(args)
        self._the_books(args)
        self._database(args)
        if args.waiting_minutes:
            self._kitchen(args)
        aws.sns.TopicPolicy(
            "Alarms",
            arn=self.topic.arn,
            policy=iam.policy(
                iam.accept_from(
                    {"Service": "cloudwatch.amazonaws.com"},
                    ["sns:Publish"],
                    self.topic.arn,
                    ArnEquals={"aws:SourceArn": [alarm.arn for alarm in self._alarms]},
                ),
                iam.refuse_plain_http("sns", self.topic.arn) | {"Action": "sns:Publish"},
            ),
            opts=self._child,
        )
        self.register_outputs({})

    def _orders_that_are_stuck(self, args: AlarmsArgs) -> None:
        messaging = args.messaging
        # ReconcileOrders looks at every dead letter each minute. While it cannot, nothing is known, and
        # ReconcilerSilent goes off.
        reconciler = {"FunctionName": args.reconciler.function.name}
        self._alarm(
            "DeadLetters",
            "Messages in OrderDLQ hold no valid order: a person has to look at them.",
            metric=(NAMESPACE, "RejectedDeadLetters", "Maximum"),
            dimensions=reconciler,
            missing="ignore",
        )
        # Not the worker's ConflictingOrders, which counts: this one lasts until a person has decided.
        self._alarm(
            "ConflictingOrders",
            "Orders in OrderDLQ are not recorded, because their id belongs to another order: `cafe dlq show`"
            " shows both, and `cafe dlq edit` gives one another id.",
            metric=(NAMESPACE, "ConflictingDeadLetters", "Maximum"),
            dimensions=reconciler,
            missing="ignore",
        )
        self._alarm(
            "WaitingOrders",
            "Orders wait in OrderDLQ that cannot be recorded now; ReconcileOrders tries each minute.",
            metric=(NAMESPACE, "WaitingDeadLetters", "Maximum"),
            dimensions=reconciler,
            missing="ignore",
        )
        self._alarm(
            "UndeliveredOrders",
            "SNS could not deliver orders to OrderQueue; they are in OrderSubscriptionDLQ.",
            metric=("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"),
            dimensions={"QueueName": messaging.undelivered.name},
        )
        self._alarm(
            "OldOrders",
            "Orders wait in OrderQueue for longer than the worker's three attempts take.",
            metric=("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum"),
            dimensions={"QueueName": messaging.queue.name},
            threshold=messaging.seconds_to_dead_letter,
        )

    def _functions(self, args: AlarmsArgs) -> None:
        self._alarm(
            "FailedOrders",
            "OrderProcessor could not record orders: a store is away, locked, full or read-only.",
            metric=(NAMESPACE, "FailedOrders", "Sum"),
            dimensions={"FunctionName": args.worker.function.name},
        )
        self._alarm(
            "WorkerErrors",
            "OrderProcessor ends with an error or runs out of time.",
            metric=("AWS/Lambda", "Errors", "Sum"),
            dimensions={"FunctionName": args.worker.function.name},
        )
        self._alarm(
            "OrdersNotCopied",
            "BackupOrders could not copy the orders to their bucket; it tries again every six hours.",
            metric=("AWS/Lambda", "Errors", "Sum"),
            dimensions={"FunctionName": args.copier.function.name},
            datapoints=(1, 1),
            # It runs every six hours; until the next run, what the last one found is still so.
            missing="ignore",
        )
        self._alarm(
            "OrdersNotTaken",
            "The API answers with 5xx: orders are not taken, or the status is not told.",
            metric=("AWS/ApiGateway", "5XXError", "Sum"),
            dimensions={"ApiName": args.api.rest_api.name, "Stage": args.api.stage.stage_name},
        )

    def _the_books(self, args: AlarmsArgs) -> None:
        reconciler = {"FunctionName": args.reconciler.function.name}
        self._alarm(
            "Drift",
            "DynamoDB differed from RDS in two runs of ReconcileOrders in a row.",
            metric=(NAMESPACE, "Drift", "Maximum"),
            dimensions=reconciler,
            datapoints=(2, 2),
            # A minute without a run says nothing, either way.
            missing="ignore",
        )
        self._alarm(
            "ReconcilerSilent",
            "ReconcileOrders has not compared RDS with DynamoDB, or not read OrderDLQ, for five minutes.",
            metric=(NAMESPACE, "Drift", "SampleCount"),
            comparison="LessThanThreshold",
            dimensions=reconciler,
            threshold=1,
            datapoints=(EVALUATED, EVALUATED),
            missing="breaching",
        )

    def _kitchen(self, args: AlarmsArgs) -> None:
        self._alarm(
            "LateOrders",
            f"An order is not ready {args.waiting_minutes} minutes after it came.",
            metric=(NAMESPACE, "OldestWaiting", "Maximum"),
            dimensions={"FunctionName": args.reconciler.function.name},
            threshold=args.waiting_minutes * MINUTE,
            # ReconcilerSilent goes off when nobody measures.
            missing="ignore",
        )

    def _database(self, args: AlarmsArgs) -> None:
        instance = {"DBInstanceIdentifier": args.database.instance.identifier}
        self._alarm(
            "DatabaseStorage",
            "The database's storage is nearly full: it has reached its limit, or fills faster than it grows.",
            metric=("AWS/RDS", "FreeStorageSpace", "Minimum"),
            comparison="LessThanThreshold",
            dimensions=instance,
            threshold=round(STORAGE_LEFT * args.database_storage * GIGABYTE),
        )
        self._alarm(
            "DatabaseBusy",
            f"The database's processors are busier than {BUSY} percent for a quarter of an hour.",
            metric=("AWS/RDS", "CPUUtilization", "Average"),
            dimensions=instance,
            threshold=BUSY,
            period=5 * MINUTE,
            datapoints=(3, 3),
        )

        # A burstable instance never slows down: beyond what it earns in a day, each hour of a processor is
        # charged. Other classes have no such metric.
        self._alarm(
            "DatabaseCredits",
            "The database needs more of its processors than its class includes: the surplus is charged.",
            metric=("AWS/RDS", "CPUSurplusCreditsCharged", "Maximum"),
            dimensions=instance,
            period=5 * MINUTE,
            datapoints=(1, 1),
        )

    def _alarm(
        self,
        name: str,
        description: str,
        *,
        metric: tuple[str, str, str],  # its namespace, name and statistic
        dimensions: Mapping[str, pulumi.Input[str]],
        threshold: float = 0,
        comparison: str = "GreaterThanThreshold",
        period: int = MINUTE,
        datapoints: tuple[int, int] = (BREACHING, EVALUATED),  # how many of how many
        missing: str = "notBreaching",
    ) -> None:
        namespace, metric_name, statistic = metric
        breaching, evaluated = datapoints
        alarm = aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=f"{description} What to do: docs/runbook.md, {name}.",
            namespace=namespace,
            metric_name=metric_name,
            statistic=statistic,
            dimensions=dimensions,
            comparison_operator=comparison,
            threshold=threshold,
            period=period,
            evaluation_periods=evaluated,
            datapoints_to_alarm=breaching,
            treat_missing_data=missing,
            alarm_actions=[self.topic.arn],
            ok_actions=[self.topic.arn],
            opts=self._child,
        )
        self._alarms.append(alarm)
