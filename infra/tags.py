"""The tags that every resource carries that can carry any."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi


def tag_everything(tags: Mapping[str, str]) -> None:
    """Tag all resources that are created from here on."""

    def add(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if "tags" not in args.props:  # the resource class has no such property
            return None
        return pulumi.ResourceTransformationResult({**args.props, "tags": dict(tags)}, args.opts)

    pulumi.runtime.register_stack_transformation(add)
