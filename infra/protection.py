"""What a stack with `deletionProtection` refuses to delete or replace."""

from __future__ import annotations

import pulumi
import pulumi_random as random

# What holds data, and what has an address that people or programs know. On each resource, never on a
# component: its children inherit it, and replacements of every day would be refused. What the next deploy
# can make again says `protect=False`: a protected resource that the previous release does not know would
# refuse the way back to it.
PROTECTED = frozenset(
    {
        "aws:apigateway/restApi:RestApi",
        "aws:apigateway/stage:Stage",
        "aws:cloudfront/distribution:Distribution",
        "aws:cognito/userPool:UserPool",
        "aws:dynamodb/table:Table",
        "aws:rds/instance:Instance",
        "aws:s3/bucket:Bucket",
        "aws:secretsmanager/secret:Secret",
        "aws:sns/topic:Topic",
        "aws:sqs/queue:Queue",
    }
)


class Protection(pulumi.ComponentResource):
    """Protects resources, and stops a destroy before its first delete.

    Pulumi checks `protect` when it comes to each delete. A destroy without a preview (`--skip-preview`, the
    Automation API) would so delete everything that is not protected before it meets what is. The last
    resource of the program depends on all others, so that it is deleted first.

    Parameters
    ----------
    enabled
        The setting `deletionProtection`. The last resource is registered either way: else it could not be
        unprotected.
    """

    def __init__(self, name: str, *, enabled: bool, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Protection", name, None, opts)
        self._enabled = enabled
        self._resources: list[pulumi.Resource] = []
        pulumi.runtime.register_stack_transformation(self._remember)

    def complete(self) -> None:
        """Register the last resource, which depends on all that were registered since."""
        random.RandomId(
            "last-resource",
            byte_length=4,
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._resources, protect=self._enabled),
        )
        self.register_outputs({})

    def _remember(
        self, args: pulumi.ResourceTransformationArgs
    ) -> pulumi.ResourceTransformationResult | None:
        if isinstance(args.resource, pulumi.CustomResource):
            self._resources.append(args.resource)
        if not self._enabled or args.type_ not in PROTECTED or args.opts.protect is False:
            return None
        options = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=True))
        return pulumi.ResourceTransformationResult(args.props, options)
