"""Inputs whose change replaces a resource, for resources that hold data and those of the network."""

FORCE_REPLACEMENT = {
    "aws:apigateway/stage:Stage": {"restApi", "stageName"},
    "aws:dynamodb/table:Table": {"hashKey", "rangeKey", "name"},
    "aws:ec2/subnet:Subnet": {"vpcId", "cidrBlock"},
    "aws:ec2/vpc:Vpc": {"cidrBlock"},
    "aws:rds/instance:Instance": {
        "dbName",
        "engine",
        "kmsKeyId",
        "snapshotIdentifier",
        "storageEncrypted",
        "username",
    },
    "aws:secretsmanager/secret:Secret": {"name"},
    "aws:sns/topic:Topic": {"name", "fifoTopic"},
    "aws:sqs/queue:Queue": {"name", "fifoQueue"},
}
