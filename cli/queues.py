"""Reading a queue without consuming its messages, and sending to one."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from cli import aws
from cli.messages import Message
from cli.stopping import Pace

T = TypeVar("T")

BATCH = 10  # messages in one request, at most
MAX_BYTES = 256 * 1024  # of one request; some regions take more
# Visibility timeouts in seconds, which count if this process dies before it releases the messages.
SHORT_HOLD, LONG_HOLD = 30, 600
LONG_POLL = 1  # seconds; a long poll reads all of SQS's servers, so that no message means an empty queue
MAX_REPEATS = 3  # receives in a row without a new message


@dataclass(frozen=True, kw_only=True)
class Depth:
    """Number of messages in a queue, as SQS estimates it."""

    waiting: int
    in_flight: int

    @property
    def total(self) -> int:
        """Return the number of all messages."""
        return self.waiting + self.in_flight


def depth(sqs: aws.SQSClient, url: str) -> Depth:
    """Read the number of messages in a queue."""
    attributes = sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    return Depth(
        waiting=int(attributes["ApproximateNumberOfMessages"]),
        in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    )


def max_message_size(sqs: aws.SQSClient, url: str) -> int:
    """Read how many bytes a message of a queue may have, attributes included."""
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["MaximumMessageSize"])["Attributes"]
    return int(attributes["MaximumMessageSize"])


class Scan:
    """Messages that are received and held for a while; `complete` once all visible ones were received."""

    def __init__(self, sqs: aws.SQSClient, url: str, stop: threading.Event, hold: int) -> None:
        self._sqs = sqs
        self._url = url
        self._stop = stop
        self._hold = hold
        self._held: dict[str, str] = {}  # receipts by message id
        self._seen: set[str] = set()
        self.complete = False

    def batches(self) -> Iterator[list[Message]]:
        """Yield each visible message once, until there are no more or Ctrl-C is typed."""
        repeats = 0
        while not self._stop.is_set() and repeats < MAX_REPEATS:
            response = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=self._hold,
                WaitTimeSeconds=LONG_POLL,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
                MessageAttributeNames=["All"],
            )
            received = [Message.of(message) for message in response.get("Messages", [])]
            self._held |= {message.message_id: message.receipt for message in received}
            if not received:
                break
            if new := [message for message in received if message.message_id not in self._seen]:
                self._seen |= {message.message_id for message in new}
                repeats = 0
                yield new
            else:
                repeats += 1
        self.complete = not self._stop.is_set()

    def held_by_others(self, at_first: int) -> int:
        """Return how many of the messages in flight at first still are, without ours, as SQS estimates it."""
        return min(at_first, max(0, depth(self._sqs, self._url).in_flight - len(self._held)))

    def delete(self, messages: Iterable[Message]) -> dict[str, str]:
        """Delete messages; return why, by id, messages could not be deleted."""
        failures: dict[str, str] = {}
        for names in groups((message.message_id for message in messages), BATCH):
            entries: Any = [{"Id": name, "ReceiptHandle": self._held[name]} for name in names]
            response = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
            failures |= {failure["Id"]: _reason(failure) for failure in response.get("Failed", [])}
            for name in set(names) - set(failures):
                del self._held[name]
        return failures

    def release(self) -> None:
        """Make the messages that are still held visible; those that fail become visible by the timeout."""
        with suppress(BotoCoreError, ClientError):
            for group in groups(self._held.items(), BATCH):
                entries: Any = [
                    {"Id": name, "ReceiptHandle": receipt, "VisibilityTimeout": 0} for name, receipt in group
                ]
                self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)


@contextmanager
def scanning(sqs: aws.SQSClient, url: str, stop: threading.Event, hold: int = LONG_HOLD) -> Iterator[Scan]:
    """Receive a queue's messages; at the end, make those visible again that were not deleted.

    Raises OperationError.
    """
    scan = Scan(sqs, url, stop, hold)
    with aws.translated_errors():
        try:
            yield scan
        finally:
            scan.release()


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A message to send."""

    body: str
    attributes: dict[str, Any]

    @classmethod
    def of(cls, message: Message) -> Outgoing:
        """Return a message to send again, as the same order."""
        return cls(body=message.resendable(), attributes=dict(message.attributes))

    @property
    def size(self) -> int:
        """Return the size in bytes as SQS counts it: body, and name, type and value of each attribute."""
        parts = [self.body]
        for name, attribute in self.attributes.items():
            parts += [name, *attribute.values()]
        return sum(len(part.encode(errors="replace") if isinstance(part, str) else part) for part in parts)

    def excess(self, limit: int) -> str | None:
        """Return a message if it has more bytes than a limit."""
        if self.size <= limit:
            return None
        return f"With its identity and attributes it has {self.size:,} bytes, and the queue takes {limit:,}"


# Sends messages, and returns the result of each.
Send = Callable[[Sequence[Outgoing]], list["Sent"]]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Result of sending a message: its id, or why it was refused."""

    message_id: str | None = None
    problem: str | None = None


def step(rate: float | None) -> int:
    """Return how many messages to send at once at a rate: fewer at a low one, to spread them evenly."""
    return BATCH if rate is None else max(1, min(BATCH, int(rate / 10)))


def send(sqs: aws.SQSClient, url: str, messages: Sequence[Outgoing]) -> list[Sent]:
    """Send messages to a queue; return the result of each instead of raising errors.

    boto3 retries. A message that is sent twice is counted once, by its identity.
    """
    return _in_batches(
        messages, "MessageBody", lambda entries: sqs.send_message_batch(QueueUrl=url, Entries=entries)
    )


def publish(sns: Any, topic: str, messages: Sequence[Outgoing]) -> list[Sent]:
    """Publish messages to a topic, as `send` does to a queue."""
    return _in_batches(
        messages,
        "Message",
        lambda entries: sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries),
    )


def _in_batches(messages: Sequence[Outgoing], body: str, request: Callable[[Any], Any]) -> list[Sent]:
    """Send messages by requests with entries, which have the text under the name `body`."""
    results: list[Sent] = []
    for group in _by_size(messages):
        entries = [
            {"Id": str(number), body: message.body, "MessageAttributes": message.attributes}
            for number, message in enumerate(group)
        ]
        try:
            response = request(entries)
        except (BotoCoreError, ClientError) as error:
            results += [Sent(problem=aws.problem(error))] * len(group)
            continue
        found = {entry["Id"]: Sent(message_id=entry["MessageId"]) for entry in response.get("Successful", [])}
        found |= {entry["Id"]: Sent(problem=_reason(entry)) for entry in response.get("Failed", [])}
        missing = Sent(problem="It is missing in the response")
        results += [found.get(entry["Id"], missing) for entry in entries]
    return results


@dataclass(kw_only=True)
class Delivered:
    """Result of sending many messages; `failures` has the reasons by the messages' keys."""

    sent: int = 0
    failures: dict[Any, str] = field(default_factory=dict)
    interrupted: bool = False


def deliver(
    messages: Iterable[tuple[object, Outgoing]], send: Send, pace: Pace, advance: Callable[[int], object]
) -> Delivered:
    """Send messages, each with a key, until there are no more or Ctrl-C is typed."""
    delivered = Delivered()
    for batch in paced(messages, pace):
        results = send([message for _key, message in batch])
        for (key, _message), result in zip(batch, results, strict=True):
            if result.problem is None:
                delivered.sent += 1
            else:
                delivered.failures[key] = result.problem
        advance(len(batch))
    delivered.interrupted = pace.stop.is_set()
    return delivered


def _reason(failure: Any) -> str:
    return f"{failure.get('Code', '?')}: {failure.get('Message', '')}".rstrip(": ")


def _by_size(messages: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """Split messages into groups that fit one request each; a message that is too large is alone."""
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


def paced(items: Iterable[T], pace: Pace) -> Iterator[list[T]]:
    """Yield items in batches at a rate, until Ctrl-C is typed."""
    for batch in groups(items, step(pace.rate)):
        pace.wait(len(batch))
        if pace.stop.is_set():
            return
        yield batch


def groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Split items into groups of a size; the last may be smaller."""
    iterator = iter(items)
    while group := list(itertools.islice(iterator, size)):
        yield group
