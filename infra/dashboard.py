"""The CloudWatch dashboard: how orders come in and are recorded, and what delays or stops them.

Where its figures by reason come from: docs/decisions/0025-watching-a-stack.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.alarms import Alarms, AlarmsArgs
from infra.database import max_connections
from infra.lambda_function import Function
from infra.objective import NAMESPACE, Metric

COLUMNS, WIDTH, HEIGHT = 3, 8, 6  # CloudWatch's grid has 24 columns
PERIOD = 60  # seconds
# CloudWatch Logs charges for what a query reads, but only while the dashboard is open. Without the order's
# id, the reasons of conflicts are equal.
FAILURES = r"""filter message in ["Order not processed", "Message rejected"]
| parse reason /(?:orderId \S+ )?(?<why>.*)/
| stats count_distinct(messageId) as messages, max(@timestamp) as latest by why
| sort messages desc"""
DEAD_LETTERS = """filter message = "Swept"
| filter ispresent(rejectedReason) or ispresent(conflictingReason) or ispresent(waitingReason)
| sort @timestamp desc
| limit 20
| display @timestamp, rejectedReason, conflictingReason, waitingReason"""

Lines = Mapping[str, Metric]
"""Metrics by label."""


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """Inputs of Dashboard."""

    observed: AlarmsArgs  # what the alarms watch
    alarms: Alarms


class Dashboard(pulumi.ComponentResource):
    """The dashboard, and the URL at which the console shows it."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Dashboard", name, None, opts)
        region = args.observed.shared.region
        widgets = [
            {
                **widget,
                "width": WIDTH,
                "height": HEIGHT,
                "x": number % COLUMNS * WIDTH,
                "y": number // COLUMNS * HEIGHT,
            }
            for number, widget in enumerate(_widgets(args, region))
        ]
        dashboard = aws.cloudwatch.Dashboard(
            name,
            dashboard_name=f"{pulumi.get_project()}-{pulumi.get_stack()}",
            dashboard_body=pulumi.Output.json_dumps({"widgets": widgets}),
            opts=pulumi.ResourceOptions(parent=self),
        )
        console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        self.url = pulumi.Output.concat(console, "#dashboards/dashboard/", dashboard.dashboard_name)
        self.register_outputs({})


def _widgets(args: DashboardArgs, region: str) -> Iterator[dict[str, Any]]:
    parts = (part(args.observed) for part in (_orders, _queues, _failures, _database))
    for widget in chain.from_iterable(parts):
        yield {**widget, "properties": {"region": region, **widget["properties"]}}
    yield {"type": "alarm", "properties": {"title": "Alarms", "alarms": args.alarms.arns}}


def _orders(args: AlarmsArgs) -> Iterator[dict[str, Any]]:
    worker = args.functions.order_processor.dimensions
    time = (NAMESPACE, "TimeToRecord")
    yield _graph(
        "Orders per minute",
        {
            "published to OrderTopic": (
                "AWS/SNS",
                "NumberOfMessagesPublished",
                "Sum",
                {"TopicName": args.shared.messaging.topic.name},
            ),
            "recorded": (*time, "SampleCount", worker),
        },
    )
    within = args.shared.settings.recorded_within
    yield _graph(
        "Seconds from acceptance to recorded",
        {statistic: (*time, statistic, worker) for statistic in ("p50", "p95", "p99")},
        {f"objective: 99% within {within} seconds": within} if within else {},
    )
    response = args.functions.get_order_status.dimensions
    yield _graph(
        "Milliseconds of a response with the order status",
        {statistic: ("AWS/Lambda", "Duration", statistic, response) for statistic in ("p50", "p95", "p99")},
    )


def _queues(args: AlarmsArgs) -> Iterator[dict[str, Any]]:
    messaging = args.shared.messaging
    reconciler = args.functions.reconcile_orders.dimensions
    yield _graph(
        "Seconds that the oldest order has waited in OrderQueue",
        {
            "oldest order": (
                "AWS/SQS",
                "ApproximateAgeOfOldestMessage",
                "Maximum",
                {"QueueName": messaging.queue.name},
            )
        },
        {"three attempts": messaging.seconds_to_dead_letter},
    )
    yield _graph(
        "Dead letters by reason",
        {
            "no valid order": (NAMESPACE, "RejectedDeadLetters", "Maximum", reconciler),
            "id of another order": (NAMESPACE, "ConflictingDeadLetters", "Maximum", reconciler),
            "waiting for a store": (NAMESPACE, "WaitingDeadLetters", "Maximum", reconciler),
            "not delivered by SNS": (
                "AWS/SQS",
                "ApproximateNumberOfMessagesVisible",
                "Maximum",
                {"QueueName": messaging.undelivered.name},
            ),
        },
    )
    yield _log("Latest reasons of dead letters", args.functions.reconcile_orders, DEAD_LETTERS)


def _failures(args: AlarmsArgs) -> Iterator[dict[str, Any]]:
    worker = args.functions.order_processor.dimensions
    api = {"ApiName": args.api.rest_api.name, "Stage": args.api.stage.stage_name}
    yield _graph(
        "Failures per minute",
        {
            "orders that a store did not record": (NAMESPACE, "FailedOrders", "Sum", worker),
            "orders with the id of another": (NAMESPACE, "ConflictingOrders", "Sum", worker),
            "messages without a valid order": (NAMESPACE, "MalformedMessages", "Sum", worker),
            "batches that ended with an error": ("AWS/Lambda", "Errors", "Sum", worker),
            "throttled batches": ("AWS/Lambda", "Throttles", "Sum", worker),
            "API responses with 5xx": ("AWS/ApiGateway", "5XXError", "Sum", api),
        },
    )
    yield _log("Failures by reason", args.functions.order_processor, FAILURES)
    reconciler = args.functions.reconcile_orders.dimensions
    yield _graph(
        "Drift: orders that differed between MySQL and DynamoDB",
        {"orders": (NAMESPACE, "Drift", "Maximum", reconciler)},
    )


def _database(args: AlarmsArgs) -> Iterator[dict[str, Any]]:
    instance = {"DBInstanceIdentifier": args.shared.database.instance.identifier}
    limit = max_connections(args.shared.settings.database_instance_class)
    yield _graph(
        "Database connections",
        {"connections": ("AWS/RDS", "DatabaseConnections", "Maximum", instance)},
        {"about the limit of the instance class": limit},
    )
    yield _graph(
        "CPU utilization of the database, in percent",
        {"CPU": ("AWS/RDS", "CPUUtilization", "Average", instance)},
    )
    yield _graph(
        "Free storage of the database, in bytes",
        {"free storage": ("AWS/RDS", "FreeStorageSpace", "Minimum", instance)},
    )


def _graph(title: str, lines: Lines, limits: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Return a graph, with a horizontal line for each limit."""
    properties: dict[str, Any] = {
        "title": title,
        "view": "timeSeries",
        "period": PERIOD,
        "metrics": [_row(label, metric) for label, metric in lines.items()],
        "yAxis": {"left": {"min": 0}},
    }
    if limits:
        horizontal = [{"label": label, "value": value} for label, value in limits.items()]
        properties["annotations"] = {"horizontal": horizontal}
    return {"type": "metric", "properties": properties}


def _row(label: str, metric: Metric) -> Sequence[Any]:
    namespace, name, statistic, dimensions = metric
    return [namespace, name, *_pairs(dimensions), {"stat": statistic, "label": label}]


def _pairs(dimensions: Mapping[str, pulumi.Input[str]]) -> Iterator[pulumi.Input[str]]:
    for name, value in dimensions.items():
        yield name
        yield value


def _log(title: str, function: Function, query: str) -> dict[str, Any]:
    """Return a table with the result of a query of a function's log."""
    source = pulumi.Output.concat("SOURCE '", function.log_group.name, "' | ", query)
    return {"type": "log", "properties": {"title": title, "view": "table", "query": source}}
