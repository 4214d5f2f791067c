"""List, redrive, correct and delete the messages of a dead-letter queue.

A message is sent before it is deleted: an interruption in between leaves it in both queues, and an order that
arrives twice is counted once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from botocore.exceptions import BotoCoreError, ClientError

from cli import aws, queues
from cli.aws import Clients
from cli.errors import OperationError, SetUpError
from cli.messages import Message
from cli.queues import Outgoing, Scan, scanning
from cli.stopping import Pace

MIN_ID = 4  # characters to which an id may be abbreviated

Advance = Callable[[int], object]
Conflicts = Callable[[Sequence[Message]], Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class DeadLetters:
    """A dead-letter queue, and the queue to which its messages are sent again."""

    sqs: aws.SQSClient
    url: str
    target_url: str
    stop: threading.Event

    @classmethod
    def of(cls, clients: Clients, output: str, stop: threading.Event) -> DeadLetters:
        """Return the dead-letter queue whose URL is an output of a stack."""
        url, target_url = clients.stack.output(output), clients.stack.output("queue_url")
        return cls(sqs=clients.sqs, url=url, target_url=target_url, stop=stop)

    def depth(self) -> queues.Depth:
        """Read the number of messages."""
        with aws.translated_errors():
            return queues.depth(self.sqs, self.url)

    def listed(self, limit: int | None, advance: Advance = lambda _number: None) -> Listing:
        """Read up to `limit` messages, or all, and sort them by age; they are visible again afterwards."""
        found: list[Message] = []
        others = self.depth().in_flight
        hold = queues.SHORT_HOLD if limit else queues.LONG_HOLD
        with scanning(self.sqs, self.url, self.stop, hold) as scan:
            for batch in scan.batches():
                found += batch
                advance(len(batch))
                if limit is not None and len(found) >= limit:
                    break
            others = scan.held_by_others(others) if others else 0
        found.sort(key=lambda message: message.sent_at)
        complete = scan.complete and (limit is None or len(found) <= limit)
        return Listing(messages=found[:limit], complete=complete, held_by_others=others)

    def find(self, name: str) -> Message:
        """Find the message with an id, or with the only id that begins so; raise OperationError otherwise."""
        with scanning(self.sqs, self.url, self.stop, queues.SHORT_HOLD) as scan:
            return _found(scan, name)

    def redrive(
        self,
        *,
        rate: float | None = None,
        name: str | None = None,
        everything: bool = False,
        conflicts: Conflicts = lambda _messages: {},
        new_ids: bool = False,
        advance: Advance = lambda _number: None,
    ) -> Moved:
        """Send messages to the queue again, each with its identity and time, and delete them here.

        Messages without a valid order, and those for which `conflicts` returns a reason, are left here. With
        `everything` they are sent unchanged, and with `new_ids` conflicting orders are sent under another id.
        `name` is the id of the only message to send, or its beginning.
        """
        moved = Moved()
        pace = Pace(rate, self.stop)
        started = time.monotonic()
        others = 0 if name else self.depth().in_flight
        with scanning(self.sqs, self.url, self.stop) as scan:
            batches = iter([[_found(scan, name)]]) if name else scan.batches()
            try:
                for batch in batches:
                    # A message that fails at once may be back already; it is sent once.
                    new = [message for message in batch if message.message_id not in moved.new_ids]
                    chosen, left = _choose(new, conflicts, everything=everything, new_ids=new_ids)
                    moved.left |= left
                    advance(len(batch) - len(chosen))
                    for some in queues.paced(chosen, pace):
                        self._move(scan, some, moved)
                        advance(len(some))
                moved.held_by_others = scan.held_by_others(others) if others else 0
            except OperationError as error:
                moved.problem = str(error).rstrip(".")
            except (BotoCoreError, ClientError) as error:
                moved.problem = aws.problem(error)
        moved.interrupted = self.stop.is_set()
        moved.seconds = time.monotonic() - started
        return moved

    def replace(self, name: str, corrected: Message) -> Moved:
        """Send a corrected message, and delete the original; raise OperationError if that is gone."""
        moved = Moved()
        with scanning(self.sqs, self.url, self.stop) as scan:
            current = _found(scan, name)
            self._move(scan, [replace(current, body=corrected.body)], moved)
        return moved

    def rewrite(self, bodies: Mapping[str, str]) -> Moved:
        """Send messages with other bodies and no attributes, by id, and delete the originals."""
        moved = Moved()
        with scanning(self.sqs, self.url, self.stop) as scan:
            for batch in scan.batches():
                chosen = [
                    replace(message, body=bodies[message.message_id], attributes={})
                    for message in batch
                    if message.message_id in bodies
                ]
                self._move(scan, chosen, moved)
        moved.interrupted = self.stop.is_set()
        return moved

    def purge(self, chosen: Collection[str], advance: Advance = lambda _number: None) -> Purged:
        """Delete the messages with these ids."""
        purged = Purged()
        with scanning(self.sqs, self.url, self.stop) as scan:
            for batch in scan.batches():
                matching = [message for message in batch if message.message_id in chosen]
                failures = scan.delete(matching)
                purged.deleted += len(matching) - len(failures)
                purged.failures |= failures
                advance(len(matching))
                if purged.deleted + len(purged.failures) == len(chosen):
                    break
        purged.interrupted = self.stop.is_set()
        return purged

    @cached_property
    def _limit(self) -> int:
        return queues.max_message_size(self.sqs, self.target_url)

    def _move(self, scan: Scan, messages: list[Message], moved: Moved) -> None:
        fitting: list[tuple[Message, Outgoing]] = []
        for message in messages:
            again = Outgoing.of(message)
            if excess := again.excess(self._limit):
                name = message.message_id
                moved.failures[name] = f"Message {name}: {excess}: shorten it with `cafe dlq edit {name}`."
            else:
                fitting.append((message, again))
        taken: list[Message] = []
        results = queues.send(self.sqs, self.target_url, [again for _, again in fitting])
        for (message, _), result in zip(fitting, results, strict=True):
            if result.message_id is None:
                moved.failures[message.message_id] = str(result.problem)
            else:
                moved.new_ids.add(result.message_id)
                taken.append(message)
        moved.undeleted |= scan.delete(taken)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Messages of a queue."""

    messages: list[Message]
    complete: bool  # whether these are all visible messages
    held_by_others: int  # messages that stayed invisible throughout, as SQS estimates


@dataclass(kw_only=True)
class Moved:
    """Result of a redrive, with reasons by message id."""

    new_ids: set[str] = field(default_factory=set)  # of the messages that were sent
    left: dict[str, str] = field(default_factory=dict)  # not sent, because they would come back
    failures: dict[str, str] = field(default_factory=dict)  # refused by the queue, and still here
    undeleted: dict[str, str] = field(default_factory=dict)  # sent, and still here; they are counted once
    problem: str | None = None  # why the redrive ended early
    held_by_others: int = 0  # messages that stayed invisible throughout, as SQS estimates
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        """Return the number of messages that were sent."""
        return len(self.new_ids)


@dataclass(kw_only=True)
class Purged:
    """Result of a purge; `failures` has the reasons by message id."""

    deleted: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


def _choose(
    messages: Sequence[Message], conflicts: Conflicts, *, everything: bool, new_ids: bool
) -> tuple[list[Message], Mapping[str, str]]:
    """Return the messages to send, and the reasons, by message id, why others are not sent."""
    clashes: Mapping[str, str] = {}
    if new_ids or not everything:
        try:
            clashes = conflicts(messages)
        except OperationError:
            if new_ids:
                raise
            # Send them unchecked: the worker rejects orders that conflict.
    if new_ids:
        messages = [m.corrected(m.text, m.dated_id) if m.message_id in clashes else m for m in messages]
        clashes = {}
    invalid = {message.message_id: message.reason for message in messages if message.reason is not None}
    left = {} if everything else {**invalid, **clashes}
    return [message for message in messages if message.message_id not in left], left


def _found(scan: Scan, name: str) -> Message:
    if len(name) < MIN_ID:
        raise SetUpError(f"Type at least the first {MIN_ID} characters of the message's id.")
    found: list[Message] = []
    for batch in scan.batches():
        found += [message for message in batch if message.message_id.startswith(name)]
        if any(message.message_id == name for message in batch):
            break
    if not found:
        raise OperationError(
            f"Message {name} was not found: another receiver holds it for a while, or it is gone."
        )
    if len(found) > 1:
        raise OperationError(f"{len(found)} messages have ids that begin with {name}: type more of it.")
    return found[0]
