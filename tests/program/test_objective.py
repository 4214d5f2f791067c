"""The alarm of the objective, evaluated on written series of its metrics."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import recording_metrics
from cli import replay
from infra import objective
from orders.ledger import Recorded
from orders.message import parse_batch
from recording_metrics import RecordingMetrics
from tests.program.conftest import Program

Value = float | None  # None: no datapoint
OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.GtE: operator.ge,
    ast.Add: operator.add,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b if b else None,
}


def evaluate(node: ast.AST, known: Mapping[str, Value], *, fill: bool) -> Any:
    """Evaluate a part of an expression of metric math at one time.

    Operators treat a missing value as 0 if the other one is there, and drop a division by 0. Without `fill`,
    FILL leaves a metric that never had a datapoint empty: AWS does not document what it does.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """

    def value(of: ast.AST) -> Any:
        return evaluate(of, known, fill=fill)

    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return known[node.id]
        case ast.Compare(left, [operation], [right]) | ast.BinOp(left, operation, right):
            both = value(left), value(right)
            return None if both == (None, None) else OPERATORS[type(operation)](*(each or 0 for each in both))
        case ast.Call(ast.Name("FILL"), [of, default]):
            found = value(of)
            return value(default) if found is None and fill else found
        case ast.Call(ast.Name("IF"), [condition, yes, no]):
            holds = value(condition)
            return None if holds is None else value(yes) if holds else value(no)
    raise AssertionError(f"no metric math of this alarm: {ast.dump(node)}")


@pytest.fixture
def alarm(dev: Program) -> dict[str, Any]:
    inputs: dict[str, Any] = dev.one("cloudwatch/metricAlarm:MetricAlarm", "OrdersNotInTime").inputs
    return inputs


@pytest.fixture(params=[True, False], ids=["FILL fills", "FILL does not fill"])
def goes_off(request: pytest.FixtureRequest, alarm: dict[str, Any]) -> Callable[..., bool]:
    """Return whether the alarm goes off after an hour with these sums; a missing one had no datapoint."""

    def check(**sums: float) -> bool:
        known: dict[str, Value] = {}
        for query in alarm["metricQueries"]:
            if "metric" in query:
                known[query["id"]] = sums.pop(query["id"], None)
            else:
                expression = ast.parse(query["expression"], mode="eval").body
                known[query["id"]] = evaluate(expression, known, fill=request.param)
        assert not sums
        (watched,) = [query["id"] for query in alarm["metricQueries"] if query.get("returnData")]
        assert alarm["treatMissingData"] == "notBreaching"
        assert alarm["comparisonOperator"] == "GreaterThanThreshold"
        percent = known[watched]
        return percent is not None and percent > alarm["threshold"]

    return check


GoesOff = Callable[..., bool]


def test_the_alarm_is_one_that_cloudwatch_accepts(alarm: dict[str, Any]) -> None:
    metrics = [query["metric"] for query in alarm["metricQueries"] if "metric" in query]
    assert len(metrics) <= 10
    assert {metric["period"] for metric in metrics} == {objective.HOUR}
    assert {metric["stat"] for metric in metrics} == {"Sum"}


def test_the_worker_publishes_the_metrics_of_the_alarm(alarm: dict[str, Any]) -> None:
    own = [query["metric"] for query in alarm["metricQueries"] if "CafeOrders" in str(query.get("metric"))]
    assert [metric["metricName"] for metric in own] == [
        recording_metrics.IN_TIME,
        recording_metrics.NOT_IN_TIME,
    ]
    assert {str(metric["dimensions"]) for metric in own} == {"{'FunctionName': 'Function.OrderProcessor'}"}


def test_more_than_a_tenth_of_at_least_twenty_orders_raises_the_alarm(goes_off: GoesOff) -> None:
    assert not goes_off(in_time=200, not_in_time=0)
    assert not goes_off(in_time=18, not_in_time=2)
    assert goes_off(in_time=17, not_in_time=3)
    assert not goes_off(in_time=16, not_in_time=3)


def test_a_night_with_few_orders_raises_no_alarm(goes_off: GoesOff) -> None:
    assert not goes_off()
    assert not goes_off(in_time=0, not_in_time=1)
    assert not goes_off(in_time=5, not_in_time=1)
    assert not goes_off(undelivered=1)


def test_orders_that_are_never_recorded_raise_the_alarm(goes_off: GoesOff) -> None:
    assert goes_off(in_time=0, not_in_time=40)
    assert goes_off(undelivered=40)
    assert goes_off(in_time=100, not_in_time=8, undelivered=8)


def test_the_correction_of_a_last_attempt_of_the_hour_before_raises_no_alarm(goes_off: GoesOff) -> None:
    assert not goes_off(in_time=30, not_in_time=-1)
    assert not goes_off(in_time=0, not_in_time=-1)


def test_an_outage_at_an_order_a_minute_raises_the_alarm_in_its_seventh_minute(goes_off: GoesOff) -> None:
    minutes = [minute for minute in range(60) if goes_off(in_time=60 - minute, not_in_time=minute)]
    assert minutes[0] == 7


def test_an_hour_of_replayed_orders_raises_no_alarm(
    goes_off: GoesOff, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECORDED_WITHIN", "60")
    now = datetime.now(UTC)
    order = {"item": "Tea", "quantity": 1, "created_at": (now - timedelta(days=1)).isoformat()}
    sent = str(int(now.timestamp() * 1000))
    records = [
        {
            "messageId": f"m{number}",
            "body": replay.in_envelope({**order, "orderId": f"o{number}"}),
            "attributes": {"SentTimestamp": sent},
        }
        for number in range(100)
    ]
    received, _ = parse_batch(records)
    receives = {f"m{number}": 1 + number % 3 for number in range(100)}
    metrics = RecordingMetrics(receives, received)
    metrics.begin()
    metrics.end(Recorded({}, frozenset(message.order.order_id for message in received)))
    assert capsys.readouterr().out == ""
    assert not goes_off()
