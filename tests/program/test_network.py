"""The network in its two forms: `dev` connects to AWS services over IPv6, `prod` by interface endpoints."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pulumi_aws
import pytest

from infra import network
from infra.network import ipv6_block
from infra.recording import ZONES
from tests.program.conftest import Program
from tests.program.network_forms import OVER_IPV6, PRIVATE
from tests.program.setting_values import CHANGED

IN_VPC = ["OrderProcessor", "GetOrderStatusLambda", "ReconcileOrders", "BackupOrders", "MigrateDatabase"]
USE_SQS = ["OrderProcessor", "GetOrderStatusLambda", "ReconcileOrders"]
ENDPOINT = "ec2/vpcEndpoint:VpcEndpoint"
FUNCTION = "lambda/function:Function"
RULES = (
    "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
)


def of_network(program: Program) -> set[str]:
    return {
        " ".join(resource.urn.split("::")[2:])
        for resource in program.resources
        if "cafe:orders:Network$" in resource.urn
    }


def rules(program: Program) -> list[tuple[str, str, int]]:
    """Return the rules of the security groups: group, peer and port."""
    found = []
    for kind in RULES:
        for rule in program.all(kind):
            inputs = rule.inputs
            assert inputs["fromPort"] == inputs["toPort"]
            peer = next(
                inputs[key]
                for key in ("referencedSecurityGroupId", "prefixListId", "cidrIpv6")
                if key in inputs
            )
            found.append(
                (inputs["securityGroupId"].removeprefix("id-SecurityGroup."), peer, inputs["toPort"])
            )
    return sorted(found)


def test_the_two_forms_differ_only_in_these_resources(dev: Program, prod: Program) -> None:
    assert of_network(prod) - of_network(dev) == PRIVATE
    assert of_network(dev) - of_network(prod) == OVER_IPV6


def test_the_network_has_no_ingress_from_outside(program: Program) -> None:
    kinds = {resource.type for resource in program.resources}
    assert not kinds & {
        "aws:ec2/internetGateway:InternetGateway",
        "aws:ec2/natGateway:NatGateway",
        "aws:ec2/eip:Eip",
    }
    subnets = program.all("ec2/subnet:Subnet")
    assert len({subnet.inputs["availabilityZone"] for subnet in subnets}) == len(subnets) == 2
    assert not any(subnet.inputs.get("mapPublicIpOnLaunch") for subnet in subnets)


def test_a_new_stack_gets_no_excluded_zone(program: Program) -> None:
    subnets = program.all("ec2/subnet:Subnet")
    assert {s.inputs["availabilityZone"] for s in subnets} == {*ZONES.values()} - {ZONES["use1-az3"]}


def test_a_new_stack_gets_an_excluded_zone_if_too_few_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old accounts have only two zones in some regions, one of them excluded."""

    def zones(**arguments: Any) -> Any:
        every = {"usw1-az1": "us-west-1a", "usw1-az2": "us-west-1b"}
        names = [name for zone, name in every.items() if zone not in arguments.get("exclude_zone_ids", [])]
        return SimpleNamespace(names=names)

    monkeypatch.setattr(pulumi_aws, "get_availability_zones", zones)
    assert network.available_zones() == ["us-west-1a", "us-west-1b"]


def test_a_subnet_keeps_its_zone(program: Program) -> None:
    """Another zone would replace subnets in use, which AWS refuses to delete."""
    for subnet in program.all("ec2/subnet:Subnet"):
        assert subnet.ignore_changes == ["availabilityZone"]


def test_with_private_endpoints_there_is_no_route_to_the_internet(prod: Program) -> None:
    assert prod.all("ec2/route:Route") == []
    assert not any(
        "cidrIpv6" in rule.inputs or "cidrIpv4" in rule.inputs for kind in RULES for rule in prod.all(kind)
    )


def test_the_only_route_out_is_egress_only_ipv6(dev: Program) -> None:
    (route,) = dev.all("ec2/route:Route")
    assert route.inputs["destinationIpv6CidrBlock"] == "::/0"
    assert route.inputs["egressOnlyGatewayId"] == "id-EgressOnlyInternetGateway.egress"
    assert set(route.inputs) == {"routeTableId", "destinationIpv6CidrBlock", "egressOnlyGatewayId"}


def test_the_vpc_and_its_subnets_have_ipv6_blocks_in_both_forms(program: Program) -> None:
    assert program.one("ec2/vpc:Vpc").inputs["assignGeneratedIpv6CidrBlock"] is True
    blocks = [subnet.inputs["ipv6CidrBlock"] for subnet in program.all("ec2/subnet:Subnet")]
    assert sorted(blocks) == ["2600:1f18:1234:5601::/64", "2600:1f18:1234:5602::/64"]


@pytest.mark.parametrize(
    ("whole", "number", "block"),
    [
        ("2600:1f18:1234:5600::/56", 1, "2600:1f18:1234:5601::/64"),
        ("2600:1f18:1234::/56", 2, "2600:1f18:1234:2::/64"),
        ("", 1, None),  # in the preview of an upgrade from a release without IPv6
    ],
)
def test_a_subnet_gets_a_64_block_of_its_vpc(whole: str, number: int, block: str | None) -> None:
    assert ipv6_block(whole, number) == block


def test_with_private_endpoints_security_groups_refer_to_each_other(prod: Program) -> None:
    assert rules(prod) == [
        ("database", "id-SecurityGroup.functions", 3306),
        ("endpoints", "id-SecurityGroup.functions", 443),
        ("functions", "id-SecurityGroup.database", 3306),
        ("functions", "id-SecurityGroup.endpoints", 443),
        ("functions", "pl-dynamodb-endpoint", 443),
        ("functions", "pl-s3-endpoint", 443),
    ]


def test_over_ipv6_functions_may_connect_by_https_only(dev: Program) -> None:
    assert rules(dev) == [
        ("database", "id-SecurityGroup.functions", 3306),
        ("functions", "::/0", 443),
        ("functions", "id-SecurityGroup.database", 3306),
        ("functions", "pl-dynamodb-endpoint", 443),
        ("functions", "pl-s3-endpoint", 443),
    ]


def test_a_security_group_has_no_inline_rules(program: Program) -> None:
    assert not any("egress" in group.inputs for group in program.all("ec2/securityGroup:SecurityGroup"))


@pytest.mark.parametrize("service", ["dynamodb", "s3"])
def test_dynamodb_and_s3_have_a_gateway_endpoint(program: Program, service: str) -> None:
    endpoint = program.one(ENDPOINT, f"{service}-endpoint").inputs
    assert endpoint["serviceName"] == f"com.amazonaws.us-east-1.{service}"
    assert endpoint["vpcEndpointType"] == "Gateway"
    assert endpoint["routeTableIds"] == ["id-RouteTable.private-routes"]


def test_private_endpoints_have_private_dns(prod: Program) -> None:
    vpc = prod.one("ec2/vpc:Vpc").inputs
    assert vpc["enableDnsSupport"] is vpc["enableDnsHostnames"] is True
    interfaces = [e.inputs for e in prod.all(ENDPOINT) if e.inputs["vpcEndpointType"] == "Interface"]
    assert sorted(e["serviceName"] for e in interfaces) == [
        "com.amazonaws.us-east-1.secretsmanager",
        "com.amazonaws.us-east-1.sqs",
    ]
    assert all(e["privateDnsEnabled"] for e in interfaces)


def test_a_private_endpoint_is_created_after_the_rules_that_admit_functions(prod: Program) -> None:
    names = {f"{kind} functions-to-endpoints": prod.one(kind, "functions-to-endpoints").urn for kind in RULES}
    for endpoint in ("secretsmanager-endpoint", "sqs-endpoint"):
        assert set(names.values()) <= set(prod.one(ENDPOINT, endpoint).depends_on)


def test_endpoints_are_limited_to_this_stacks_tables_bucket_queues_and_secrets(prod: Program) -> None:
    policies = {
        endpoint.name: [(s["Action"], s["Resource"]) for s in endpoint.policy()]
        for endpoint in prod.all(ENDPOINT)
    }
    tables = [f"arn:Table.{name}" for name in ("Orders", "CafeMenu", "CafeOrderMetrics", "ErasedOrders")]
    assert policies == {
        "dynamodb-endpoint": [("dynamodb:*", tables)],
        "s3-endpoint": [("s3:*", ["arn:Bucket.orders-backup", "arn:Bucket.orders-backup/*"])],
        "secretsmanager-endpoint": [
            (
                "secretsmanager:*",
                [
                    "arn:Secret.CafeDevDBSM",
                    "arn:Secret.CafeStatusDBSM",
                    "arn:master:Instance.cafe-db",
                    "arn:Secret.TrackingKeys",
                ],
            )
        ],
        "sqs-endpoint": [("sqs:*", ["arn:Queue.OrderQueue", "arn:Queue.OrderDLQ"])],
    }


def test_over_ipv6_the_gateway_endpoints_have_the_same_limits(dev: Program, prod: Program) -> None:
    endpoints = dev.all(ENDPOINT)
    assert {endpoint.name for endpoint in endpoints} == {"dynamodb-endpoint", "s3-endpoint"}
    for endpoint in endpoints:
        same = prod.one(ENDPOINT, endpoint.name).inputs
        assert endpoint.inputs == {**same, "tags": endpoint.inputs["tags"]}


@pytest.mark.parametrize("name", IN_VPC)
def test_a_function_in_the_vpc_is_created_after_routes_endpoints_and_rules(
    program: Program, name: str
) -> None:
    depends_on = set(program.one(FUNCTION, name).depends_on)
    kinds = ("ec2/vpcEndpoint:VpcEndpoint", "ec2/route:Route", *RULES)
    assert {resource.urn for kind in kinds for resource in program.all(kind)} <= depends_on


@pytest.mark.parametrize("name", IN_VPC)
def test_functions_use_ipv6_without_private_endpoints(dev: Program, prod: Program, name: str) -> None:
    assert dev.one(FUNCTION, name).inputs["vpcConfig"]["ipv6AllowedForDualStack"] is True
    assert prod.one(FUNCTION, name).inputs["vpcConfig"]["ipv6AllowedForDualStack"] is False


@pytest.mark.parametrize("name", USE_SQS)
def test_functions_use_the_dual_stack_endpoint_of_sqs_over_ipv6(
    dev: Program, prod: Program, name: str
) -> None:
    assert dev.one(FUNCTION, name).inputs["environment"]["variables"]["SQS_DUALSTACK"] == "true"
    assert "SQS_DUALSTACK" not in prod.one(FUNCTION, name).inputs["environment"]["variables"]


def test_no_function_uses_dual_stack_endpoints_for_all_services(program: Program) -> None:
    for function in program.all(FUNCTION):
        assert "AWS_USE_DUALSTACK_ENDPOINT" not in function.inputs["environment"]["variables"]


def test_dev_can_have_private_endpoints(with_settings: Callable[..., Program]) -> None:
    assert of_network(with_settings(**CHANGED)) >= PRIVATE


def test_a_destroy_waits_until_lambda_releases_the_network(program: Program) -> None:
    for kind in ("ec2/subnet:Subnet", "ec2/securityGroup:SecurityGroup"):
        assert {resource.delete_timeout for resource in program.all(kind)} == {"45m"}
