"""Create the state bucket and key of the stacks, and a role for each environment of GitHub Actions."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws

from deploy.github import policies

# GitHub environments, each of which deploys the stack of the same name
DEPLOYING = ("dev", "prod", "smoke")
PREVIEWED = ("dev", "prod")
PROTECTED = pulumi.ResourceOptions(protect=True)

config = pulumi.Config()
region = aws.get_region().region

bucket = aws.s3.Bucket("cafe-orders-state", opts=PROTECTED)
aws.s3.BucketVersioning("state", bucket=bucket.id, versioning_configuration={"status": "Enabled"})
aws.s3.BucketPublicAccessBlock(
    "state",
    bucket=bucket.id,
    block_public_acls=True,
    block_public_policy=True,
    ignore_public_acls=True,
    restrict_public_buckets=True,
)
aws.s3.BucketPolicy("state", bucket=bucket.id, policy=bucket.arn.apply(policies.require_tls))
key = aws.kms.Key(
    "secrets", description="Secrets in the state of cafe-orders", enable_key_rotation=True, opts=PROTECTED
)
alias = aws.kms.Alias("secrets", name="alias/cafe-orders-pulumi", target_key_id=key.key_id)

provider = config.get("oidcProvider") or (
    aws.iam.OpenIdConnectProvider(
        "github", url=f"https://{policies.ISSUER}", client_id_lists=["sts.amazonaws.com"]
    ).arn
)
account = pulumi.Output.all(bucket=bucket.arn, key=key.arn).apply(
    lambda arns: policies.Account(
        id=aws.get_caller_identity().account_id,
        region=region,
        zones=config.get_object("hostedZones") or [],
        **arns,
    )
)


def document(policy: Callable[[policies.Account], dict[str, Any]]) -> pulumi.Output[str]:
    """Return a policy for the account as JSON."""
    return account.apply(lambda found: json.dumps(policy(found)))


settings = aws.iam.Policy("cafe-orders-settings", policy=document(policies.read_settings))


def role(environment: str, policy: Callable[[policies.Account], dict[str, Any]], *, main_only: bool) -> None:
    """Create and export the role of an environment.

    Its name must not match those of a stack's resources, which deploys may change.
    """
    trusted = pulumi.Output.from_input(provider).apply(
        lambda arn: policies.trust(arn, config.require("repository"), environment, main_only=main_only)
    )
    made = aws.iam.Role(
        f"{environment}-github",
        assume_role_policy=pulumi.Output.json_dumps(trusted),
        max_session_duration=7200,
    )
    aws.iam.RolePolicy(f"{environment}-github", role=made.id, policy=document(policy))
    if main_only:
        aws.iam.RolePolicyAttachment(f"{environment}-github", role=made.name, policy_arn=settings.arn)
    pulumi.export(f"role_{environment}", made.arn)


# Previews run on the branches of pull requests.
role("preview", lambda found: policies.preview(found, *PREVIEWED), main_only=False)
role("drift", lambda found: policies.drift(found, *PREVIEWED), main_only=True)
for stack in DEPLOYING:
    boundary = aws.iam.Policy(
        f"boundary-{stack}",
        name=policies.boundary_name(stack),
        policy=document(partial(policies.boundary, stack=stack)),
    )
    role(stack, partial(policies.deploy, stack=stack), main_only=True)
    pulumi.export(f"boundary_{stack}", boundary.arn)
    pulumi.export(
        f"secrets_provider_{stack}",
        pulumi.Output.concat("awskms://", alias.name, f"?region={region}&context_stack={stack}"),
    )
pulumi.export("backend", pulumi.Output.concat("s3://", bucket.id, f"?region={region}"))
