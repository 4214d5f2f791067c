"""A run of `cafe chaos`: send, break, mend, wait until it is quiet, and look into the books."""

import json
import resource
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli import aws, http, queues
from cli.chaos.books import Books, Check
from cli.chaos.faults import Breakables, Fault, repeating
from cli.chaos.figures import Figures, Progress
from cli.chaos.orders import Plan
from cli.chaos.publisher import HANDS, Publisher
from cli.chaos.schedule import MOMENT, Lane, Planned, StoppedError, schedule
from cli.chaos.staff import Staff
from cli.chaos.states import audit_states
from cli.kitchen.client import Kitchen
from cli.stack import Stack

# MiniStack looks through the whole queue for every batch that it hands out, so the queue is kept short.
LONGEST_QUEUE = 2000
CHECKED_EVERY = 200  # messages
# Seconds more that it lasts, at most, while it has harmed nobody: MiniStack pauses after a worker died.
GRACE = 30.0
RECONCILED_EVERY = 2.0  # seconds, instead of a minute
# Nothing more is expected to happen when nothing has changed for as many seconds, and so many runs of
# `ReconcileOrders`: one that was killed hides dead letters for a minute.
PATIENCE = 75.0
FRUITLESS_RUNS = 3
OUTAGE_PATIENCE = 600.0
BEAT = 0.25  # seconds between two looks
KIBIBYTE = 1024


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person chose."""

    orders: int
    seed: int
    run: str
    outage: bool
    keep: bool


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
            progress.enter("Sending")
            began = time.monotonic()
            staff = self._staff()
            with repeating(self._reconcile, every=RECONCILED_EVERY), staff.working():
                if self._settings.outage:
                    self._send_with_outage()
                else:
                    self._send_with_faults()
            figures.sending_seconds = time.monotonic() - began
            progress.enter("Waiting until it is quiet")
            began = time.monotonic()
            self._settle(dead=self._ordinary_dead + self.expected["malformed"])
            figures.settling_seconds = time.monotonic() - began
        self._collect()
        progress.enter("Comparing both stores")
        began = time.monotonic()
        checks = list(books.audit(keep=self._settings.keep))
        checks.append(audit_states(self._stack, self._clients, self.plan, books.last_id, staff.confirmed))
        figures.audit_seconds = time.monotonic() - began
        return checks

    def _staff(self) -> Staff:
        kitchen = Kitchen.of(self._stack, self._clients)
        return Staff(kitchen, self.plan.customer, self.figures, str(self._settings.seed))

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
                sentence="the database is away until every message is dead-lettered",
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
    def _publisher(self) -> "Iterator[Publisher]":
        with http.client(self._stack.endpoint, HANDS) as client:
            publisher = Publisher(self._stack, self._clients, client, self.progress, self.figures)
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
                self.progress.set_broken(fault.sentence)
                yield
        finally:
            self.progress.set_broken(None)
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

    def _depth(self, output: str) -> int:
        return queues.depth(self._clients.sqs, self._stack.output(output)).total

    def _queued(self) -> int:
        self.progress.waiting = self._depth("queue_url")
        return self.progress.waiting

    def _dead(self) -> int:
        dead = self._depth("dead_letter_queue_url")
        self.progress.dead = dead
        self.figures.dead_at_most = max(self.figures.dead_at_most, dead - self._ordinary_dead)
        return dead
