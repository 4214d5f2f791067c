"""A dead-letter queue of moto that a test fills and reads."""

from __future__ import annotations

import json
import threading
from typing import Any


class OneAtATime:
    """A client of moto, which is not thread-safe."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**request: Any) -> Any:
            with self._lock:
                return method(**request)

        return call


class Queue:
    """A queue that a test fills and reads."""

    def __init__(self, client: Any) -> None:
        self.client = OneAtATime(client)
        self.url: str = client.create_queue(QueueName="OrderDLQ")["QueueUrl"]

    def send(self, *bodies: object) -> list[str]:
        entries = [{"Id": str(number), "MessageBody": json.dumps(body)} for number, body in enumerate(bodies)]
        sent = [
            message
            for start in range(0, len(entries), 10)
            for message in self.client.send_message_batch(
                QueueUrl=self.url, Entries=entries[start : start + 10]
            )["Successful"]
        ]
        return [message["MessageId"] for message in sent]

    def visible(self) -> int:
        names = ["ApproximateNumberOfMessages"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return int(found["Attributes"][names[0]])


def order(order_id: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return the body of an order."""
    named = {"orderId": order_id} if order_id else {}
    return {**named, "item": "Tea", "quantity": 1, **fields}
