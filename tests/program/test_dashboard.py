"""The dashboard shows metrics that the functions and AWS publish."""

from __future__ import annotations

import ast
import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra import archives
from infra.dashboard import COLUMNS, HEIGHT, WIDTH
from tests.program.conftest import Program

DASHBOARD = "cloudwatch/dashboard:Dashboard"
# Metrics by namespace, with the dimensions under which AWS publishes them
AWS_METRICS = {
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
    "AWS/RDS": ({"DBInstanceIdentifier"}, {"CPUUtilization", "DatabaseConnections", "FreeStorageSpace"}),
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": ({"FunctionName"}, {"Duration", "Errors", "Throttles"}),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": ({"QueueName"}, {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"}),
    # https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    "AWS/SNS": ({"TopicName"}, {"NumberOfMessagesPublished"}),
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
    "AWS/ApiGateway": ({"ApiName", "Stage"}, {"5XXError"}),
}
HANDLERS = {
    "Function.OrderProcessor": "order_processor",
    "Function.ReconcileOrders": "reconcile_orders",
}


@pytest.fixture
def widgets(program: Program) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(program.one(DASHBOARD).inputs["dashboardBody"])["widgets"]
    return found


def rows(widgets: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield the namespace, name and dimensions of each metric."""
    for widget in widgets:
        for namespace, name, *pairs, _options in widget["properties"].get("metrics", []):
            yield namespace, name, dict(zip(pairs[::2], pairs[1::2], strict=True))


@functools.cache
def texts(handler: str) -> set[str]:
    """Return the string constants in a function's code."""
    code = [path for name, path in archives.code(handler).items() if name.endswith(".py")]
    trees = [ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for path in code]
    constants = (node.value for tree in trees for node in tree if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def test_every_own_metric_is_published_by_its_function(widgets: list[dict[str, Any]]) -> None:
    own = {
        (name, dimensions["FunctionName"])
        for space, name, dimensions in rows(widgets)
        if space == "CafeOrders"
    }
    assert len(own) == 8
    for name, function in own:
        assert name in texts(HANDLERS[function]), (name, function)


def test_every_other_metric_is_one_of_aws_of_a_resource_of_the_stack(
    program: Program, widgets: list[dict[str, Any]]
) -> None:
    names = {resource.type.rpartition(":")[2] + "." + resource.name for resource in program.resources}
    for namespace, name, dimensions in rows(widgets):
        if namespace != "CafeOrders":
            keys, metrics = AWS_METRICS[namespace]
            assert set(dimensions) == keys
            assert name in metrics
        assert set(dimensions.values()) <= {*names, "prod"}


def test_the_logs_are_those_of_functions_that_write_the_messages(
    program: Program, widgets: list[dict[str, Any]]
) -> None:
    queries = [widget["properties"]["query"] for widget in widgets if widget["type"] == "log"]
    worker, reconciler = sorted(queries)
    assert len(queries) == 2
    for query, handler, words in (
        (worker, "order_processor", ("Order not processed", "Message rejected", "messageId", "reason")),
        (reconciler, "reconcile_orders", ("Swept",)),
    ):
        assert set(words) <= texts(handler) | {"messageId", "reason"}
        assert all(word in query for word in words)
    groups = {f"LogGroup.{group.name}" for group in program.all("cloudwatch/logGroup:LogGroup")}
    assert {query.split("'")[1] for query in queries} <= groups


def test_the_widgets_fill_the_grid_without_overlapping(widgets: list[dict[str, Any]]) -> None:
    places = [(widget["x"], widget["y"]) for widget in widgets]
    assert len(set(places)) == len(places)
    assert all(x in range(0, COLUMNS * WIDTH, WIDTH) and y % HEIGHT == 0 for x, y in places)
    assert all(widget["properties"]["title"] for widget in widgets)


def test_the_objective_is_a_line_in_the_graph_of_times(
    program: Program, widgets: list[dict[str, Any]]
) -> None:
    (graph,) = [w["properties"] for w in widgets if w["properties"]["title"].startswith("Seconds from")]
    assert graph["annotations"]["horizontal"][0]["value"] == 60
    assert [options["stat"] for *_, options in graph["metrics"]] == ["p50", "p95", "p99"]
    alarms = [w["properties"]["alarms"] for w in widgets if w["type"] == "alarm"]
    assert len(alarms[0]) == len(program.all("cloudwatch/metricAlarm:MetricAlarm"))


def test_the_output_leads_to_the_dashboard(program: Program) -> None:
    name = program.one(DASHBOARD).inputs["dashboardName"]
    assert program.outputs["dashboard_url"].endswith(f"?region=us-east-1#dashboards/dashboard/{name}")
