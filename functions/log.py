"""One line of JSON per thing that happened. Never a customer's name, never a secret."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

import environment

NAMESPACE = "CafeOrders"  # of the metrics; the alarms watch the same namespace


def log(level: str, message: str, **fields: object) -> None:
    """Write a line to the function's log.

    Parameters
    ----------
    level
        `INFO` or `ERROR`.
    message
        What happened, the same words each time, so that it can be searched for.
    fields
        Which order, which message, why.
    """
    print(json.dumps({"level": level, "message": message, **fields}, default=str), flush=True)


def metrics(values: Mapping[str, int]) -> dict[str, object]:
    """Return the fields that make a line of the log a value of each metric.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    definition = {
        "Namespace": NAMESPACE,
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in values],
    }
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [definition]},
        "FunctionName": environment.function_name(),
        **values,
    }
