"""Resources that only one of the two forms of the network has."""

_PREFIX = "cafe:orders:Network$aws:"
PRIVATE = {
    f"{_PREFIX}ec2/securityGroup:SecurityGroup endpoints",
    f"{_PREFIX}ec2/vpcEndpoint:VpcEndpoint secretsmanager-endpoint",
    f"{_PREFIX}ec2/vpcEndpoint:VpcEndpoint sqs-endpoint",
    f"{_PREFIX}vpc/securityGroupEgressRule:SecurityGroupEgressRule functions-to-endpoints",
    f"{_PREFIX}vpc/securityGroupIngressRule:SecurityGroupIngressRule functions-to-endpoints",
}
OVER_IPV6 = {
    f"{_PREFIX}ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway egress",
    f"{_PREFIX}ec2/route:Route egress",
    f"{_PREFIX}vpc/securityGroupEgressRule:SecurityGroupEgressRule functions-to-services",
}
