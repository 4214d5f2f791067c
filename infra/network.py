"""The private network of the database and of the functions that use it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.settings import Settings

HTTPS = 443
MYSQL = 3306
# Lambda releases a deleted function's network interfaces after up to 20 minutes; deletes must wait for it.
TIMEOUTS = pulumi.CustomTimeouts(delete="45m")
# Zones without Graviton or newer instances of RDS or Lambda, by id, since zone names differ by account:
# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html,
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AWS_Fargate-Regions.html
EXCLUDED_ZONE_IDS = ["use1-az3", "usw1-az2", "cac1-az3", "apne1-az3"]


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Inputs of Network."""

    zones: Sequence[str]  # availability zones; each gets a subnet, and RDS requires two
    cidr: str
    private_endpoints: bool

    @classmethod
    def of(cls, settings: Settings, zones: Sequence[str]) -> NetworkArgs:
        """Read the inputs from the settings."""
        return cls(zones=zones, cidr=settings.network_cidr, private_endpoints=settings.private_endpoints)


class Network(pulumi.ComponentResource):
    """A VPC with two private subnets, without ingress from outside.

    Functions reach DynamoDB and S3 through gateway endpoints, which are free, and Secrets Manager and SQS
    either through interface endpoints, without a route to the internet, or over IPv6 through an egress-only
    internet gateway, which is free.

    The VPC and its subnets have IPv6 blocks in both cases, because AWS cannot remove blocks in use
    (`docs/decisions/0013-two-networks.md`).
    """

    subnet_ids: list[pulumi.Output[str]]
    function_security_group: aws.ec2.SecurityGroup
    database_security_group: aws.ec2.SecurityGroup
    private_endpoints: bool
    ready: list[pulumi.Resource]
    """Resources that must exist before a function can reach the database and AWS services."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Network", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self.private_endpoints = args.private_endpoints

        # Private DNS of interface endpoints requires both DNS options.
        self._vpc = aws.ec2.Vpc(
            "vpc",
            cidr_block=args.cidr,
            assign_generated_ipv6_cidr_block=True,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            opts=self._child,
        )
        self._routes = aws.ec2.RouteTable("private-routes", vpc_id=self._vpc.id, opts=self._child)
        self.subnet_ids = self._subnets(args)
        self.function_security_group = self._security_group("functions", "The functions in the VPC")
        self.database_security_group = self._security_group("database", "The database")
        self.ready = self._allow_port(
            "functions-to-database", self.function_security_group, self.database_security_group, MYSQL
        )
        self.register_outputs({})

    def connect_services(
        self,
        region: str,
        tables: Sequence[pulumi.Input[str]],
        queues: Sequence[pulumi.Input[str]],
        secrets: Sequence[pulumi.Input[str]],
        buckets: Sequence[pulumi.Input[str]],
    ) -> None:
        """Let functions reach AWS services; endpoint policies limit them to these ARNs.

        Separate from the constructor, because these resources are created after the network.
        """
        self.ready += self._gateway_endpoint(region, "dynamodb", "DynamoDB", tables)
        self.ready += self._gateway_endpoint(region, "s3", "S3", buckets)
        if self.private_endpoints:
            self.ready += self._interface_endpoints(region, {"secretsmanager": secrets, "sqs": queues})
        else:
            self.ready += self._ipv6_egress()

    def _gateway_endpoint(
        self, region: str, service: str, title: str, arns: Sequence[pulumi.Input[str]]
    ) -> list[pulumi.Resource]:
        endpoint = aws.ec2.VpcEndpoint(
            f"{service}-endpoint",
            vpc_id=self._vpc.id,
            service_name=f"com.amazonaws.{region}.{service}",
            vpc_endpoint_type="Gateway",
            route_table_ids=[self._routes.id],
            policy=iam.policy(iam.reach(service, arns)),
            opts=self._child,
        )
        rule = self._egress(
            f"functions-to-{service}",
            f"{title} through its gateway endpoint",
            prefix_list_id=endpoint.prefix_list_id,
        )
        return [endpoint, rule]

    def _interface_endpoints(
        self, region: str, admitted: Mapping[str, Sequence[pulumi.Input[str]]]
    ) -> list[pulumi.Resource]:
        group = self._security_group("endpoints", "The endpoints of AWS services")
        rules = self._allow_port("functions-to-endpoints", self.function_security_group, group, HTTPS)
        endpoints = [
            aws.ec2.VpcEndpoint(
                f"{service}-endpoint",
                vpc_id=self._vpc.id,
                service_name=f"com.amazonaws.{region}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=self.subnet_ids,
                security_group_ids=[group.id],
                private_dns_enabled=True,
                policy=iam.policy(iam.reach(service, arns)),
                # Once it exists, the service's name resolves to it in the whole VPC.
                opts=pulumi.ResourceOptions(parent=self, depends_on=rules),
            )
            for service, arns in admitted.items()
        ]
        return [*rules, *endpoints]

    def _ipv6_egress(self) -> list[pulumi.Resource]:
        gateway = aws.ec2.EgressOnlyInternetGateway("egress", vpc_id=self._vpc.id, opts=self._child)
        route = aws.ec2.Route(
            "egress",
            route_table_id=self._routes.id,
            destination_ipv6_cidr_block="::/0",
            egress_only_gateway_id=gateway.id,
            opts=self._child,
        )
        # AWS publishes no prefix list of Secrets Manager's or SQS's IPv6 addresses.
        rule = self._egress("functions-to-services", "Secrets Manager and SQS over IPv6", cidr_ipv6="::/0")
        return [route, rule]

    def _egress(
        self,
        name: str,
        description: str,
        *,
        prefix_list_id: pulumi.Input[str] | None = None,
        cidr_ipv6: str | None = None,
    ) -> aws.vpc.SecurityGroupEgressRule:
        """Let functions connect to a destination over HTTPS."""
        return aws.vpc.SecurityGroupEgressRule(
            name,
            description=description,
            security_group_id=self.function_security_group.id,
            prefix_list_id=prefix_list_id,
            cidr_ipv6=cidr_ipv6,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            opts=self._child,
        )

    def _subnets(self, args: NetworkArgs) -> list[pulumi.Output[str]]:
        blocks = ipaddress.IPv4Network(args.cidr).subnets(prefixlen_diff=4)
        subnets = []
        for number, (zone, block) in enumerate(zip(args.zones, blocks, strict=False), 1):
            subnet = aws.ec2.Subnet(
                f"private-{number}",
                vpc_id=self._vpc.id,
                availability_zone=zone,
                cidr_block=str(block),
                ipv6_cidr_block=self._vpc.ipv6_cidr_block.apply(
                    lambda whole, number=number: ipv6_block(whole, number)  # type: ignore[misc]
                ),
                # The zones of a new stack may differ later; a change would replace subnets in use.
                opts=pulumi.ResourceOptions(
                    parent=self, ignore_changes=["availabilityZone"], custom_timeouts=TIMEOUTS
                ),
            )
            aws.ec2.RouteTableAssociation(
                f"private-{number}", subnet_id=subnet.id, route_table_id=self._routes.id, opts=self._child
            )
            subnets.append(subnet.id)
        return subnets

    def _security_group(self, name: str, description: str) -> aws.ec2.SecurityGroup:
        # The provider removes the default rule that allows all egress.
        opts = pulumi.ResourceOptions(parent=self, custom_timeouts=TIMEOUTS)
        return aws.ec2.SecurityGroup(name, vpc_id=self._vpc.id, description=description, opts=opts)

    def _allow_port(
        self, name: str, source: aws.ec2.SecurityGroup, target: aws.ec2.SecurityGroup, port: int
    ) -> list[pulumi.Resource]:
        """Allow connections from one group to a port of another, with a rule in each."""
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


def available_zones() -> Sequence[str]:
    """Return two zones of the region, without opt-in zones, and without excluded ones if enough are left."""
    every_account = aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])
    zones = aws.get_availability_zones(filters=[every_account], exclude_zone_ids=EXCLUDED_ZONE_IDS).names[:2]
    if len(zones) == 2:
        return zones
    # Old accounts have only two zones in some regions.
    return aws.get_availability_zones(filters=[every_account]).names[:2]


def ipv6_block(whole: str, number: int) -> str | None:
    """Return the `number`th /64 block of a VPC's IPv6 block, such as `2001:db8:0:1::/64`.

    None if the VPC has no block, as in the preview of an upgrade from a release without IPv6.
    """
    try:
        network = ipaddress.IPv6Network(whole)
    except ValueError:
        return None
    return str(ipaddress.IPv6Network((int(network.network_address) + (number << 64), 64)))
