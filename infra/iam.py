"""IAM and resource policies: one statement for each thing that one part may do to another.

Nothing here creates a resource; a test reads every statement that the program makes out of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

Statement = dict[str, Any]


def policy(*statements: Statement) -> pulumi.Output[str]:
    """Write statements down as a policy document."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Sequence[str], *resources: pulumi.Input[str]) -> Statement:
    """Allow exactly these actions on exactly these resources."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def publish(topic: aws.sns.Topic) -> Statement:
    """Publish to a topic."""
    return allow(["sns:Publish"], topic.arn)


def consume(queue: aws.sqs.Queue) -> Statement:
    """What Lambda's poller does with a queue, in the name of the function's role.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
    """
    return allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], queue.arn)


def back_off(queue: aws.sqs.Queue) -> Statement:
    """Set when a message that failed becomes visible again; `consume` lets it read the queue's setting."""
    return allow(["sqs:ChangeMessageVisibility"], queue.arn)


def sweep(queue: aws.sqs.Queue) -> Statement:
    """Take messages off a queue, and put back at once what stays."""
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
    """See how many messages wait in queues."""
    return allow(["sqs:GetQueueAttributes"], *(queue.arn for queue in queues))


def read_secret(secret_arn: pulumi.Input[str]) -> Statement:
    """Read a secret; encrypted with the account's own key for Secrets Manager, it needs no KMS grant."""
    return allow(["secretsmanager:GetSecretValue"], secret_arn)


def put_item(table: aws.dynamodb.Table) -> Statement:
    """Put single items into a table."""
    return allow(["dynamodb:PutItem"], table.arn)


def write_items(table: aws.dynamodb.Table) -> Statement:
    """Put items into a table, many at once.

    `PutItem` puts an order that somebody has moved, and is what earlier releases do.
    """
    return allow(["dynamodb:BatchWriteItem", "dynamodb:PutItem"], table.arn)


def update_items(*tables: aws.dynamodb.Table) -> Statement:
    """Update items of tables, one or many at once."""
    return allow(["dynamodb:UpdateItem", "dynamodb:PartiQLUpdate"], *(table.arn for table in tables))


def get_items(*tables: aws.dynamodb.Table) -> Statement:
    """Get items of tables by their keys, many at once."""
    return allow(["dynamodb:BatchGetItem"], *(table.arn for table in tables))


def scan(*tables: aws.dynamodb.Table) -> Statement:
    """Read small tables from end to end."""
    return allow(["dynamodb:Scan"], *(table.arn for table in tables))


def scan_index(table: aws.dynamodb.Table, index: str) -> Statement:
    """Read an index of a table from end to end, and nothing else of the table."""
    return allow(["dynamodb:Scan"], pulumi.Output.concat(table.arn, "/index/", index))


def write_files(bucket: aws.s3.Bucket) -> list[Statement]:
    """Put files into a bucket as a whole or in parts, and see their names, sizes and times; read none.

    Without `ListBucket`, S3 responds to a missing file as to a refused one.
    """
    files = pulumi.Output.concat(bucket.arn, "/*")
    return [allow(["s3:ListBucket"], bucket.arn), allow(["s3:PutObject", "s3:AbortMultipartUpload"], files)]


def write_logs(group: aws.cloudwatch.LogGroup) -> Statement:
    """Write to a log group that exists; without the permission to create one that nobody would expire."""
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], group.arn.apply(lambda arn: f"{arn}:*"))


def join_network() -> Statement:
    """What Lambda does, in the name of the role, to connect a function to a VPC.

    The one statement on every resource: EC2 names none for `Describe*`, and Lambda checks the others
    before the network interface exists.
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
    """Write the trust policy of a role that one AWS service assumes, such as `lambda.amazonaws.com`."""
    return pulumi.Output.json_dumps(  # type: ignore[return-value]
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
        }
    )


def accept_from(
    sender: Statement, actions: Sequence[str], resource: pulumi.Input[str], **conditions: Any
) -> Statement:
    """A resource's policy: whom it lets in.

    Parameters
    ----------
    sender
        The principal, such as `{"Service": "sns.amazonaws.com"}`.
    actions, resource
        What the principal may do, and on what.
    conditions
        Operators and their keys, such as `ArnEquals={"aws:SourceArn": topic.arn}`.
    """
    statement = allow(actions, resource) | {"Principal": sender}
    return statement | {"Condition": conditions} if conditions else statement


def admit(service: str, resources: Sequence[pulumi.Input[str]]) -> Statement:
    """A VPC endpoint's policy: what can be reached through it; what a function may do is its role's part.

    Parameters
    ----------
    service
        The prefix of the service's actions, such as `sqs`.
    resources
        ARNs.
    """
    return {"Effect": "Allow", "Principal": "*", "Action": f"{service}:*", "Resource": list(resources)}


def refuse_plain_http(service: str, *resources: pulumi.Input[str]) -> Statement:
    """A resource's policy: nothing travels unencrypted."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": f"{service}:*",
        "Resource": list(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
