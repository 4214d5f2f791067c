"""Alarms, the dashboard and budgets."""

from __future__ import annotations

from typing import Any

from local.deployer.cloud import Cloud
from local.deployer.inputs import Inputs
from local.deployer.registry import Result, resource

_ALARM = (
    *(
        "alarmDescription",
        "namespace",
        "metricName",
        "statistic",
        "comparisonOperator",
        "threshold",
        "period",
    ),
    *("evaluationPeriods", "datapointsToAlarm", "treatMissingData", "alarmActions"),
)


@resource("aws:cloudwatch/metricAlarm:MetricAlarm")
def metric_alarm(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    cloud.deviations.alarms()
    queries = [_query(query) for query in inputs.sections("metricQueries")]
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=physical,
        Dimensions=_dimensions(inputs),
        **({"Metrics": queries} if queries else {}),
        **inputs.capitalized(*_ALARM),
        **inputs.renamed({"okActions": "OKActions"}),
    )
    return physical, {"name": physical, "arn": cloud.arn("cloudwatch", f"alarm:{physical}")}


@resource("aws:cloudwatch/dashboard:Dashboard")
def dashboard(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.text("dashboardName")
    cloud.deviations.dashboard()
    cloud.client("cloudwatch").put_dashboard(
        DashboardName=physical, DashboardBody=inputs.text("dashboardBody")
    )
    return physical, {"dashboardName": physical}


def _query(inputs: Inputs) -> dict[str, Any]:
    query = {"ReturnData": inputs.flag("returnData"), **inputs.capitalized("id", "expression", "label")}
    if "metric" in inputs:
        metric = inputs.section("metric")
        query["MetricStat"] = {
            "Metric": {**metric.capitalized("namespace", "metricName"), "Dimensions": _dimensions(metric)},
            **metric.capitalized("stat", "period"),
        }
    return query


def _dimensions(inputs: Inputs) -> list[dict[str, str]]:
    return [{"Name": key, "Value": value} for key, value in inputs.get("dimensions", {}).items()]


@resource(
    "aws:budgets/budget:Budget",
    dict.fromkeys(
        ("budgetType", "timeUnit", "limitAmount", "limitUnit", "costFilters", "notifications"),
        "a local stack costs nothing",
    ),
)
def budget(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    cloud.deviations.budget()
    return physical, {"name": physical}
