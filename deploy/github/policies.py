"""Policy documents of the roles for GitHub's environments; nothing here calls AWS.

Most permissions are limited to the names NAME-STACK-HEX, which Pulumi gives to a stack's resources. Resources
without such a name are limited by the tag `Stack` if the service supports it; README.md lists the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.github.iam_actions import APIS, CHANGE_NETWORK, CREATE_NETWORK, LOGS, NETWORK, PREVIEW, REFRESH

PROJECT = "cafe-orders"
ISSUER = "token.actions.githubusercontent.com"
# With ids, or without them if it is older: https://docs.github.com/actions/reference/openid-connect-reference
REPOSITORY = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+|[A-Za-z0-9-]+@[0-9]+/[A-Za-z0-9._-]+@[0-9]+")
PAGE, BACKUP = "order-status-page", "orders-backup"  # buckets
LOG_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
Statement = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Account:
    """The account and region of the stacks, and the bucket and key of their state."""

    id: str
    region: str
    bucket: str  # ARN
    key: str  # ARN
    zones: Sequence[str] = ()  # ids of the Route 53 zones of the stacks' domains

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.id}:{resource}"

    def role(self, name: str) -> str:
        """Return the ARN of a role."""
        return f"arn:aws:iam::{self.id}:role/{name}"

    def boundary(self, stack: str) -> str:
        """Return the ARN of the policy that limits a stack's roles."""
        return f"arn:aws:iam::{self.id}:policy/{boundary_name(stack)}"


def bucket(stack: str, name: str) -> str:
    """Return the ARN of a stack's bucket."""
    return f"arn:aws:s3:::{named(stack, name)}"


def boundary_name(stack: str) -> str:
    """Return the name of the policy that limits a stack's roles."""
    return f"{PROJECT}-{stack}-boundary"


def named(stack: str, name: str = "*") -> str:
    """Return the pattern of physical names in a stack."""
    return f"{name}-{stack}-{'?' * 7}"


def allow(actions: Sequence[str], *resources: str, **conditions: Any) -> Statement:
    """Allow actions on resources, under conditions such as `StringEquals={key: value}`."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**statement, "Condition": conditions} if conditions else statement


def document(*statements: Statement) -> dict[str, Any]:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(provider: str, repository: str, environment: str, *, main_only: bool) -> dict[str, Any]:
    """Let jobs of one environment of one repository assume a role.

    Parameters
    ----------
    provider
        ARN of the OIDC provider.
    main_only
        Require the branch `main`. The GitHub environment has the same rule, but administrators of the
        repository can remove that.

    Raises
    ------
    ValueError
        The repository is not in the format of GitHub's tokens.
    """
    if not REPOSITORY.fullmatch(repository):
        raise ValueError(
            f"repository: must be OWNER@ID/NAME@ID, or OWNER/NAME if it is older, not {repository!r}"
        )
    claims = {"aud": "sts.amazonaws.com", "sub": f"repo:{repository}:environment:{environment}"}
    if main_only:
        claims["ref"] = "refs/heads/main"
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{ISSUER}:{claim}": value for claim, value in claims.items()}},
        }
    )


def require_tls(bucket: str) -> str:
    """Return the policy of a bucket that denies plain HTTP."""
    return json.dumps(
        document(
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [bucket, f"{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        )
    )


def read_state(account: Account, *stacks: str) -> list[Statement]:
    """Read the state of stacks, and decrypt its secrets."""
    return [
        allow(["s3:ListBucket"], account.bucket),
        allow(
            ["s3:GetObject"],
            f"{account.bucket}/.pulumi/meta.yaml",
            *(
                f"{account.bucket}/.pulumi/*/{PROJECT}/{stack}{rest}"
                for stack in stacks
                for rest in (".json*", "/*")
            ),
        ),
        allow(["kms:Decrypt"], account.key, StringEquals={"kms:EncryptionContext:stack": list(stacks)}),
    ]


def write_state(account: Account, stack: str) -> list[Statement]:
    """Write the state of one stack, and lock it."""
    return [
        *read_state(account, stack),
        allow(
            ["s3:PutObject", "s3:DeleteObject"],
            *(f"{account.bucket}/.pulumi/*/{PROJECT}/{stack}{rest}" for rest in (".json*", "/*")),
        ),
        allow(["kms:Encrypt"], account.key, StringEquals={"kms:EncryptionContext:stack": stack}),
    ]


def preview(account: Account, *stacks: str) -> dict[str, Any]:
    """Preview stacks; read-only."""
    return document(
        *read_state(account, *stacks),
        allow(PREVIEW, "*"),
        allow(["apigateway:GET"], *_apis(account, "/account")),
    )


def read_settings(account: Account) -> dict[str, Any]:
    """Read the settings of resources; a separate policy, because IAM limits the length of inline policies."""
    return document(allow(REFRESH, "*"), allow(["apigateway:GET"], *_apis(account, *APIS)))


def drift(account: Account, *stacks: str) -> dict[str, Any]:
    """Refresh stacks without saving the result, with `read_settings`; the refresh also reads secrets."""
    return document(
        *read_state(account, *stacks),
        allow(
            ["s3:Get*", "s3:ListBucket"],
            *(f"{bucket(stack, PAGE)}{rest}" for stack in stacks for rest in ("", "/*")),
        ),
        # Not its files, which contain customers' names.
        allow(["s3:Get*"], *(bucket(stack, BACKUP) for stack in stacks)),
        allow(
            ["secretsmanager:GetSecretValue"],
            *(account.arn("secretsmanager", f"secret:{named(stack)}-*") for stack in stacks),
        ),
    )


def deploy(account: Account, stack: str) -> dict[str, Any]:
    """Create, change and delete a stack, and place an order in it, with `read_settings`."""
    return document(
        *write_state(account, stack),
        *_named_resources(account, stack),
        *_tagged_resources(account, stack),
        *_roles(account, stack),
        *_shared_resources(account),
    )


def _named_resources(account: Account, stack: str) -> list[Statement]:
    every = named(stack)
    resources = {
        "sqs": [every],
        "sns": [every, f"{every}:*"],
        "dynamodb": [f"table/{every}", f"table/{every}/index/*"],
        "lambda": [f"function:{every}"],
        "logs": [f"log-group:{every}", f"log-group:{every}:*"],
        "secretsmanager": [f"secret:{every}-*"],
        "rds": [
            *(f"{kind}:{every}" for kind in ("db", "subgrp", "pg")),
            "og:default*",
            f"snapshot:*-{stack}-*",
        ],
        "cloudwatch": [f"alarm:{every}"],
        "events": [f"rule/{every}"],
    }
    return [
        *(
            allow([f"{service}:*"], *(account.arn(service, name) for name in names))
            for service, names in resources.items()
        ),
        allow(["s3:*"], *(f"{bucket(stack, name)}{rest}" for name in (PAGE, BACKUP) for rest in ("", "/*"))),
        allow(["cloudwatch:*"], f"arn:aws:cloudwatch::{account.id}:dashboard/{PROJECT}-{stack}"),
        allow(["budgets:*"], f"arn:aws:budgets::{account.id}:budget/{every}"),
    ]


def _tagged_resources(account: Account, stack: str) -> list[Statement]:
    owned = {"aws:ResourceTag/Project": PROJECT, "aws:ResourceTag/Stack": stack}
    new = {"aws:RequestTag/Project": PROJECT, "aws:RequestTag/Stack": stack}
    # A tag grants ownership, so it can be set only at creation, or on resources without a tag.
    creating = {"ec2:CreateAction": [action.partition(":")[2] for action in CREATE_NETWORK]}
    untagged = {"aws:ResourceTag/Stack": "true"}
    network = [account.arn("ec2", f"{kind}/*") for kind in NETWORK]
    return [
        allow(CREATE_NETWORK, *network, StringEquals=new),
        allow(["ec2:CreateTags"], *network, StringEquals={**new, **creating}),
        allow(CHANGE_NETWORK, *network, StringEquals=owned),
        allow(["cognito-idp:CreateUserPool", "cloudfront:CreateDistribution"], "*", StringEquals=new),
        allow(
            [
                "acm:AddTagsToCertificate",
                "acm:RequestCertificate",
                "cloudfront:TagResource",
                "cognito-idp:TagResource",
            ],
            "*",
            StringEquals=new,
            Null=untagged,
        ),
        allow(["cognito-idp:*"], account.arn("cognito-idp", "userpool/*"), StringEquals=owned),
        allow(
            ["acm:DeleteCertificate", "cloudfront:*"],
            f"arn:aws:acm:us-east-1:{account.id}:certificate/*",
            f"arn:aws:cloudfront::{account.id}:distribution/*",
            StringEquals=owned,
        ),
        *_records(account),
        allow(
            ["lambda:*EventSourceMapping"],
            "*",
            ArnLike={"lambda:FunctionArn": account.arn("lambda", f"function:{named(stack)}")},
        ),
        allow(
            ["lambda:TagResource", "lambda:UntagResource"], account.arn("lambda", "event-source-mapping:*")
        ),
        # RDS creates the master user's secret with the caller's permissions.
        allow(
            ["secretsmanager:CreateSecret", "secretsmanager:TagResource"],
            account.arn("secretsmanager", "secret:rds!db-*"),
        ),
    ]


def _records(account: Account) -> list[Statement]:
    """Change records in the zones of `hostedZones`."""
    if not account.zones:
        return []
    kinds = {"route53:ChangeResourceRecordSetsRecordTypes": ["A", "AAAA", "CNAME"]}
    zones = [f"arn:aws:route53:::hostedzone/{zone}" for zone in account.zones]
    return [allow(["route53:ChangeResourceRecordSets"], *zones, **{"ForAllValues:StringEquals": kinds})]


def _roles(account: Account, stack: str) -> list[Statement]:
    """Create roles with the boundary, for two services only."""
    roles = account.role(named(stack))
    bounded = {"iam:PermissionsBoundary": account.boundary(stack)}
    return [
        allow(
            [
                "iam:CreateRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
            ],
            roles,
            StringEquals=bounded,
        ),
        allow(["iam:AttachRolePolicy"], roles, StringEquals=bounded, ArnEquals={"iam:PolicyARN": LOG_POLICY}),
        allow(["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy"], roles),
        allow(["iam:ListInstanceProfilesForRole"], roles),
        allow(
            ["iam:PassRole"],
            roles,
            StringEquals={"iam:PassedToService": ["lambda.amazonaws.com", "apigateway.amazonaws.com"]},
        ),
        allow(
            ["iam:CreateServiceLinkedRole"],
            account.role("aws-service-role/*"),
            StringEquals={"iam:AWSServiceName": ["rds.amazonaws.com", "ops.apigateway.amazonaws.com"]},
        ),
    ]


def _apis(account: Account, *paths: str) -> list[str]:
    return [f"arn:aws:apigateway:{account.region}::{path}" for path in paths]


def _shared_resources(account: Account) -> list[Statement]:
    """Change resources that cannot be limited by name or tag."""
    kinds = ("cache-policy", "function", "origin-access-control", "response-headers-policy")
    return [
        allow(["apigateway:*"], *_apis(account, *APIS)),
        allow(["cloudfront:*"], *(f"arn:aws:cloudfront::{account.id}:{kind}/*" for kind in kinds)),
        allow(["kms:DescribeKey"], "*"),
    ]


def boundary(account: Account, stack: str) -> dict[str, Any]:
    """Limit the stack's roles to the actions of its functions, on its own resources."""
    every = named(stack)
    return document(
        allow(["sns:Publish"], account.arn("sns", every)),
        allow(
            [
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            account.arn("sqs", every),
        ),
        allow(
            [
                "dynamodb:BatchGetItem",
                "dynamodb:BatchWriteItem",
                "dynamodb:PartiQLUpdate",
                "dynamodb:PutItem",
                "dynamodb:Scan",
                "dynamodb:UpdateItem",
            ],
            account.arn("dynamodb", f"table/{every}"),
            account.arn("dynamodb", f"table/{every}/index/*"),
        ),
        allow(
            ["secretsmanager:GetSecretValue"],
            account.arn("secretsmanager", f"secret:{every}-*"),
            account.arn("secretsmanager", "secret:rds!db-*"),
        ),
        allow(["s3:ListBucket"], bucket(stack, BACKUP)),
        allow(["s3:AbortMultipartUpload", "s3:PutObject"], f"{bucket(stack, BACKUP)}/*"),
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], account.arn("logs", f"log-group:{every}:*")),
        allow(
            [
                "ec2:AssignPrivateIpAddresses",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:UnassignPrivateIpAddresses",
            ],
            "*",
        ),
        allow(LOGS, "*", ArnLike={"aws:PrincipalArn": account.role(named(stack, "api-gateway-logs"))}),
    )
