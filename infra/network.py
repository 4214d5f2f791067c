"""The private network of the database and of the functions that use it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

HTTPS = 443
MYSQL = 3306
# Lambda lets go of a deleted function's network interfaces up to 20 minutes later, and by then a destroy
# would have given up on what they are in.
LETTING_GO = pulumi.CustomTimeouts(delete="45m")


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What the network needs from outside."""

    region: str
    zones: Sequence[str]  # availability zones; each gets a subnet, RDS asks for two
    cidr: str


class Network(pulumi.ComponentResource):
    """Private subnets without a way to the internet; AWS's own services are reached through endpoints.

    Three security groups name each other and let through one port each: functions to the database,
    functions to the endpoints. No NAT gateway, no internet gateway, no address range in a rule.
    """

    subnet_ids: list[pulumi.Output[str]]
    function_security_group: aws.ec2.SecurityGroup
    database_security_group: aws.ec2.SecurityGroup
    ready: list[pulumi.Resource]
    """What has to exist before a function can reach the database and AWS's services."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Network", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)

        # Private DNS of the interface endpoints needs both.
        vpc = aws.ec2.Vpc(
            "vpc",
            cidr_block=args.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            opts=self._child,
        )
        routes = aws.ec2.RouteTable("private-routes", vpc_id=vpc.id, opts=self._child)
        self.subnet_ids = self._subnets(args, vpc, routes)

        self.function_security_group = self._security_group("functions", vpc, "The functions in the VPC")
        self.database_security_group = self._security_group("database", vpc, "The database")
        endpoint_security_group = self._security_group("endpoints", vpc, "The endpoints of AWS services")

        dynamodb = aws.ec2.VpcEndpoint(
            "dynamodb-endpoint",
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{args.region}.dynamodb",
            vpc_endpoint_type="Gateway",
            route_table_ids=[routes.id],
            opts=self._child,
        )
        interfaces = [
            aws.ec2.VpcEndpoint(
                f"{service}-endpoint",
                vpc_id=vpc.id,
                service_name=f"com.amazonaws.{args.region}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=self.subnet_ids,
                security_group_ids=[endpoint_security_group.id],
                private_dns_enabled=True,
                opts=self._child,
            )
            for service in ("secretsmanager", "sqs")
        ]
        self.ready = [
            dynamodb,
            *interfaces,
            *self._connect(
                "functions-to-database", self.function_security_group, self.database_security_group, MYSQL
            ),
            *self._connect(
                "functions-to-endpoints", self.function_security_group, endpoint_security_group, HTTPS
            ),
            aws.vpc.SecurityGroupEgressRule(
                "functions-to-dynamodb",
                description="DynamoDB through its gateway endpoint",
                security_group_id=self.function_security_group.id,
                prefix_list_id=dynamodb.prefix_list_id,
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                opts=self._child,
            ),
        ]
        self.register_outputs({})

    def _subnets(
        self, args: NetworkArgs, vpc: aws.ec2.Vpc, routes: aws.ec2.RouteTable
    ) -> list[pulumi.Output[str]]:
        blocks = ipaddress.IPv4Network(args.cidr).subnets(prefixlen_diff=4)
        subnets = []
        for number, (zone, block) in enumerate(zip(args.zones, blocks, strict=False), 1):
            subnet = aws.ec2.Subnet(
                f"private-{number}",
                vpc_id=vpc.id,
                availability_zone=zone,
                cidr_block=str(block),
                opts=pulumi.ResourceOptions(parent=self, custom_timeouts=LETTING_GO),
            )
            aws.ec2.RouteTableAssociation(
                f"private-{number}", subnet_id=subnet.id, route_table_id=routes.id, opts=self._child
            )
            subnets.append(subnet.id)
        return subnets

    def _security_group(self, name: str, vpc: aws.ec2.Vpc, description: str) -> aws.ec2.SecurityGroup:
        # The provider takes the rule away that lets everything out and that EC2 gives to a new group.
        opts = pulumi.ResourceOptions(parent=self, custom_timeouts=LETTING_GO)
        return aws.ec2.SecurityGroup(name, vpc_id=vpc.id, description=description, opts=opts)

    def _connect(
        self, name: str, source: aws.ec2.SecurityGroup, target: aws.ec2.SecurityGroup, port: int
    ) -> list[pulumi.Resource]:
        """Open one port from one group to another, on both sides."""
        return [
            aws.vpc.SecurityGroupEgressRule(
                name,
                security_group_id=source.id,
                referenced_security_group_id=target.id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                opts=self._child,
            ),
            aws.vpc.SecurityGroupIngressRule(
                name,
                security_group_id=target.id,
                referenced_security_group_id=source.id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                opts=self._child,
            ),
        ]
