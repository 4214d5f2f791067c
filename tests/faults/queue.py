"""A model of a standard queue of SQS with its dead-letter queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MAX_RECEIVES = 3


@dataclass(slots=True, eq=False)
class Message:
    """A message, also when it is deleted."""

    message_id: str
    body: str
    sent_at: datetime
    receives: int = 0
    holder: object = None  # the run that hides it until its visibility timeout

    def record(self) -> dict[str, Any]:
        """Return it as Lambda passes it to a function."""
        return {
            "messageId": self.message_id,
            "receiptHandle": f"{self.message_id}/{self.receives}",
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": str(self.receives),
                "SentTimestamp": str(round(self.sent_at.timestamp() * 1000)),
            },
            "eventSource": "aws:sqs",
        }


class Queue:
    """`OrderQueue` and `OrderDLQ`: delivery at least once, in any order; dead after three receives."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.dead: list[Message] = []
        self.deleted: list[Message] = []
        self._sent = 0

    @property
    def visible(self) -> list[Message]:
        """The messages that can be received now."""
        return [message for message in self.messages if message.holder is None]

    def send(self, body: str, sent_at: datetime) -> Message:
        """Put a message on the queue, with a new id."""
        self._sent += 1
        message = Message(f"sqs-{self._sent}", body, sent_at)
        self.messages.append(message)
        return message

    def receive(self, chosen: Sequence[Message]) -> list[Message]:
        """Receive messages; those that were received three times move to the dead-letter queue instead."""
        received = []
        for message in chosen:
            message.receives += 1
            if message.receives > MAX_RECEIVES:
                self.messages.remove(message)
                self.dead.append(message)
            else:
                received.append(message)
        return received

    def delete(self, message: Message) -> None:
        """Delete a processed message, by an old receipt, too; a dead letter stays."""
        if message in self.messages:
            self.messages.remove(message)
            self.deleted.append(message)

    def release(self, holder: object) -> None:
        """End the visibility timeout of the messages that a run holds."""
        for message in self.messages:
            if message.holder is holder:
                message.holder = None

    def reappear(self, message: Message) -> None:
        """Bring a deleted message back, as a standard queue may."""
        self.deleted.remove(message)
        message.holder = None
        self.messages.append(message)
