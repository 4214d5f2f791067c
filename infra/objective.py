"""The objective: 99 percent of the orders are recorded within `recordedWithin` seconds of their acceptance.

Which orders count, and why the alarm has these limits: docs/decisions/0025-watching-a-stack.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

NAMESPACE = "CafeOrders"  # of the functions' own metrics
HOUR = 3600  # seconds
OBJECTIVE = 99  # percent
# An hour in which a tenth of the orders are not in time uses up a seventieth of what the objective allows in
# a month. With fewer orders, one slow order must raise no alarm.
MAX_NOT_IN_TIME = 10  # percent of the orders of an hour
MIN_ORDERS = 20  # of an hour

# `undelivered` are messages that SNS moved to OrderSubscriptionDLQ. Additions treat missing values as 0. FILL
# is for an hour without any value: CloudWatch would evaluate an earlier one.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
EXPRESSIONS = {
    "missed": "FILL(not_in_time, 0) + FILL(undelivered, 0)",
    "orders": "FILL(in_time, 0) + missed",
    "percent": f"IF(orders >= {MIN_ORDERS}, 100 * missed / orders, 0)",
}

Metric = tuple[str, str, str, Mapping[str, pulumi.Input[str]]]
"""Namespace, name, statistic and dimensions."""


def metrics(worker: pulumi.Input[str], undelivered: pulumi.Input[str]) -> dict[str, Metric]:
    """Return the metrics in the expressions; they count events, so that each order counts once.

    Parameters
    ----------
    worker
        Name of the function.
    undelivered
        Name of the queue to which SNS moves messages that it cannot deliver.
    """
    function = {"FunctionName": worker}
    return {
        "in_time": (NAMESPACE, "OrdersInTime", "Sum", function),
        "not_in_time": (NAMESPACE, "OrdersNotInTime", "Sum", function),
        "undelivered": ("AWS/SQS", "NumberOfMessagesSent", "Sum", {"QueueName": undelivered}),
    }
