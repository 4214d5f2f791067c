"""Log lines in JSON, one per event, without customers' names and secrets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import environment

NAMESPACE = "CafeOrders"  # of the metrics; the alarms watch the same namespace

_encode = json.JSONEncoder(default=str).encode


def log(level: str, message: str, **fields: object) -> None:
    """Log a line: a constant `message`, which can be searched for, and `fields` such as ids and reasons."""
    log_each(level, message, [fields])


def log_each(level: str, message: str, lines: Iterable[Mapping[str, object]]) -> None:
    """Write several lines by one call, which is much faster than a call for each."""
    text = "\n".join(_encode({"level": level, "message": message, **fields}) for fields in lines)
    if text:
        print(text, flush=True)


def metrics(
    values: Mapping[str, int | Sequence[float]], units: Mapping[str, str] = MappingProxyType({})
) -> dict[str, object]:
    """Return the fields of a log line that publish metrics, in the unit Count unless `units` has another.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    definition = {
        "Namespace": NAMESPACE,
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": name, "Unit": units.get(name, "Count")} for name in values],
    }
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [definition]},
        "FunctionName": environment.function_name(),
        **values,
    }
