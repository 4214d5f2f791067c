"""Topic, queues and dead-letter queues, with their permissions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from orders import backoff
from tests.program.conftest import Program
from tests.program.setting_values import CHANGED

FOURTEEN_DAYS = 14 * 24 * 60 * 60
QUEUES = ["OrderQueue", "OrderDLQ", "OrderSubscriptionDLQ"]


def test_a_message_is_dead_lettered_after_three_receives(program: Program) -> None:
    redrive = json.loads(program.one("sqs/queue:Queue", "OrderQueue").inputs["redrivePolicy"])
    assert redrive == {"deadLetterTargetArn": "arn:Queue.OrderDLQ", "maxReceiveCount": backoff.MAX_RECEIVES}
    assert backoff.MAX_RECEIVES == 3


@pytest.mark.parametrize("queue", QUEUES)
def test_queues_are_encrypted_and_keep_messages_for_fourteen_days(program: Program, queue: str) -> None:
    inputs = program.one("sqs/queue:Queue", queue).inputs
    assert inputs["sqsManagedSseEnabled"] is True
    assert inputs["messageRetentionSeconds"] == FOURTEEN_DAYS


def test_the_topic_of_orders_is_encrypted(program: Program) -> None:
    assert program.one("sns/topic:Topic", "OrderTopic").inputs["kmsMasterKeyId"] == "alias/aws/sns"


def test_visibility_is_six_times_the_workers_timeout_and_the_window(
    with_settings: Callable[..., Program],
) -> None:
    program = with_settings(**CHANGED)
    worker = program.one("lambda/function:Function", "OrderProcessor")
    assert worker.inputs["timeout"] == 120
    assert program.one("sqs/queue:Queue", "OrderQueue").inputs["visibilityTimeoutSeconds"] == 725


def test_the_subscription_delivers_with_the_envelope_and_has_a_dead_letter_queue(program: Program) -> None:
    subscription = program.one("sns/topicSubscription:TopicSubscription")
    assert subscription.inputs["rawMessageDelivery"] is False
    assert subscription.inputs["endpoint"] == "arn:Queue.OrderQueue"
    assert json.loads(subscription.inputs["redrivePolicy"]) == {
        "deadLetterTargetArn": "arn:Queue.OrderSubscriptionDLQ"
    }


def test_the_subscription_is_created_after_the_policy_of_the_queue(program: Program) -> None:
    subscription = program.one("sns/topicSubscription:TopicSubscription")
    policy = program.one("sqs/queuePolicy:QueuePolicy", "OrderQueue")
    assert policy.urn in subscription.depends_on


@pytest.mark.parametrize("queue", ["OrderQueue", "OrderSubscriptionDLQ"])
def test_only_the_topic_may_send_to_a_queue(program: Program, queue: str) -> None:
    allowed = [
        s for s in program.one("sqs/queuePolicy:QueuePolicy", queue).policy() if s["Effect"] == "Allow"
    ]
    assert allowed == [
        {
            "Effect": "Allow",
            "Action": ["sqs:SendMessage"],
            "Resource": [f"arn:Queue.{queue}"],
            "Principal": {"Service": "sns.amazonaws.com"},
            "Condition": {"ArnEquals": {"aws:SourceArn": "arn:Topic.OrderTopic"}},
        }
    ]


def test_nobody_may_send_to_the_dead_letter_queue(program: Program) -> None:
    policy = program.one("sqs/queuePolicy:QueuePolicy", "OrderDLQ").policy()
    assert [statement["Effect"] for statement in policy] == ["Deny"]


def test_senders_of_the_setting_may_send_to_the_queue(with_settings: Callable[..., Program]) -> None:
    policy = with_settings(**CHANGED).one("sqs/queuePolicy:QueuePolicy", "OrderQueue").policy()
    assert policy[1]["Principal"] == {"AWS": ["arn:aws:iam::123456789012:role/shop"]}
    assert policy[1]["Action"] == ["sqs:SendMessage"]


def test_only_the_order_queue_may_use_the_dead_letter_queue(program: Program) -> None:
    allowed = json.loads(
        program.one("sqs/redriveAllowPolicy:RedriveAllowPolicy").inputs["redriveAllowPolicy"]
    )
    assert allowed == {"redrivePermission": "byQueue", "sourceQueueArns": ["arn:Queue.OrderQueue"]}


@pytest.mark.parametrize(
    ("kind", "names", "action"),
    [
        ("sqs/queuePolicy:QueuePolicy", QUEUES, "sqs:*"),
        ("sns/topicPolicy:TopicPolicy", ["OrderTopic", "Alarms"], "sns:Publish"),
    ],
)
def test_tls_is_required(program: Program, kind: str, names: list[str], action: str) -> None:
    for name in names:
        assert requires_tls(program.one(kind, name).policy(), action)


def requires_tls(policy: list[dict[str, Any]], action: str) -> bool:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    return any(
        (s["Effect"], s["Principal"], s["Action"], s.get("Condition")) == ("Deny", "*", action, condition)
        for s in policy
    )


def test_the_mapping_sets_batches_partial_failures_and_maximum_concurrency(
    program: Program,
) -> None:
    mapping = program.one("lambda/eventSourceMapping:EventSourceMapping").inputs
    assert mapping["eventSourceArn"] == "arn:Queue.OrderQueue"
    assert mapping["functionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["scalingConfig"] == {"maximumConcurrency": 5}
    assert mapping["batchSize"] == 10


def test_no_function_has_reserved_concurrency(program: Program) -> None:
    for function in program.all("lambda/function:Function"):
        assert "reservedConcurrentExecutions" not in function.inputs
