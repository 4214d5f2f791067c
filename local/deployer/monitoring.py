"""Alarms and budgets."""

from __future__ import annotations

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
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=physical,
        Dimensions=[{"Name": key, "Value": value} for key, value in inputs.get("dimensions", {}).items()],
        **inputs.capitalized(*_ALARM),
        **inputs.renamed({"okActions": "OKActions"}),
    )
    return physical, {"name": physical, "arn": cloud.arn("cloudwatch", f"alarm:{physical}")}


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
