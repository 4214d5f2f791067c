"""Resources of EC2. Nothing local is in the VPC, but MiniStack checks its references."""

from __future__ import annotations

from typing import Any

from local.deployer.cloud import Cloud
from local.deployer.inputs import Inputs
from local.deployer.registry import Result, invoke, resource

# MiniStack assigns a VPC no IPv6 block; this one is reserved for documentation.
_IPV6_BLOCK = "2001:db8::/56"


@invoke("aws:index/getRegion:getRegion")
def get_region(cloud: Cloud, inputs: Inputs) -> dict[str, Any]:
    return {
        "id": cloud.region,
        "name": cloud.region,
        "region": cloud.region,
        "description": "this machine",
        "endpoint": f"127.0.0.1:{cloud.port}",
    }


@invoke("aws:index/getAvailabilityZones:getAvailabilityZones")
def get_availability_zones(cloud: Cloud, inputs: Inputs) -> dict[str, Any]:
    filters = [
        {"Name": item.text("name"), "Values": item.texts("values")} for item in inputs.sections("filters")
    ]
    excluded = inputs.get("excludeZoneIds", [])
    found = cloud.client("ec2").describe_availability_zones(Filters=filters)["AvailabilityZones"]
    zones = [zone for zone in found if zone["ZoneId"] not in excluded]
    return {
        "id": cloud.region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": [cloud.region],
    }


@resource("aws:ec2/vpc:Vpc")
def vpc(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    ec2 = cloud.client("ec2")
    identifier = ec2.create_vpc(CidrBlock=inputs.text("cidrBlock"))["Vpc"]["VpcId"]
    outputs = {"arn": cloud.arn("ec2", f"vpc/{identifier}")}
    if inputs.flag("assignGeneratedIpv6CidrBlock"):
        outputs["ipv6CidrBlock"] = _IPV6_BLOCK
    for attribute, value in inputs.capitalized("enableDnsSupport", "enableDnsHostnames").items():
        ec2.modify_vpc_attribute(VpcId=identifier, **{attribute: {"Value": value}})
    return identifier, outputs


@resource("aws:ec2/subnet:Subnet", {"ipv6CidrBlock": "MiniStack's networks have IPv4 addresses only"})
def subnet(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("ec2").create_subnet(
        VpcId=inputs.text("vpcId"),
        CidrBlock=inputs.text("cidrBlock"),
        AvailabilityZone=inputs.text("availabilityZone"),
    )["Subnet"]
    return created["SubnetId"], {"arn": cloud.arn("ec2", f"subnet/{created['SubnetId']}")}


@resource("aws:ec2/routeTable:RouteTable")
def route_table(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("ec2").create_route_table(VpcId=inputs.text("vpcId"))["RouteTable"]
    identifier = created["RouteTableId"]
    return identifier, {"arn": cloud.arn("ec2", f"route-table/{identifier}")}


@resource("aws:ec2/route:Route")
def route(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    table = inputs.text("routeTableId")
    cloud.client("ec2").create_route(
        RouteTableId=table,
        DestinationIpv6CidrBlock=inputs.text("destinationIpv6CidrBlock"),
        EgressOnlyInternetGatewayId=inputs.text("egressOnlyGatewayId"),
    )
    return f"r-{table}", {}


@resource("aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway")
def egress_only_internet_gateway(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("ec2").create_egress_only_internet_gateway(VpcId=inputs.text("vpcId"))
    return created["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"], {}


@resource("aws:ec2/routeTableAssociation:RouteTableAssociation")
def route_table_association(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("ec2").associate_route_table(
        RouteTableId=inputs.text("routeTableId"), SubnetId=inputs.text("subnetId")
    )
    return created["AssociationId"], {}


@resource("aws:ec2/securityGroup:SecurityGroup")
def security_group(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    ec2 = cloud.client("ec2")
    physical = inputs.get("name", cloud.physical_name(name))
    identifier = ec2.create_security_group(
        GroupName=physical, Description=inputs.text("description"), VpcId=inputs.text("vpcId")
    )["GroupId"]
    # As the provider does: remove the default rule, which allows all egress.
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_egress(GroupId=identifier, IpPermissions=[everything])
    return identifier, {"name": physical, "arn": cloud.arn("ec2", f"security-group/{identifier}")}


@resource("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
def ingress_rule(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("ec2").authorize_security_group_ingress(
        GroupId=inputs.text("securityGroupId"), IpPermissions=[_permission(inputs)]
    )
    return _rule(cloud, created)


@resource("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
def egress_rule(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("ec2").authorize_security_group_egress(
        GroupId=inputs.text("securityGroupId"), IpPermissions=[_permission(inputs)]
    )
    return _rule(cloud, created)


@resource("aws:ec2/vpcEndpoint:VpcEndpoint")
def vpc_endpoint(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    ec2 = cloud.client("ec2")
    service, kind = inputs.text("serviceName"), inputs.text("vpcEndpointType")
    identifier = ec2.create_vpc_endpoint(
        VpcId=inputs.text("vpcId"),
        ServiceName=service,
        VpcEndpointType=kind,
        **inputs.capitalized("routeTableIds", "subnetIds", "securityGroupIds", "privateDnsEnabled"),
        **inputs.renamed({"policy": "PolicyDocument"}),
    )["VpcEndpoint"]["VpcEndpointId"]
    outputs = {"arn": cloud.arn("ec2", f"vpc-endpoint/{identifier}")}
    if kind == "Gateway":
        lists = ec2.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [service]}])
        outputs["prefixListId"] = lists["PrefixLists"][0]["PrefixListId"]
    return identifier, outputs


def _permission(inputs: Inputs) -> dict[str, Any]:
    description = inputs.capitalized("description")
    permission = {"IpProtocol": inputs.text("ipProtocol"), **inputs.capitalized("fromPort", "toPort")}
    if "referencedSecurityGroupId" in inputs:
        group = {"GroupId": inputs.text("referencedSecurityGroupId"), **description}
        return {**permission, "UserIdGroupPairs": [group]}
    if "cidrIpv6" in inputs:
        return {**permission, "Ipv6Ranges": [{"CidrIpv6": inputs.text("cidrIpv6"), **description}]}
    return {**permission, "PrefixListIds": [{"PrefixListId": inputs.text("prefixListId"), **description}]}


def _rule(cloud: Cloud, created: dict[str, Any]) -> Result:
    identifier = created["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    return identifier, {
        "securityGroupRuleId": identifier,
        "arn": cloud.arn("ec2", f"security-group-rule/{identifier}"),
    }
