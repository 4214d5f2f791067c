"""The tags that every resource carries that can carry any."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

STACK_TAG = "Stack"


def tag_everything(project: str, stack: str) -> None:
    """Tag all resources that are created from here on.

    What the console lists by the tag `Name`, parts of a network, gets one.
    """
    tags: Mapping[str, str] = {"Project": project, STACK_TAG: stack}

    def add(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if "tags" not in args.props:  # the resource class has no such property
            return None
        name = {"Name": f"{project}-{stack}-{args.name}"} if args.type_.startswith("aws:ec2/") else {}
        return pulumi.ResourceTransformationResult({**args.props, "tags": {**tags, **name}}, args.opts)

    pulumi.runtime.register_stack_transformation(add)
