"""The permissions boundary of the stack's roles."""

from __future__ import annotations

import pulumi


def limit_roles(policy_arn: str) -> None:
    """Set the permissions boundary of all roles registered from now on; an empty ARN sets none."""

    def limit(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not policy_arn or args.type_ != "aws:iam/role:Role":
            return None
        return pulumi.ResourceTransformationResult(
            {**args.props, "permissions_boundary": policy_arn}, args.opts
        )

    pulumi.runtime.register_stack_transformation(limit)
