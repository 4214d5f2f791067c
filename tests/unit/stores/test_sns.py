"""Publishing to the topic."""

from __future__ import annotations

import json

import pytest
from moto import mock_aws

from orders.failures import StoreUnavailableError
from stores.sns import OrderTopic
from tests.stores import moto_client


@mock_aws
def test_an_order_is_published_unchanged() -> None:
    sns = moto_client("sns")
    sqs = moto_client("sqs")
    topic = sns.create_topic(Name="OrderTopic")["TopicArn"]
    queue = sqs.create_queue(QueueName="OrderQueue")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:OrderQueue")
    OrderTopic(topic, sns).publish('{"item": "Café crème ☕"}')
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["Message"] == '{"item": "Café crème ☕"}'


@mock_aws
def test_a_topic_that_refuses_a_message_is_unavailable() -> None:
    sns = moto_client("sns")
    with pytest.raises(StoreUnavailableError, match=r"SNS: .*NotFound"):
        OrderTopic("arn:aws:sns:us-east-1:123456789012:gone", sns).publish("{}")
