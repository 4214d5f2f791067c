"""Batches of messages as SQS delivers them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

ITEMS = ("Latte", "Tea", "Coffee", "Mocha")

Event = dict[str, Any]


def events(prefix: str, first: int, count: int, batch: int, *, envelope: bool) -> list[Event]:
    """Return SQS events with orders of four items, all sent now.

    Parameters
    ----------
    prefix, first
        Prefix and first number of the orders' ids, which must be new.
    envelope
        Whether messages have SNS's envelope; those of the earlier system have none.
    """
    now = datetime.now(UTC)
    numbers = range(first, first + count)
    records = [_record(f"{prefix}-{number}", number, now, envelope=envelope) for number in numbers]
    return [{"Records": list(group)} for group in _groups(records, batch)]


def _groups(records: Sequence[Event], size: int) -> Iterator[Sequence[Event]]:
    return (records[start : start + size] for start in range(0, len(records), size))


def _record(order_id: str, number: int, now: datetime, *, envelope: bool) -> Event:
    order = {
        "orderId": order_id,
        "customer_name": f"Ann {number % 97}",
        "item": ITEMS[number % len(ITEMS)],
        "quantity": 1 + number % 3,
    }
    body = json.dumps(order)
    sent_at = str(int(now.timestamp() * 1000))
    return {
        "messageId": f"message-{order_id}",
        "receiptHandle": f"receipt-{order_id}",
        "body": _notification(order_id, body, now) if envelope else body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent_at,
            "SenderId": "AIDAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": sent_at,
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:OrderQueue",
        "awsRegion": "us-east-1",
    }


def _notification(order_id: str, message: str, now: datetime) -> str:
    """Return an SNS notification, with texts of realistic lengths."""
    topic = "arn:aws:sns:us-east-1:123456789012:OrderTopic"
    address = "https://sns.us-east-1.amazonaws.com"
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": f"notification-{order_id}",
            "TopicArn": topic,
            "Message": message,
            "Timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "SignatureVersion": "1",
            "Signature": "x" * 344,
            "SigningCertURL": f"{address}/SimpleNotificationService-{'0' * 32}.pem",
            "UnsubscribeURL": f"{address}/?Action=Unsubscribe&SubscriptionArn={topic}:{'0' * 36}",
        }
    )
