"""MySQL against DynamoDB: what DynamoDB lacks, what it counts too much, and how it is mended."""

from __future__ import annotations

NAMESPACE = "CafeOrders"  # of the metrics; the alarms of the same namespace watch them
