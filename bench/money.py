"""Price of a million orders, computed from the counted calls and units."""

from __future__ import annotations

import math

from bench.batches import Figures
from infra.prices import Prices

MILLION = 1_000_000
MEMORY = 0.5  # gigabytes of the worker, as the setting `memorySize` has it
SERVICES = ("SNS", "SQS", "Lambda", "DynamoDB", "Secrets Manager", "CloudWatch Logs")
RECEIVED = 10  # messages of a receive or a delete of SQS, at most


def per_million(figures: Figures, batch: int, prices: Prices) -> dict[str, float]:
    """Return US dollars by service.

    Parameters
    ----------
    figures
        Figures of orders with DynamoDB's latency on AWS, since functions are billed by time.
    batch
        Orders of one invocation.
    """
    scale = MILLION / figures["orders"]
    invocations = len(figures["batch_seconds"])
    # Each message is sent by SNS, and received and deleted with up to nine others.
    queue = figures["orders"] + 2 * invocations * math.ceil(batch / RECEIVED)
    costs = {
        "SNS": figures["orders"] * prices["sns.publish"],
        "SQS": queue * prices["sqs.request"],
        "Lambda": invocations * prices["lambda.request"]
        + sum(figures["batch_seconds"]) * MEMORY * prices["lambda.gb_second_arm"],
        "DynamoDB": figures["write_units"] * prices["dynamodb.write_unit"]
        + figures["read_units"] * prices["dynamodb.read_unit"],
        "Secrets Manager": figures["calls"].get("GetSecretValue", 0) * prices["secrets_manager.request"],
        "CloudWatch Logs": figures["log_bytes"] / 1e9 * prices["cloudwatch.log_gb"],
    }
    return {service: costs[service] * scale for service in SERVICES}
