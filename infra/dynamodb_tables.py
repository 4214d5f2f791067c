"""The DynamoDB tables: orders, menu and counters, metrics, idempotency keys, and ids of erased orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.settings import Settings

EXPIRY_ATTRIBUTE = "expires_at"
MAX_RECOVERY_DAYS = 35
MENU_INDEX = "menu"
PRICE_ATTRIBUTE = "price"


@dataclass(frozen=True, kw_only=True)
class TablesArgs:
    """Inputs of Tables."""

    deletion_protection: bool
    recovery_days: int | None = None  # of point-in-time recovery; None: the maximum, 35

    @classmethod
    def of(cls, settings: Settings) -> TablesArgs:
        """Read the inputs from the settings."""
        days = settings.within_retention(MAX_RECOVERY_DAYS)
        return cls(
            deletion_protection=settings.deletion_protection,
            recovery_days=days if days < MAX_RECOVERY_DAYS else None,
        )


class Tables(pulumi.ComponentResource):
    """`Orders`, `CafeMenu`, `CafeOrderMetrics`, `IdempotencyKeys`, `ErasedOrders`.

    They are on demand, with point-in-time recovery.

    `MigrateDatabase` creates the menu and `TOTAL_ORDERS`, without resetting a counter that exists
    (`docs/decisions/0004-items-by-migration.md`).
    """

    orders: aws.dynamodb.Table
    menu: aws.dynamodb.Table
    metrics: aws.dynamodb.Table
    idempotency: aws.dynamodb.Table
    erased: aws.dynamodb.Table

    def __init__(self, name: str, args: TablesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Tables", name, None, opts)
        self._deletion_protection = args.deletion_protection
        self._recovery: aws.dynamodb.TablePointInTimeRecoveryArgsDict = {"enabled": True}
        if args.recovery_days is not None:
            self._recovery["recovery_period_in_days"] = args.recovery_days
        self.orders = self._table("Orders", key="orderId")
        # `GET /menu` scans the index. It contains only items with a price; the counter is not projected, so
        # that counting an order does not write to it.
        self.menu = self._table(
            "CafeMenu",
            key="item",
            numbers=[PRICE_ATTRIBUTE],
            global_secondary_indexes=[
                {"name": MENU_INDEX, "hash_key": PRICE_ATTRIBUTE, "projection_type": "KEYS_ONLY"}
            ],
        )
        expiry: aws.dynamodb.TableTtlArgsDict = {"attribute_name": EXPIRY_ATTRIBUTE, "enabled": True}
        self.metrics = self._table("CafeOrderMetrics", key="metric", ttl=expiry)
        # Not protected: its keys expire within a day, and a rollback to a release without it deletes it.
        self.idempotency = self._table("IdempotencyKeys", key="key", is_protected=False, ttl=expiry)
        # A rollback to a release without it leaves the table in AWS; protecting it would block the rollback.
        self.erased = self._table(
            "ErasedOrders", key="orderId", is_protected=False, retain=args.deletion_protection
        )
        self.register_outputs({})

    @property
    def arns(self) -> list[pulumi.Output[str]]:
        """Return the ARNs of the tables that functions in the VPC use; only PlaceOrder uses the other one."""
        return [self.orders.arn, self.menu.arn, self.metrics.arn, self.erased.arn]

    def _table(
        self,
        name: str,
        key: str,
        numbers: Sequence[str] = (),
        *,
        is_protected: bool = True,
        retain: bool = False,
        **more: Any,
    ) -> aws.dynamodb.Table:
        attributes: list[aws.dynamodb.TableAttributeArgsDict] = [{"name": key, "type": "S"}]
        attributes += [{"name": number, "type": "N"} for number in numbers]
        return aws.dynamodb.Table(
            name,
            billing_mode="PAY_PER_REQUEST",
            hash_key=key,
            attributes=attributes,
            point_in_time_recovery=self._recovery,
            deletion_protection_enabled=self._deletion_protection and (is_protected or retain),
            opts=pulumi.ResourceOptions(
                parent=self, protect=None if is_protected else False, retain_on_delete=retain or None
            ),
            **more,
        )
