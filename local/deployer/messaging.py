"""Resources of SNS and SQS."""

from __future__ import annotations

from typing import Any

from local.deployer.cloud import Cloud
from local.deployer.inputs import Inputs
from local.deployer.registry import Result, resource

_QUEUE_ATTRIBUTES = {
    "visibilityTimeoutSeconds": "VisibilityTimeout",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
}


@resource("aws:sns/topic:Topic")
def topic(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    attributes = _attributes(inputs.capitalized("kmsMasterKeyId"))
    arn = cloud.client("sns").create_topic(Name=physical, Attributes=attributes)["TopicArn"]
    return arn, {"arn": arn, "name": physical}


@resource("aws:sns/topicPolicy:TopicPolicy")
def topic_policy(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    arn = inputs.text("arn")
    cloud.client("sns").set_topic_attributes(
        TopicArn=arn,
        AttributeName="Policy",
        AttributeValue=cloud.deviations.resource_policy(inputs.text("policy")),
    )
    return arn, {}


@resource("aws:sns/topicSubscription:TopicSubscription")
def topic_subscription(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    arn = cloud.client("sns").subscribe(
        TopicArn=inputs.text("topic"),
        Protocol=inputs.text("protocol"),
        Endpoint=inputs.text("endpoint"),
        Attributes=_attributes(inputs.capitalized("rawMessageDelivery", "redrivePolicy")),
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    return arn, {"arn": arn}


@resource("aws:sqs/queue:Queue")
def queue(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    sqs = cloud.client("sqs")
    physical = inputs.get("name", cloud.physical_name(name))
    attributes = _attributes(inputs.renamed(_QUEUE_ATTRIBUTES))
    url = sqs.create_queue(QueueName=physical, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, {"arn": arn, "name": physical, "url": url}


@resource("aws:sqs/queuePolicy:QueuePolicy")
def queue_policy(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    policy = cloud.deviations.resource_policy(inputs.text("policy"))
    return _set_queue_attribute(cloud, inputs, "Policy", policy)


@resource("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy")
def redrive_allow_policy(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    return _set_queue_attribute(cloud, inputs, "RedriveAllowPolicy", inputs.text("redriveAllowPolicy"))


def _set_queue_attribute(cloud: Cloud, inputs: Inputs, attribute: str, value: str) -> Result:
    url = inputs.text("queueUrl")
    cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={attribute: value})
    return url, {}


def _attributes(values: dict[str, Any]) -> dict[str, str]:
    """Return values as attributes of SNS and SQS, which are strings."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in values.items()
    }
