"""The tags of all resources that support tags."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

STACK_TAG = "Stack"


def tag_everything(project: str, stack: str) -> None:
    """Tag all resources registered from now on; those of EC2 get a `Name`, which the console shows."""
    tags: Mapping[str, str] = {"Project": project, STACK_TAG: stack}

    def add(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if "tags" not in args.props:
            return None
        name = {"Name": f"{project}-{stack}-{args.name}"} if args.type_.startswith("aws:ec2/") else {}
        return pulumi.ResourceTransformationResult({**args.props, "tags": {**tags, **name}}, args.opts)

    pulumi.runtime.register_stack_transformation(add)
