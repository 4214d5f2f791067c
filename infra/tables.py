"""The DynamoDB tables: orders by id, and the counters that are read fast."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

EXPIRY_ATTRIBUTE = "expires_at"


@dataclass(frozen=True, kw_only=True)
class TablesArgs:
    """What the tables need from outside."""

    deletion_protection: bool


class Tables(pulumi.ComponentResource):
    """`Orders`, `CafeMenu` and `CafeOrderMetrics`: on demand, with point-in-time recovery.

    They start empty: the menu and `TOTAL_ORDERS` are put in by the migration function, in a way that
    never sets a counter back (`docs/decisions/0004-items-by-migration.md`).
    """

    orders: aws.dynamodb.Table
    menu: aws.dynamodb.Table
    metrics: aws.dynamodb.Table

    def __init__(self, name: str, args: TablesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Tables", name, None, opts)
        self._deletion_protection = args.deletion_protection
        self.orders = self._table("Orders", key="orderId")
        self.menu = self._table("CafeMenu", key="item")
        self.metrics = self._table("CafeOrderMetrics", key="metric", expiry=EXPIRY_ATTRIBUTE)
        self.register_outputs({})

    def _table(self, name: str, key: str, expiry: str | None = None) -> aws.dynamodb.Table:
        return aws.dynamodb.Table(
            name,
            billing_mode="PAY_PER_REQUEST",
            hash_key=key,
            attributes=[{"name": key, "type": "S"}],
            point_in_time_recovery={"enabled": True},
            ttl={"attribute_name": expiry, "enabled": True} if expiry else None,
            deletion_protection_enabled=self._deletion_protection,
            opts=pulumi.ResourceOptions(parent=self, protect=self._deletion_protection),
        )
