"""A run of `cafe chaos`: send, break, mend, wait until it is quiet, and look into the books."""

import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from cli import aws, http
from cli.chaos.books import Books, Check, depth
from cli.chaos.faults import Breakables, Fault, repeating
from cli.chaos.orders import Door, Plan, Sending
from cli.errors import AnswerError
from cli.order import Counter, Order
from cli.stack import Stack

BATCH = 10  # messages that SNS and SQS take at once
HANDS = 4  # batches under way at once
# MiniStack looks through the whole queue for every batch that it hands out, so the queue is kept short.
LONGEST_QUEUE = 2000
CHECKED_EVERY = 200  # messages
MESSAGES_PER_FAULT = 400
SHORTEST, LONGEST = 0.4, 1.4  # seconds that a fault lasts
# Seconds more that it lasts, at most, while it has harmed nobody: MiniStack pauses after a worker died.
GRACE = 5.0
RECONCILED_EVERY = 2.0  # seconds, instead of a minute
# Nothing more is expected to happen when nothing has changed for as many seconds, and so many runs of
# `ReconcileOrders`: one that was killed hides dead letters for a minute.
PATIENCE = 75.0
FRUITLESS_RUNS = 3
OUTAGE_PATIENCE = 120.0
BEAT = 0.25  # seconds between two looks
MOMENT = 0.02
KIBIBYTE = 1024


class StoppedError(Exception):
    """Somebody asked the run to end early."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person chose."""

    orders: int
    seed: int
    run: str
    outage: bool
    keep: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, after how many messages it begins, and how long it lasts, in seconds."""

    at: int
    fault: Fault
    seconds: float


@dataclass(kw_only=True)
class Progress:
    """What is going on just now; read while others write."""

    phase: str = "Waiting until the stack is quiet"
    messages: int = 0
    sent: int = 0
    broken: str | None = None
    waiting: int = 0
    dead: int = 0


@dataclass(kw_only=True)
class Figures:
    """What was done and seen.

    Attributes
    ----------
    doors
        Messages by the way they were sent.
    faults
        How often each fault was made, and for how many seconds in all.
    dead_at_most
        The longest that `OrderDLQ` was seen.
    brought_back
        Good orders that `ReconcileOrders` recorded from `OrderDLQ`.
    repaired
        Orders that it found in RDS and not in DynamoDB.
    dead_in_outage
        How many messages were in `OrderDLQ` when the database came back, in a run with an outage.
    memory
        The most that this process held, in MiB.
    """

    doors: dict[Door, int] = field(default_factory=lambda: {"topic": 0, "queue": 0, "http": 0})
    refused_at_door: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    broken_seconds: dict[str, float] = field(default_factory=dict)
    workers_killed: int = 0
    databases_killed: int = 0
    calls_refused: int = 0
    answers_lost: int = 0
    dead_at_most: int = 0
    reconciliations: int = 0
    brought_back: int = 0
    repaired: int = 0
    dead_in_outage: int | None = None
    outage_seconds: float | None = None
    sending_seconds: float = 0.0
    settling_seconds: float = 0.0
    audit_seconds: float = 0.0
    memory: float = 0.0


def schedule(faults: Sequence[Fault], plan: Plan, messages: int) -> list[Planned]:
    """Spread faults over a run, all kinds equally often, in an order and for times that the seed decides."""
    numbers = plan.chance("faults", 0)
    rounds = max(1, messages // MESSAGES_PER_FAULT // len(faults))
    kinds = [fault for _ in range(rounds) for fault in numbers.sample(faults, len(faults))]
    step = messages / (len(kinds) + 1)
    return [
        Planned(at=round((index + 0.5) * step), fault=fault, seconds=numbers.uniform(SHORTEST, LONGEST))
        for index, fault in enumerate(kinds)
    ]


class ChaosRun:
    """One run on one local stack.

    Parameters
    ----------
    directory
        Where the stack keeps its files.
    """

    def __init__(self, stack: Stack, clients: aws.Clients, directory: Path, settings: Settings) -> None:
        self.progress = Progress()
        self.figures = Figures()
        self.plan = Plan(seed=settings.seed, run=settings.run, orders=settings.orders)
        self.expected = self.plan.count()
        self._stack = stack
        self._clients = clients
        self._settings = settings
        self._breakables = Breakables(stack, clients, directory, self.plan.chance("meddling", 0))
        self._stopping = threading.Event()
        self._ordinary_dead = 0  # dead letters that were there before

    def stop(self) -> None:
        """Have `run`, in another thread, mend what is broken and end."""
        self._stopping.set()

    def run(self) -> list[Check]:
        """Do everything, and return what the books say at the end.

        Raises
        ------
        StoppedError
            `stop` was called, and everything is mended.
        AnswerError
            Something failed that should not have, such as the mending.
        """
        progress, figures = self.progress, self.figures
        progress.messages = sum(self.expected.values())
        with self._breakables.prepared():
            self._settle(dead=None)
            self._ordinary_dead = self._dead()
            books = Books(self._stack, self._clients, self.plan)
            progress.phase = "Sending"
            began = time.monotonic()
            with repeating(self._reconcile, every=RECONCILED_EVERY):
                if self._settings.outage:
                    self._send_with_outage()
                else:
                    self._send_with_faults()
            figures.sending_seconds = time.monotonic() - began
            progress.phase = "Waiting until it is quiet"
            began = time.monotonic()
            self._settle(dead=self._ordinary_dead + self.expected["malformed"])
            figures.settling_seconds = time.monotonic() - began
        self._collect()
        progress.phase = "Looking into the books"
        began = time.monotonic()
        checks = list(books.audit(keep=self._settings.keep))
        figures.audit_seconds = time.monotonic() - began
        return checks

    def _collect(self) -> None:
        breakables, figures = self._breakables, self.figures
        figures.workers_killed = breakables.killed_workers
        figures.databases_killed = breakables.killed_databases
        figures.calls_refused = breakables.refused_calls
        figures.answers_lost = breakables.lost_answers
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # macOS says it in bytes, Linux in KiB.
        figures.memory = most / KIBIBYTE / (KIBIBYTE if sys.platform == "darwin" else 1)

    # Sending

    def _send_with_faults(self) -> None:
        planned = schedule(self._breakables.faults, self.plan, self.progress.messages)
        lane = Lane(planned, self._break, self._pause)
        with self._publisher() as publisher, lane.running():
            for position, sending in enumerate(self.plan.sendings()):
                lane.reach(position)
                if position % CHECKED_EVERY == 0:
                    self._wait_for_room()
                publisher.send(sending)
            publisher.flush()
            lane.finish()

    def _send_with_outage(self) -> None:
        """Take the database away after a quarter, for as long as it takes to dead-letter all the rest."""
        with self._publisher() as publisher:
            sendings = self.plan.sendings()
            for _, sending in zip(range(self.progress.messages // 4), sendings, strict=False):
                publisher.send(sending)
            publisher.flush()
            began = time.monotonic()
            outage = Fault(
                name="outage",
                sentence="MariaDB is away until every message is dead-lettered",
                broken=self._breakables.database_killed,
            )
            with self._broken(outage):
                for sending in sendings:
                    publisher.send(sending)
                publisher.flush()
                deadline = time.monotonic() + OUTAGE_PATIENCE
                while self._queued() and time.monotonic() < deadline:
                    self._dead()
                    self._pause(BEAT)
                self.figures.dead_in_outage = self._dead() - self._ordinary_dead
            self.figures.outage_seconds = time.monotonic() - began

    @contextmanager
    def _publisher(self) -> "Iterator[_Publisher]":
        with http.client(HANDS) as client:
            publisher = _Publisher(self._stack, self._clients, client, self.progress, self.figures)
            try:
                yield publisher
            finally:
                publisher.close()

    def _wait_for_room(self) -> None:
        self._dead()
        while self._queued() > LONGEST_QUEUE:
            self._pause(BEAT)

    def _break(self, planned: Planned) -> None:
        fault = planned.fault
        harm = fault.harm() if fault.harm else 0
        with self._broken(fault):
            self._pause(planned.seconds)
            deadline = time.monotonic() + GRACE
            while fault.harm and fault.harm() == harm and time.monotonic() < deadline:
                self._pause(MOMENT)

    def _pause(self, seconds: float) -> None:
        """Wait, unless the run is stopped."""
        if self._stopping.wait(seconds):
            raise StoppedError

    @contextmanager
    def _broken(self, fault: Fault) -> Iterator[None]:
        began = time.monotonic()
        try:
            with fault.broken():
                self.progress.broken = fault.sentence
                yield
        finally:
            self.progress.broken = None
            times, seconds = self.figures.faults, self.figures.broken_seconds
            times[fault.name] = times.get(fault.name, 0) + 1
            seconds[fault.name] = seconds.get(fault.name, 0.0) + time.monotonic() - began

    # Waiting

    def _settle(self, *, dead: int | None) -> None:
        """Wait until the queue is empty and `OrderDLQ` holds `dead` messages, and nothing is left to repair.

        Ends when nothing changes any more, too: the audit then says what is missing.
        """
        seen: tuple[int, ...] = ()
        changed, runs = time.monotonic(), 0
        while time.monotonic() - changed < PATIENCE or runs < FRUITLESS_RUNS:
            if not self._queued():
                done = self._reconcile()
                runs += 1
                if not done and dead in (None, self._dead()) and not self._queued():
                    return
            now = (self._queued(), self._dead(), self.figures.brought_back, self.figures.repaired)
            if now != seen:
                seen, changed, runs = now, time.monotonic(), 0
            self._pause(BEAT)

    def _reconcile(self) -> int:
        """Run `ReconcileOrders` as its schedule does every minute; return how much it found to do."""
        self.figures.reconciliations += 1
        try:
            answer = self._clients.functions.invoke(
                FunctionName=self._stack.output("reconcile_function"), Payload=b"{}"
            )
            said = answer["Payload"].read()
        except (BotoCoreError, ClientError):
            return 1
        if "FunctionError" in answer:
            return 1  # Whatever it was, it has to run again.
        result: Mapping[str, Any] = json.loads(said)
        self.figures.brought_back += int(result["swept"])
        self.figures.repaired += int(result["repaired"])
        return int(result["swept"]) + int(result["repaired"]) + int(result["drift"])

    def _queued(self) -> int:
        self.progress.waiting = depth(self._clients, self._stack.output("queue_url"))
        return self.progress.waiting

    def _dead(self) -> int:
        dead = depth(self._clients, self._stack.output("dead_letter_queue_url"))
        self.progress.dead = dead
        self.figures.dead_at_most = max(self.figures.dead_at_most, dead - self._ordinary_dead)
        return dead


class Lane:
    """Makes planned faults one after the other, in a thread of its own, no earlier than at their message.

    The sender waits for a fault that is due: each has its share of the messages, however fast they are sent.
    """

    def __init__(
        self, planned: Sequence[Planned], make: Callable[[Planned], None], pause: Callable[[float], None]
    ) -> None:
        self._planned = planned
        self._make = make
        self._pause = pause
        self._closing = False
        self._begun = [threading.Event() for _ in planned]
        self._due = threading.Semaphore(0)
        self._next = 0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be at work in the `with` statement; what is broken at its end, however it comes, is mended."""
        self._thread.start()
        try:
            yield
        finally:
            self._closing = True
            self._due.release()
            self._thread.join()

    def reach(self, position: int) -> None:
        """Say which message is next; waits until a fault that is due has begun."""
        while self._next < len(self._planned) and self._planned[self._next].at <= position:
            self._due.release()
            while not self._begun[self._next].is_set():
                self._check()
            self._next += 1

    def finish(self) -> None:
        """Wait until the last fault is over."""
        while self._thread.is_alive():
            self._check()

    def _check(self) -> None:
        self._pause(MOMENT)
        if self._failure is not None:
            raise AnswerError(f"A fault could not be made or mended: {self._failure}") from self._failure

    def _work(self) -> None:
        for planned, begun in zip(self._planned, self._begun, strict=True):
            self._due.acquire()
            if self._closing:
                return
            begun.set()
            try:
                self._make(planned)
            except StoppedError:
                return
            except Exception as error:  # noqa: BLE001  # the sender raises it
                self._failure = error
                return


@dataclass(frozen=True, kw_only=True)
class _AnyOrder(Order):
    """An order whose body is written already."""

    text: str

    def body(self) -> dict[str, object]:
        body: dict[str, object] = json.loads(self.text)
        return body


class _Publisher:
    """Sends messages by all three doors, in batches, a few at once."""

    def __init__(
        self, stack: Stack, clients: aws.Clients, client: httpx.Client, progress: Progress, figures: Figures
    ) -> None:
        self._topic = stack.output("topic_arn")
        self._queue = stack.output("queue_url")
        self._orders = stack.output("orders_url")
        self._sns, self._sqs = clients.sns, clients.sqs
        self._client = client
        self._door = Counter(client, self._orders, api_key=stack.orders_api_key)
        self._headers = {"Content-Type": "application/json"}
        if stack.orders_api_key:
            self._headers["x-api-key"] = stack.orders_api_key
        self._progress = progress
        self._figures = figures
        self._batches: dict[Door, list[str]] = {"topic": [], "queue": []}
        self._pool = ThreadPoolExecutor(HANDS)
        self._under_way: set[Future[None]] = set()
        self._lock = threading.Lock()

    def send(self, sending: Sending) -> None:
        """Send a message, perhaps a few messages later; waits while enough is under way."""
        self._figures.doors[sending.door] += 1
        if sending.door == "http":
            self._start(1, self._post, sending)
            return
        batch = self._batches[sending.door]
        batch.append(sending.body)
        if len(batch) == BATCH:
            self._send_batch(sending.door)

    def flush(self) -> None:
        """Send what is left, and wait until everything is sent."""
        for door in ("topic", "queue"):
            if self._batches[door]:
                self._send_batch(door)
        self._wait(0)

    def close(self) -> None:
        """Send nothing more; what is under way ends first."""
        self._door.close()
        self._pool.shutdown(cancel_futures=True)

    def _send_batch(self, door: Door) -> None:
        batch, self._batches[door] = self._batches[door], []
        self._start(len(batch), self._publish if door == "topic" else self._enqueue, batch)

    def _start(self, messages: int, work: Any, given: Any) -> None:
        self._wait(HANDS - 1)

        def send() -> None:
            work(given)
            with self._lock:
                self._progress.sent += messages

        self._under_way.add(self._pool.submit(send))

    def _wait(self, at_most: int) -> None:
        while len(self._under_way) > at_most:
            done, self._under_way = wait(self._under_way, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()

    def _publish(self, bodies: list[str]) -> None:
        answer = self._sns.publish_batch(
            TopicArn=self._topic,
            PublishBatchRequestEntries=[
                {"Id": str(index), "Message": body} for index, body in enumerate(bodies)
            ],
        )
        _require_all(answer.get("Failed"), "The topic")

    def _enqueue(self, bodies: list[str]) -> None:
        answer = self._sqs.send_message_batch(
            QueueUrl=self._queue,
            Entries=[{"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)],
        )
        _require_all(answer.get("Failed"), "The queue")

    def _post(self, sending: Sending) -> None:
        if sending.fate == "valid":
            self._door.place(_AnyOrder(item="", text=sending.body))
            return
        response = self._client.post(self._orders, content=sending.body.encode(), headers=self._headers)
        if response.status_code != httpx.codes.BAD_REQUEST:
            raise AnswerError(f"A malformed order was answered with {http.message_of(response)}.")
        with self._lock:
            self._figures.refused_at_door += 1


def _require_all(failed: Any, who: str) -> None:
    if failed:
        raise AnswerError(f"{who} did not take {len(failed)} messages: {failed[0].get('Message', '?')}")
