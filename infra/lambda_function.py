"""A Lambda function with a role and a log group of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import archives, iam
from infra.network import Network


@dataclass(frozen=True, kw_only=True)
class FunctionDefaults:
    """What all functions of a stack share."""

    runtime: str
    memory_size: int  # megabytes
    log_retention_days: int


@dataclass(frozen=True, kw_only=True)
class FunctionArgs:
    """What a function needs from outside."""

    # Code
    handler: str  # module in `functions/` that holds `handler`
    files: archives.Files  # what the archive holds, by its path there
    defaults: FunctionDefaults

    # Surroundings
    environment: Mapping[str, pulumi.Input[str]]
    statements: Sequence[iam.Statement]  # what it may do, besides writing its log
    network: Network | None = None  # only what talks to the database is in the VPC

    # Limits
    timeout: int  # seconds

    # What has to be there before its code runs, besides its role and its network
    after: Sequence[pulumi.Resource] = ()


class Function(pulumi.ComponentResource):
    """One function, the role that only it has, and its log group, which is there before its first line."""

    function: aws.lambda_.Function
    log_group: aws.cloudwatch.LogGroup

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Function", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        self.log_group = aws.cloudwatch.LogGroup(
            name, retention_in_days=args.defaults.log_retention_days, opts=child
        )
        role = aws.iam.Role(name, assume_role_policy=iam.assumed_by("lambda.amazonaws.com"), opts=child)
        statements = [*args.statements, iam.write_logs(self.log_group)]
        if args.network:
            statements.append(iam.join_network())
        policy = aws.iam.RolePolicy(name, role=role.id, policy=iam.policy(*statements), opts=child)

        self.function = aws.lambda_.Function(
            name,
            runtime=args.defaults.runtime,
            architectures=["arm64"],
            handler=f"{args.handler}.handler",
            code=archives.archive(args.files),
            role=role.arn,
            timeout=args.timeout,
            memory_size=args.defaults.memory_size,
            environment={"variables": args.environment},
            vpc_config=_placement(args.network),
            logging_config={"log_format": "Text", "log_group": self.log_group.name},
            # Lambda checks the role's permissions while it creates the function or a mapping to it. In the
            # VPC, a function that runs before it can reach AWS's services would fail.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[policy, *(args.network.ready if args.network else []), *args.after],
            ),
        )
        self.register_outputs({})


def _placement(network: Network | None) -> aws.lambda_.FunctionVpcConfigArgsDict | None:
    if network is None:
        return None
    return {
        "subnet_ids": network.subnet_ids,
        "security_group_ids": [network.function_security_group.id],
        "ipv6_allowed_for_dual_stack": not network.private_endpoints,
    }
