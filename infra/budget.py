"""A monthly budget: AWS writes to a person when the bill is about to exceed it."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.tags import STACK_TAG

# Percent of the budget that were spent, or are expected to be by the end of the month
NOTIFICATIONS = [(80, "ACTUAL"), (100, "ACTUAL"), (100, "FORECASTED")]


def monthly_budget(
    dollars: int, email: str, *, by_tag: bool, opts: pulumi.ResourceOptions
) -> aws.budgets.Budget:
    """Make a budget, which costs nothing and needs no confirmation of its e-mail address.

    It stops nothing: an order system that is switched off loses orders.

    Parameters
    ----------
    by_tag
        Count what has this stack's tag, which somebody has to activate as a cost allocation tag, instead of
        the whole account.
    """
    stack = f"user:{STACK_TAG}${pulumi.get_stack()}"
    return aws.budgets.Budget(
        pulumi.get_project(),
        budget_type="COST",
        time_unit="MONTHLY",
        limit_amount=str(dollars),
        limit_unit="USD",
        cost_filters=[{"name": "TagKeyValue", "values": [stack]}] if by_tag else None,
        notifications=[
            {
                "comparison_operator": "GREATER_THAN",
                "threshold": percent,
                "threshold_type": "PERCENTAGE",
                "notification_type": kind,
                "subscriber_email_addresses": [email],
            }
            for percent, kind in NOTIFICATIONS
        ],
        opts=opts,
    )
