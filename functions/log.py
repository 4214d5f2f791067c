"""One line of JSON per thing that happened. Never a customer's name, never a secret."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping

import environment

NAMESPACE = "CafeOrders"  # of the metrics; the alarms watch the same namespace

_encode = json.JSONEncoder(default=str).encode


def log(level: str, message: str, **fields: object) -> None:
    """Write a line to the function's log.

    `message` has the same words each time, so that it can be searched for; `fields` has ids and reasons.
    """
    log_each(level, message, [fields])


def log_each(level: str, message: str, lines: Iterable[Mapping[str, object]]) -> None:
    """Write a line for each of `lines`, all at once: a write for each takes longer than the line."""
    text = "\n".join(_encode({"level": level, "message": message, **fields}) for fields in lines)
    if text:
        print(text, flush=True)


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
