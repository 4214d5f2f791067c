"""Statements of IAM policies and resource policies; nothing here creates a resource."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

Statement = dict[str, Any]


def policy(*statements: Statement) -> pulumi.Output[str]:
    """Return a policy document."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Sequence[str], *resources: pulumi.Input[str]) -> Statement:
    """Allow actions on resources."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def publish(topic: aws.sns.Topic) -> Statement:
    """Publish to a topic."""
    return allow(["sns:Publish"], topic.arn)


def consume(queue: aws.sqs.Queue) -> Statement:
    """Let Lambda poll a queue with the function's role.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
    """
    return allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], queue.arn)


def change_visibility(queue: aws.sqs.Queue) -> Statement:
    """Set the time at which a failed message becomes visible again."""
    return allow(["sqs:ChangeMessageVisibility"], queue.arn)


def take_dead_letters(queue: aws.sqs.Queue) -> Statement:
    """Receive messages, and delete them or make them visible again."""
    return allow(
        [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
        ],
        queue.arn,
    )


def count_messages(*queues: aws.sqs.Queue) -> Statement:
    """Read the number of messages in queues."""
    return allow(["sqs:GetQueueAttributes"], *(queue.arn for queue in queues))


def read_secret(secret_arn: pulumi.Input[str]) -> Statement:
    """Read a secret that is encrypted with the AWS-managed key, and so needs no KMS permission."""
    return allow(["secretsmanager:GetSecretValue"], secret_arn)


def put_item(table: aws.dynamodb.Table) -> Statement:
    """Put items one by one."""
    return allow(["dynamodb:PutItem"], table.arn)


def put_items(table: aws.dynamodb.Table) -> Statement:
    """Put items in batches."""
    return allow(["dynamodb:BatchWriteItem"], table.arn)


def write_items(table: aws.dynamodb.Table) -> Statement:
    """Put items in batches; `PutItem` is for orders with a changed state, and for earlier releases."""
    return allow(["dynamodb:BatchWriteItem", "dynamodb:PutItem"], table.arn)


def update_items(*tables: aws.dynamodb.Table) -> Statement:
    """Update items, one by one or in batches of PartiQL statements."""
    return allow(["dynamodb:UpdateItem", "dynamodb:PartiQLUpdate"], *(table.arn for table in tables))


def get_items(*tables: aws.dynamodb.Table) -> Statement:
    """Get items by their keys, in batches."""
    return allow(["dynamodb:BatchGetItem"], *(table.arn for table in tables))


def scan(*tables: aws.dynamodb.Table) -> Statement:
    """Read all items of tables."""
    return allow(["dynamodb:Scan"], *(table.arn for table in tables))


def scan_index(table: aws.dynamodb.Table, index: str) -> Statement:
    """Read all items of an index, without access to its table."""
    return allow(["dynamodb:Scan"], pulumi.Output.concat(table.arn, "/index/", index))


def write_files(bucket: aws.s3.Bucket) -> list[Statement]:
    """Upload and list files; without `ListBucket`, S3 responds to a missing file with 403."""
    files = pulumi.Output.concat(bucket.arn, "/*")
    return [allow(["s3:ListBucket"], bucket.arn), allow(["s3:PutObject", "s3:AbortMultipartUpload"], files)]


def write_logs(group: aws.cloudwatch.LogGroup) -> Statement:
    """Write to an existing log group; one that the function created would have no retention."""
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], group.arn.apply(lambda arn: f"{arn}:*"))


def join_network() -> Statement:
    """Let Lambda connect a function to a VPC with the function's role.

    On all resources: `Describe*` supports no others, and Lambda checks the rest before the network interface
    exists.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    """
    return allow(
        [
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ],
        "*",
    )


def assumed_by(service: str) -> str:
    """Return the trust policy of a role for an AWS service such as `lambda.amazonaws.com`."""
    return pulumi.Output.json_dumps(  # type: ignore[return-value]
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
        }
    )


def grant(
    principal: Statement, actions: Sequence[str], resource: pulumi.Input[str], **conditions: Any
) -> Statement:
    """Allow a principal to perform actions on a resource, in that resource's policy.

    Parameters
    ----------
    principal
        Such as `{"Service": "sns.amazonaws.com"}`.
    conditions
        Operators with their keys, such as `ArnEquals={"aws:SourceArn": topic.arn}`.
    """
    statement = allow(actions, resource) | {"Principal": principal}
    return statement | {"Condition": conditions} if conditions else statement


def reach(service: str, resources: Sequence[pulumi.Input[str]]) -> Statement:
    """Admit requests for these ARNs of a service such as `sqs`, in a VPC endpoint's policy."""
    return {"Effect": "Allow", "Principal": "*", "Action": f"{service}:*", "Resource": list(resources)}


def require_tls(service: str, *resources: pulumi.Input[str]) -> Statement:
    """Deny requests over plain HTTP, in a resource's policy."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": f"{service}:*",
        "Resource": list(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
