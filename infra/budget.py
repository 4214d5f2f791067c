"""A monthly budget: AWS sends an e-mail before the bill exceeds it."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.settings import Settings
from infra.tags import STACK_TAG

# Percent of the budget, spent or forecast for the end of the month
NOTIFICATIONS = [(80, "ACTUAL"), (100, "ACTUAL"), (100, "FORECASTED")]


def monthly_budget(settings: Settings, opts: pulumi.ResourceOptions) -> aws.budgets.Budget:
    """Create a budget, which is free, and whose e-mail address needs no confirmation.

    It only notifies: a budget action that stops functions would lose orders.
    """
    # Filtering by the stack's tag works once somebody has activated it as a cost allocation tag.
    stack = f"user:{STACK_TAG}${pulumi.get_stack()}"
    return aws.budgets.Budget(
        pulumi.get_project(),
        budget_type="COST",
        time_unit="MONTHLY",
        limit_amount=str(settings.monthly_budget),
        limit_unit="USD",
        cost_filters=[{"name": "TagKeyValue", "values": [stack]}] if settings.budget_by_tag else None,
        notifications=[
            {
                "comparison_operator": "GREATER_THAN",
                "threshold": percent,
                "threshold_type": "PERCENTAGE",
                "notification_type": kind,
                "subscriber_email_addresses": [settings.alarm_email],
            }
            for percent, kind in NOTIFICATIONS
        ],
        opts=opts,
    )
