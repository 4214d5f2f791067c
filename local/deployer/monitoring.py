"""What runs by the clock, and what wakes somebody."""

from __future__ import annotations

from local.deployer.cloud import Cloud
from local.deployer.inputs import Inputs
from local.deployer.registry import Result, resource

_ALARM = {
    "alarmDescription": "AlarmDescription",
    "namespace": "Namespace",
    "metricName": "MetricName",
    "statistic": "Statistic",
    "comparisonOperator": "ComparisonOperator",
    "threshold": "Threshold",
    "period": "Period",
    "evaluationPeriods": "EvaluationPeriods",
    "datapointsToAlarm": "DatapointsToAlarm",
    "treatMissingData": "TreatMissingData",
    "alarmActions": "AlarmActions",
    "okActions": "OKActions",
}


@resource("aws:cloudwatch/eventRule:EventRule")
def event_rule(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    arn = cloud.client("events").put_rule(
        Name=physical,
        ScheduleExpression=inputs.text("scheduleExpression"),
        **inputs.renamed({"description": "Description"}),
    )["RuleArn"]
    return physical, {"name": physical, "arn": arn}


@resource("aws:cloudwatch/eventTarget:EventTarget")
def event_target(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    rule = inputs.text("rule")
    target = inputs.get("targetId", cloud.physical_name(name))
    cloud.client("events").put_targets(
        Rule=rule, Targets=[{"Id": target, "Arn": inputs.text("arn"), **inputs.renamed({"input": "Input"})}]
    )
    return f"{rule}-{target}", {"targetId": target}


@resource("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
def event_invoke_config(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    function_name = inputs.text("functionName")
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName=function_name,
        **inputs.renamed(
            {
                "maximumRetryAttempts": "MaximumRetryAttempts",
                "maximumEventAgeInSeconds": "MaximumEventAgeInSeconds",
            }
        ),
    )
    return function_name, {}


@resource("aws:cloudwatch/metricAlarm:MetricAlarm")
def metric_alarm(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    cloud.deviations.alarms()
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=physical,
        Dimensions=[{"Name": key, "Value": value} for key, value in inputs.get("dimensions", {}).items()],
        **inputs.renamed(_ALARM),
    )
    return physical, {"name": physical, "arn": cloud.arn("cloudwatch", f"alarm:{physical}")}


@resource(
    "aws:budgets/budget:Budget",
    dict.fromkeys(
        ("budgetType", "timeUnit", "limitAmount", "limitUnit", "costFilters", "notifications"),
        "nothing here costs anything",
    ),
)
def budget(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    cloud.deviations.budget()
    return physical, {"name": physical}
