"""What can be done with the messages of a dead-letter queue: look, send again, correct, delete.

Whatever is sent again is sent before it is deleted: an interruption in between leaves a message in both
queues, and an order that comes twice is counted once.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from cli import aws, queues
from cli.errors import AnswerError, SetUpError
from cli.messages import Message
from cli.queues import Look, Outgoing, looking
from cli.stopping import Pace
from cli.worker_log import MOST_PAGES

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sqs import SQSClient

LEAST_ID = 4  # characters with which an id may be abbreviated

Advance = Callable[[int], object]
Conflicts = Callable[[Sequence[Message]], Mapping[str, str]]


def _nothing(_number: int) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class DeadLetters:
    """A dead-letter queue and the queue that its messages belong to."""

    sqs: SQSClient
    url: str
    target_url: str
    stop: threading.Event

    def depth(self) -> queues.Depth:
        """Ask how many messages there are."""
        with aws.asking():
            return queues.depth(self.sqs, self.url)

    def listed(self, limit: int | None, *, hold: int = queues.GLANCE, advance: Advance = _nothing) -> Listing:
        """Look at the messages, the oldest first; all of them are visible again afterwards.

        Parameters
        ----------
        limit
            How many, at most; None for all.
        """
        found: list[Message] = []
        with aws.asking():
            others = queues.depth(self.sqs, self.url).in_flight
            with looking(self.sqs, self.url, self.stop, hold=hold) as look:
                for batch in look.batches():
                    found += batch
                    advance(len(batch))
                    if limit is not None and len(found) >= limit:
                        break
                others = look.held_by_others(others) if others else 0
        found.sort(key=lambda message: message.sent_at)
        return Listing(
            messages=found[:limit],
            complete=look.complete and len(found) == len(found[:limit]),
            held_by_others=others,
        )

    def find(self, name: str) -> Message:
        """Look for the message with an id, or with the only id that begins so.

        Raises
        ------
        AnswerError
            There is none, or there are several.
        """
        with aws.asking(), looking(self.sqs, self.url, self.stop) as look:
            return _found(look, name)

    def redrive(
        self,
        *,
        rate: float | None = None,
        name: str | None = None,
        everything: bool = False,
        conflicts: Conflicts = lambda _messages: {},
        new_ids: bool = False,
        advance: Advance = _nothing,
    ) -> Moved:
        """Send messages to the queue again, each under its identity and time, and delete them here.

        Parameters
        ----------
        rate
            Messages a second, at most.
        name
            The id of the only message to send, or its beginning.
        everything
            Also what holds no order, and what conflicts, as it is.
        conflicts
            Returns why, by message id, for messages whose order has the id of another one.
        new_ids
            Whether such an order gets an id of its own and is sent, too.
        """
        moved = Moved()
        pace = Pace(rate, self.stop)
        step = queues.step(rate)
        started = time.monotonic()
        try:
            others = 0 if name else queues.depth(self.sqs, self.url).in_flight
            with looking(self.sqs, self.url, self.stop, hold=queues.PASS) as look:
                for batch in [[_found(look, name)]] if name else look.batches():
                    # What fails at once is back while this still runs; it is not sent round and round.
                    chosen = [message for message in batch if message.message_id not in moved.new_ids]
                    try:
                        chosen, left = _choose(chosen, conflicts, everything=everything, new_ids=new_ids)
                    except AnswerError as error:
                        moved.problem = str(error).rstrip(".")
                        break
                    moved.left |= left
                    advance(len(batch) - len(chosen))
                    for some in queues.groups(chosen, step):
                        pace.wait(len(some))
                        if self.stop.is_set():
                            break
                        self._move(look, some, moved)
                        advance(len(some))
                moved.held_by_others = look.held_by_others(others) if others else 0
        except (BotoCoreError, ClientError) as error:
            moved.problem = aws.problem(error)
        moved.interrupted = self.stop.is_set()
        moved.seconds = time.monotonic() - started
        return moved

    def replace(self, name: str, corrected: Message) -> Moved:
        """Send a corrected message to the queue and delete the one that it stands for.

        Raises
        ------
        AnswerError
            It is not here any more, so nothing was sent.
        """
        moved = Moved()
        with aws.asking(), looking(self.sqs, self.url, self.stop, hold=queues.PASS) as look:
            current = _found(look, name)
            self._move(look, [replace(current, body=corrected.body)], moved)
        return moved

    def purge(self, chosen: Collection[str], advance: Advance = _nothing) -> Purged:
        """Delete the messages with these ids and no others, such as those that came after the question."""
        purged = Purged()
        with aws.asking(), looking(self.sqs, self.url, self.stop, hold=queues.PASS) as look:
            for batch in look.batches():
                doomed = [message for message in batch if message.message_id in chosen]
                failures = look.delete(doomed)
                purged.deleted += len(doomed) - len(failures)
                purged.failures |= failures
                advance(len(doomed))
                if purged.deleted + len(purged.failures) == len(chosen):
                    break
        purged.interrupted = self.stop.is_set()
        return purged

    @cached_property
    def _room(self) -> int:
        return queues.room(self.sqs, self.target_url)

    def _move(self, look: Look, messages: list[Message], moved: Moved) -> None:
        outgoing: list[Outgoing] = []
        fitting: list[Message] = []
        for message in messages:
            again = Outgoing(body=message.carried(), attributes=dict(message.attributes))
            if excess := again.excess(self._room):
                name = message.message_id
                moved.failures[name] = f"Message {name}: {excess}: shorten it with `cafe dlq edit {name}`."
            else:
                outgoing.append(again)
                fitting.append(message)
        taken: list[Message] = []
        for message, result in zip(fitting, queues.send(self.sqs, self.target_url, outgoing), strict=True):
            if result.message_id is None:
                moved.failures[message.message_id] = result.problem or "Not taken"
            else:
                moved.new_ids.add(result.message_id)
                taken.append(message)
        moved.undeleted |= look.delete(taken)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What was seen of a queue.

    Attributes
    ----------
    complete
        Whether these are all that could be seen.
    held_by_others
        Messages that somebody else held all the time, as SQS estimates it.
    """

    messages: list[Message]
    complete: bool
    held_by_others: int


@dataclass(kw_only=True)
class Moved:
    """What became of messages that were to be sent again.

    Attributes
    ----------
    new_ids
        The SQS message ids of what was sent.
    left
        Why, for each message that was not tried, since it would come back.
    failures
        Why, for each that the queue did not take; it is where it was.
    undeleted
        Why, for each that was sent and is still here as well; it is counted once all the same.
    problem
        Why it ended early.
    held_by_others
        Messages that somebody else held all the time, as SQS estimates it.
    """

    new_ids: set[str] = field(default_factory=set)
    left: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    undeleted: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    held_by_others: int = 0
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        """How many were sent."""
        return len(self.new_ids)


@dataclass(kw_only=True)
class Purged:
    """What became of messages that were to be deleted; `failures` says why, by message id."""

    deleted: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


def _choose(
    messages: Sequence[Message], conflicts: Conflicts, *, everything: bool, new_ids: bool
) -> tuple[list[Message], Mapping[str, str]]:
    """Return the messages to send, and why, by message id, the others stay."""
    clashes: Mapping[str, str] = {}
    if new_ids or not everything:
        try:
            clashes = conflicts(messages)
        except AnswerError:
            if new_ids:
                raise
            # What conflicts comes back.
    if new_ids:
        messages = [m.corrected(m.text, m.dated_id) if m.message_id in clashes else m for m in messages]
        clashes = {}
    invalid = {message.message_id: message.reason for message in messages if message.reason is not None}
    left = {} if everything else {**invalid, **clashes}
    return [message for message in messages if message.message_id not in left], left


def _found(look: Look, name: str) -> Message:
    if len(name) < LEAST_ID:
        raise SetUpError(f"Give at least the first {LEAST_ID} characters of the message's id.")
    found: list[Message] = []
    for batch in look.batches():
        found += [message for message in batch if message.message_id.startswith(name)]
        if any(message.message_id == name for message in batch):
            break
    if not found:
        raise AnswerError(
            f"There is no message {name} here just now: somebody else holds it for a while, or it is gone."
        )
    if len(found) > 1:
        raise AnswerError(f"{len(found)} messages have ids that begin with {name}: give more of it.")
    return found[0]


def workers_reason(logs: CloudWatchLogsClient, group: str, message: Message) -> str | None:
    """Return the worker's last reason about a message, or why it is not known; None if there is none."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=message.sent_at, filterPattern=f'"{message.message_id}"'
    )
    events: list[Any] = []
    try:
        # A page may be empty, and the line on a later one.
        for page in itertools.islice(pages, MOST_PAGES):
            events += page["events"]
    except (BotoCoreError, ClientError) as error:
        return f"not known, because the worker's log could not be read: {aws.problem(error)}"
    events.sort(key=lambda event: event.get("timestamp", 0))
    reasons = [reason for event in events if (reason := _reason_in(event.get("message", "")))]
    return reasons[-1] if reasons else None


def _reason_in(line: str) -> str | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    reason = said.get("reason") if isinstance(said, dict) else None
    return str(reason) if reason else None
