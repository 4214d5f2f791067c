"""A Lambda function with its own role and log group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import archives, iam
from infra.network import Network


@dataclass(frozen=True, kw_only=True)
class FunctionArgs:
    """Inputs of Function."""

    # Code
    handler: str  # module in `functions/` with the function `handler`
    files: archives.Files
    runtime: str  # such as `python3.13`; the setting `pythonRuntime`

    # Environment and permissions
    environment: Mapping[str, pulumi.Input[str]]
    statements: Sequence[iam.Statement]  # of the role, besides writing logs
    network: Network | None = None  # None: outside the VPC

    # Limits
    timeout: int  # seconds
    memory_size: int  # megabytes
    log_retention_days: int

    # Must exist before the code runs, besides role and network
    after: Sequence[pulumi.Resource] = ()


class Function(pulumi.ComponentResource):
    """A function, its role, and its log group, which exists before the first log line."""

    function: aws.lambda_.Function
    log_group: aws.cloudwatch.LogGroup

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Function", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        self.log_group = aws.cloudwatch.LogGroup(name, retention_in_days=args.log_retention_days, opts=child)
        role = aws.iam.Role(name, assume_role_policy=iam.assumed_by("lambda.amazonaws.com"), opts=child)
        statements = [*args.statements, iam.write_logs(self.log_group)]
        if args.network:
            statements.append(iam.join_network())
        policy = aws.iam.RolePolicy(name, role=role.id, policy=iam.policy(*statements), opts=child)

        self.function = aws.lambda_.Function(
            name,
            runtime=args.runtime,
            architectures=["arm64"],
            handler=f"{args.handler}.handler",
            code=archives.archive(args.files),
            role=role.arn,
            timeout=args.timeout,
            memory_size=args.memory_size,
            environment={"variables": args.environment},
            vpc_config=_vpc_config(args.network),
            logging_config={"log_format": "Text", "log_group": self.log_group.name},
            # Lambda checks the role's permissions when it creates the function or an event source mapping.
            # A function in the VPC fails if it runs before its route or endpoints exist.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[policy, *(args.network.ready if args.network else []), *args.after],
            ),
        )
        self.register_outputs({})

    @property
    def dimensions(self) -> dict[str, pulumi.Input[str]]:
        """Return the dimensions of its metrics, those of Lambda and its own."""
        return {"FunctionName": self.function.name}


def _vpc_config(network: Network | None) -> aws.lambda_.FunctionVpcConfigArgsDict | None:
    if network is None:
        return None
    return {
        "subnet_ids": network.subnet_ids,
        "security_group_ids": [network.function_security_group.id],
        "ipv6_allowed_for_dual_stack": not network.private_endpoints,
    }


@dataclass(frozen=True, kw_only=True)
class Functions:
    """The functions of a stack, for its API, schedules, alarms and outputs."""

    migrate_database: Function
    place_order: Function
    order_processor: Function
    get_order_status: Function
    get_menu: Function
    staff_orders: Function
    public_orders: Function
    reconcile_orders: Function
    backup_orders: Function
    erase_orders: Function
