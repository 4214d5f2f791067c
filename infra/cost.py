"""Monthly price of a stack: idle, per order, and per open order-status page.

Amounts are in AWS's billing units, under the names of `prices.toml`. Those of an idle stack come from the
resources that the program registers; those of an order or a request were measured (docs/benchmarks.md).
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.prices import Prices

HOURS = 730  # per month, as in AWS's pricing calculator
DAYS = HOURS / 24
GB = 1e9
SERVICES = {
    "api_gateway": "API Gateway",
    "cloudfront": "CloudFront",
    "cloudwatch": "CloudWatch",
    "dynamodb": "DynamoDB",
    "lambda": "Lambda",
    "rds": "RDS",
    "secrets_manager": "Secrets Manager",
    "sns": "SNS",
    "sqs": "SQS",
    "vpc": "Interface endpoints",
}

# --- Idle ---

RUNS_AN_HOUR = {"minute": 60, "hour": 1, "day": 1 / 24}
# A run of ReconcileOrders without orders
RUN_SECONDS = 0.15
RUN = {"lambda.request": 1, "sqs.request": 3, "dynamodb.read_unit": 4, "dynamodb.write_unit": 2}
RUN_LOG = 1_500  # bytes
POLLS_AN_HOUR = 5 * 3600 / 20  # Lambda polls a queue over five connections, for 20 seconds at a time
# Four of ReconcileOrders, and three of the worker in hours with orders. AWS charges for others only in hours
# with failures.
PUBLISHED_METRICS = 7

# --- An order, over HTTP, in a batch of its own ---

ORDER = {
    "api_gateway.request": 1,
    "cloudfront.request": 1,
    "lambda.request": 2,
    "sns.publish": 1,
    "sqs.request": 3,
    "dynamodb.read_unit": 1,
    "dynamodb.write_unit": 6,  # the order, four counters, and the Idempotency-Key
}
ORDER_SECONDS = 0.036  # of PlaceOrder and OrderProcessor
ORDER_LOG = 1_000  # bytes

# --- A request of the order-status page ---

STATUS = {
    "api_gateway.request": 1,
    "cloudfront.request": 1,
    "lambda.request": 1,
    "sqs.request": 2,
    "dynamodb.read_unit": 14,  # 28 items, eventually consistent
}
STATUS_SECONDS = 0.02
STATUS_LOG = 700  # bytes
ACTIVE_POLL, IDLE_POLL, IDLE_AFTER = 1.0, 3.0, 25.0  # seconds: the pauses of web/order-status.js
RESPONSE = 0.1  # seconds from a request to its response

Amounts = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Use:
    """Orders and open screens of a stack."""

    orders_a_day: int = 500
    screens: int = 1  # order-status pages, open 24 hours a day


@dataclass(frozen=True, kw_only=True)
class Bill:
    """A month's amounts, by cause."""

    idle: Amounts  # of a stack without orders and open pages
    order: Amounts  # of one order
    screen: Amounts  # of one screen
    use: Use

    @property
    def total(self) -> Amounts:
        """Return the sum of all amounts."""
        orders = self.use.orders_a_day * DAYS
        return _sum((self.idle, 1), (self.order, orders), (self.screen, self.use.screens))

    def always_free(self, prices: Prices) -> float:
        """Return the US dollars that AWS's free tier covers in an account with only this stack."""
        free = {name: min(self.total.get(name, 0), limit) for name, limit in prices.always_free.items()}
        return dollars(free, prices)


def bill(resources: Iterable[Mapping[str, Any]], use: Use) -> Bill:
    """Return a month's amounts.

    Parameters
    ----------
    resources
        Recorded by `infra.recording`, with `type` and `inputs`.
    """
    found = list(resources)
    memory = max(resource["inputs"]["memorySize"] for resource in found if _is(resource, "lambda/function"))
    gigabytes = memory / 1024
    return Bill(
        idle=_sum(
            *((_of_resource(resource, gigabytes), 1) for resource in found),
            ({"cloudwatch.metric_month": PUBLISHED_METRICS}, 1),
        ),
        order=_function(ORDER, ORDER_SECONDS * gigabytes, ORDER_LOG),
        screen=_sum((_function(STATUS, STATUS_SECONDS * gigabytes, STATUS_LOG), requests(use.orders_a_day))),
        use=use,
    )


def dollars(amounts: Amounts, prices: Prices) -> float:
    """Return the price of the amounts that have a price."""
    return sum(amount * prices[name] for name, amount in amounts.items() if name in prices.by_name)


def unpriced(amounts: Amounts, prices: Prices) -> list[str]:
    """Return the names of the amounts without a price."""
    return sorted(name for name in amounts if name not in prices.by_name)


def by_service(amounts: Amounts, prices: Prices) -> dict[str, float]:
    """Return US dollars by service, such as `rds`."""
    found: defaultdict[str, float] = defaultdict(float)
    for name, amount in amounts.items():
        found[name.partition(".")[0]] += dollars({name: amount}, prices)
    return dict(found)


def requests(orders_a_day: int) -> float:
    """Return the polls of an open order-status page in a month, with orders spread evenly over the day."""
    active = 1 - math.exp(-orders_a_day * IDLE_AFTER / 86_400)  # the share of the day
    a_second = active / (ACTIVE_POLL + RESPONSE) + (1 - active) / (IDLE_POLL + RESPONSE)
    return HOURS * 3600 * a_second


def _of_resource(resource: Mapping[str, Any], gigabytes: float) -> Amounts:
    inputs = resource["inputs"]
    if _is(resource, "rds/instance"):
        zones = 2 if inputs.get("multiAz") else 1
        instance = f"rds.{inputs['instanceClass'].replace('.', '_')}_hour"
        master = 1 if inputs.get("manageMasterUserPassword") else 0
        return {
            instance: HOURS * zones,
            "rds.gp3_gb_month": inputs["allocatedStorage"] * zones,
            "secrets_manager.secret_month": master,
        }
    if _is(resource, "secretsmanager/secret"):
        return {"secrets_manager.secret_month": 1}
    if _is(resource, "ec2/vpcEndpoint") and inputs["vpcEndpointType"] == "Interface":
        return {"vpc.interface_endpoint_zone_hour": HOURS * len(inputs["subnetIds"])}
    if _is(resource, "cloudwatch/metricAlarm"):
        # AWS charges for each metric that an alarm watches.
        queries = inputs.get("metricQueries", [{"metric": {}}])
        return {"cloudwatch.alarm_month": sum("metric" in query for query in queries)}
    if _is(resource, "cloudwatch/dashboard"):
        return {"cloudwatch.dashboard_month": 1}
    if _is(resource, "lambda/eventSourceMapping"):
        return {"sqs.request": HOURS * POLLS_AN_HOUR}
    if _is(resource, "cloudwatch/eventRule"):
        ((every, unit),) = re.findall(r"^rate\((\d+) (\w+?)s?\)$", inputs["scheduleExpression"])
        runs = HOURS * RUNS_AN_HOUR[unit] / int(every)
        return _sum((_function(RUN, RUN_SECONDS * gigabytes, RUN_LOG), runs))
    return {}


def _function(amounts: Amounts, gigabyte_seconds: float, logged: int) -> Amounts:
    return {**amounts, "lambda.gb_second_arm": gigabyte_seconds, "cloudwatch.log_gb": logged / GB}


def _is(resource: Mapping[str, Any], kind: str) -> bool:
    return str(resource["type"]).startswith(f"aws:{kind}:")


def _sum(*parts: tuple[Amounts, float]) -> Amounts:
    total: defaultdict[str, float] = defaultdict(float)
    for amounts, times in parts:
        for name, amount in amounts.items():
            total[name] += amount * times
    return dict(total)
