"""`deletionProtection`: refuses to delete or replace resources with data or a public address."""

from __future__ import annotations

import pulumi
import pulumi_random as random

# Types that hold data or have an address that clients know. Components are not protected, because children
# inherit it, and some are replaced by ordinary deploys. `protect=False` exempts resources that a deploy can
# recreate, since Pulumi refuses a rollback to a release that lacks a protected resource.
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

    Pulumi checks `protect` at each delete, so a destroy without a preview (`--skip-preview`, Automation API)
    would delete all unprotected resources first. The last resource depends on all others, so that its delete
    comes first, and fails.

    Parameters
    ----------
    enabled
        The setting `deletionProtection`. The last resource is always registered, so that a deploy can
        unprotect it.
    """

    def __init__(self, name: str, *, enabled: bool, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Protection", name, None, opts)
        self._enabled = enabled
        self._resources: list[pulumi.Resource] = []
        pulumi.runtime.register_stack_transformation(self._transform)

    def complete(self) -> None:
        """Register the last resource, which depends on all resources registered since the constructor."""
        random.RandomId(
            "last-resource",
            byte_length=4,
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._resources, protect=self._enabled),
        )
        self.register_outputs({})

    def _transform(
        self, args: pulumi.ResourceTransformationArgs
    ) -> pulumi.ResourceTransformationResult | None:
        if isinstance(args.resource, pulumi.CustomResource):
            self._resources.append(args.resource)
        if not self._enabled or args.type_ not in PROTECTED or args.opts.protect is False:
            return None
        options = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=True))
        return pulumi.ResourceTransformationResult(args.props, options)
