"""The topic of orders, its subscription, the queue of the worker, and the dead-letter queues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.settings import Settings
from orders.backoff import DELAYS, JITTER, MAX_RECEIVES, VISIBILITY_PER_TIMEOUT

MAX_RETENTION = 14 * 24 * 60 * 60  # seconds; the limit of SQS


@dataclass(frozen=True, kw_only=True)
class MessagingArgs:
    """Inputs of Messaging."""

    consumer_timeout: int  # seconds; with the window, it determines the visibility timeout
    batch_window: int  # seconds
    queue_senders: Sequence[str] = ()  # ARNs of roles or users that may send to the queue

    @classmethod
    def of(cls, settings: Settings) -> MessagingArgs:
        """Read the inputs from the settings."""
        return cls(
            consumer_timeout=settings.worker_timeout,
            batch_window=settings.batch_window,
            queue_senders=settings.queue_senders,
        )


class Messaging(pulumi.ComponentResource):
    """`OrderTopic` delivers to `OrderQueue`, which moves messages to `OrderDLQ` after three receives.

    The subscription keeps SNS's envelope, whose `MessageId` and `Timestamp` survive redeliveries and
    redrives (`docs/decisions/0001-identity-of-an-order.md`).
    """

    topic: aws.sns.Topic
    queue: aws.sqs.Queue
    dead_letters: aws.sqs.Queue
    undelivered: aws.sqs.Queue
    seconds_to_dead_letter: int
    """Longest time until an order that cannot be recorded is in `OrderDLQ`."""

    def __init__(self, name: str, args: MessagingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Messaging", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)

        self.topic = aws.sns.Topic("OrderTopic", kms_master_key_id="alias/aws/sns", opts=self._child)
        aws.sns.TopicPolicy(
            "OrderTopic",
            arn=self.topic.arn,
            # A topic policy does not support `sns:*`.
            policy=iam.policy(iam.require_tls("sns", self.topic.arn) | {"Action": "sns:Publish"}),
            opts=self._child,
        )

        self.dead_letters = self._queue("OrderDLQ", message_retention_seconds=MAX_RETENTION)
        visibility = VISIBILITY_PER_TIMEOUT * args.consumer_timeout + args.batch_window
        attempts = MAX_RECEIVES * (args.consumer_timeout + args.batch_window)
        self.seconds_to_dead_letter = attempts + round(sum(DELAYS) * (1 + JITTER))
        self.queue = self._queue(
            "OrderQueue",
            message_retention_seconds=MAX_RETENTION,
            visibility_timeout_seconds=visibility,
            redrive_policy=pulumi.Output.json_dumps(
                {"deadLetterTargetArn": self.dead_letters.arn, "maxReceiveCount": MAX_RECEIVES}
            ),
        )
        aws.sqs.RedriveAllowPolicy(
            "OrderDLQ",
            queue_url=self.dead_letters.url,
            redrive_allow_policy=pulumi.Output.json_dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": [self.queue.arn]}
            ),
            opts=self._child,
        )
        # Separate from `OrderDLQ`, because SQS redrives only messages that came from a queue.
        self.undelivered = self._queue("OrderSubscriptionDLQ", message_retention_seconds=MAX_RETENTION)

        policies = [
            self._queue_policy(
                "OrderQueue", self.queue, self._from_topic(self.queue), *self._from_senders(args)
            ),
            self._queue_policy("OrderDLQ", self.dead_letters),
            self._queue_policy("OrderSubscriptionDLQ", self.undelivered, self._from_topic(self.undelivered)),
        ]
        aws.sns.TopicSubscription(
            "OrderQueue",
            topic=self.topic.arn,
            protocol="sqs",
            endpoint=self.queue.arn,
            raw_message_delivery=False,
            redrive_policy=pulumi.Output.json_dumps({"deadLetterTargetArn": self.undelivered.arn}),
            opts=pulumi.ResourceOptions(parent=self, depends_on=policies),
        )
        self.register_outputs({})

    @property
    def queue_arns(self) -> list[pulumi.Output[str]]:
        """Return the ARNs of the queues that functions in the VPC use."""
        return [self.queue.arn, self.dead_letters.arn]

    def _queue(self, name: str, **settings: pulumi.Input[object]) -> aws.sqs.Queue:
        return aws.sqs.Queue(name, sqs_managed_sse_enabled=True, opts=self._child, **settings)  # type: ignore[arg-type]

    def _queue_policy(self, name: str, queue: aws.sqs.Queue, *senders: iam.Statement) -> aws.sqs.QueuePolicy:
        return aws.sqs.QueuePolicy(
            name,
            queue_url=queue.url,
            policy=iam.policy(*senders, iam.require_tls("sqs", queue.arn)),
            opts=self._child,
        )

    def _from_topic(self, queue: aws.sqs.Queue) -> iam.Statement:
        return iam.grant(
            {"Service": "sns.amazonaws.com"},
            ["sqs:SendMessage"],
            queue.arn,
            ArnEquals={"aws:SourceArn": self.topic.arn},
        )

    def _from_senders(self, args: MessagingArgs) -> list[iam.Statement]:
        if not args.queue_senders:
            return []
        return [iam.grant({"AWS": list(args.queue_senders)}, ["sqs:SendMessage"], self.queue.arn)]
