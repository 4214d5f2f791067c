"""Reading a queue without using its messages up, and sending to one."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from cli import aws
from cli.messages import Message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")

BATCH = 10  # messages in one request, at most
# Bytes of one request; SQS takes more by now, but not everywhere.
MAX_BYTES = 256 * 1024
# Seconds that messages stay out of others' sight if this process dies before it gives them back.
GLANCE, PASS = 30, 600
# Seconds; a long poll asks all of SQS's servers, so that its empty answer means an empty queue.
LONG_POLL = 1
# Receives in a row with nothing new: it only goes round in circles.
CIRCLES = 3


@dataclass(frozen=True, kw_only=True)
class Depth:
    """How many messages a queue has, as SQS estimates it."""

    waiting: int
    in_flight: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.in_flight


def depth(sqs: SQSClient, url: str) -> Depth:
    """Ask how many messages a queue has."""
    attributes = sqs.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return Depth(
        waiting=int(attributes["ApproximateNumberOfMessages"]),
        in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    )


def room(sqs: SQSClient, url: str) -> int:
    """Return how many bytes a message of a queue may have, attributes included."""
    name: Literal["MaximumMessageSize"] = "MaximumMessageSize"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


class Look:
    """Messages that are held while they are looked at; see `looking`."""

    def __init__(self, sqs: SQSClient, url: str, stop: threading.Event, hold: int) -> None:
        self._sqs = sqs
        self._url = url
        self._stop = stop
        self._hold = hold
        self._held: dict[str, str] = {}  # receipts by message id
        self._seen: set[str] = set()
        self.complete = False
        """Whether all messages that could be had were seen."""

    def batches(self) -> Iterator[list[Message]]:
        """Yield each visible message once, until there are no more or Ctrl-C is typed."""
        circles = 0
        while not self._stop.is_set() and circles < CIRCLES:
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=self._hold,
                WaitTimeSeconds=LONG_POLL,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
                MessageAttributeNames=["All"],
            )
            received = [Message.of(message) for message in answer.get("Messages", [])]
            self._held |= {message.message_id: message.receipt for message in received}
            if not received:
                break
            if new := [message for message in received if message.message_id not in self._seen]:
                self._seen |= {message.message_id for message in new}
                circles = 0
                yield new
            else:
                circles += 1
        self.complete = not self._stop.is_set()

    def held_by_others(self, at_first: int) -> int:
        """Return how many of the messages that somebody else held at first are held still, as SQS estimates.

        What came back in the meantime was seen here.
        """
        return min(at_first, max(0, depth(self._sqs, self._url).in_flight - len(self._held)))

    def delete(self, messages: Iterable[Message]) -> dict[str, str]:
        """Delete messages; return why not, by message id, for those that could not be deleted."""
        failures: dict[str, str] = {}
        for group in groups(messages, BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": self._held[message.message_id]}
                for number, message in enumerate(group)
            ]
            answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)  # type: ignore[arg-type]
            failed = {failure["Id"]: _reason(failure) for failure in answer.get("Failed", [])}
            for number, message in enumerate(group):
                if str(number) in failed:
                    failures[message.message_id] = failed[str(number)]
                else:
                    del self._held[message.message_id]
        return failures

    def release(self) -> None:
        """Make the messages that are still held visible again; what fails comes back by itself later."""
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for number, receipt in enumerate(self._held.values())
        ]
        self._held.clear()
        with suppress(BotoCoreError, ClientError):
            for group in groups(entries, BATCH):
                self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=group)  # type: ignore[arg-type]


@contextmanager
def looking(sqs: SQSClient, url: str, stop: threading.Event, *, hold: int = GLANCE) -> Iterator[Look]:
    """Look at a queue's messages; at the end, however it comes, what was not deleted is visible again."""
    look = Look(sqs, url, stop, hold)
    try:
        yield look
    finally:
        look.release()


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A message to send."""

    body: str
    attributes: dict[str, Any]

    @property
    def size(self) -> int:
        """Its bytes as SQS counts them: the body, and the name, type and value of each attribute."""
        parts = [self.body]
        for name, attribute in self.attributes.items():
            parts += [name, *attribute.values()]
        return sum(len(part.encode(errors="replace") if isinstance(part, str) else part) for part in parts)

    def excess(self, room: int) -> str | None:
        """Return why it is too large for a queue with `room` bytes for a message; None if it is not."""
        if self.size <= room:
            return None
        return f"With its identity and attributes it has {self.size:,} bytes, and the queue takes {room:,}"


# Sends up to `BATCH` messages; returns the id that each got, or why it was not taken.
Send = Callable[[Sequence[Outgoing]], list["Sent"]]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What became of an outgoing message: `message_id`, or the `problem`."""

    message_id: str | None = None
    problem: str | None = None


def step(rate: float | None) -> int:
    """Tell how many messages go at once at a rate: few where it is low, so that they go evenly."""
    return BATCH if rate is None else max(1, min(BATCH, int(rate / 10)))


def send(sqs: SQSClient, url: str, messages: Sequence[Outgoing]) -> list[Sent]:
    """Send messages to a queue, and tell of each whether it was taken; this never raises.

    boto3 tries again by itself. A message that was taken twice is counted once, by its identity.
    """

    def batch(group: Sequence[Outgoing]) -> list[Sent]:
        answer: Any = sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "MessageBody": message.body, "MessageAttributes": message.attributes}
                for number, message in enumerate(group)
            ],
        )
        return _results(answer, len(group))

    return _in_batches(messages, batch)


def publish(sns: Any, topic: str, messages: Sequence[Outgoing]) -> list[Sent]:
    """Publish messages to a topic, as `send` does to a queue."""

    def batch(group: Sequence[Outgoing]) -> list[Sent]:
        answer = sns.publish_batch(
            TopicArn=topic,
            PublishBatchRequestEntries=[
                {"Id": str(number), "Message": message.body} for number, message in enumerate(group)
            ],
        )
        return _results(answer, len(group))

    return _in_batches(messages, batch)


def _in_batches(
    messages: Sequence[Outgoing], batch: Callable[[Sequence[Outgoing]], list[Sent]]
) -> list[Sent]:
    results: list[Sent] = []
    for group in _by_size(messages):
        try:
            results += batch(group)
        except (BotoCoreError, ClientError) as error:
            results += [Sent(problem=aws.problem(error))] * len(group)
    return results


def _results(answer: Any, count: int) -> list[Sent]:
    taken = {entry["Id"]: entry["MessageId"] for entry in answer.get("Successful", [])}
    failed = {entry["Id"]: _reason(entry) for entry in answer.get("Failed", [])}
    names = [str(number) for number in range(count)]
    return [
        Sent(message_id=taken[name])
        if name in taken
        else Sent(problem=failed.get(name, "No answer about it"))
        for name in names
    ]


def _reason(failure: Any) -> str:
    return f"{failure.get('Code', '?')}: {failure.get('Message', '')}".rstrip(": ")


def _by_size(messages: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """Split messages into groups that fit one request each; what is too large alone goes alone."""
    group: list[Outgoing] = []
    size = 0
    for message in messages:
        if group and (len(group) == BATCH or size + message.size > MAX_BYTES):
            yield group
            group, size = [], 0
        group.append(message)
        size += message.size
    if group:
        yield group


def groups(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Split things into groups of a size; the last may be smaller."""
    iterator = iter(things)
    while group := list(itertools.islice(iterator, size)):
        yield group
