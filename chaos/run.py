"""A run: send, break, repair, wait until the stack is quiet, and audit both stores."""

import resource
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from chaos.audit import Audit
from chaos.faults import Fault, Faults
from chaos.figures import Figures, Progress
from chaos.plan import Plan
from chaos.staff import Staff
from cli import aws, http, queues
from cli.checks import Check
from cli.errors import OperationError
from cli.kitchen import Kitchen
from cli.reconciler import Outcome, Reconciler
from cli.stopping import repeating
from cli.traffic.client import RefusedError
from cli.traffic.entrances import Sent, senders
from cli.traffic.plan import Entrance, Kind, Sending
from cli.traffic.send import send

WORKERS = 4  # batches sent at once
# MiniStack reads the whole queue for every batch that it delivers, so the queue is kept short.
LONGEST_QUEUE = 2000
CHECKED_EVERY = 200  # messages
# Additional seconds until a fault has done harm: MiniStack pauses after a worker died.
HARM_TIMEOUT = 30.0
HARM_INTERVAL = 0.02  # seconds between two checks
RECONCILED_EVERY = 2.0  # seconds, instead of a minute
# The run ends when nothing has changed for as many seconds and in so many runs of `ReconcileOrders`: one that
# was killed hides dead letters for a minute.
SETTLE_TIMEOUT = 75.0
FRUITLESS_RUNS = 3
OUTAGE_TIMEOUT = 600.0
QUEUE_INTERVAL = 0.25  # seconds between two readings of a queue's length
KIBIBYTE = 1024


class StoppedError(Exception):
    """The run was stopped by Ctrl-C."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of a run."""

    orders: int
    moves: int  # for which the orders wait; 0 for as many as the staff make meanwhile
    seed: int
    run: str
    outage: bool
    keep: bool


class ChaosRun:
    """One run on the local stack in a directory."""

    def __init__(self, clients: aws.Clients, directory: Path, settings: Settings) -> None:
        self.progress = Progress()
        self.figures = Figures()
        self.settings = settings
        self.plan = Plan(seed=settings.seed, run=settings.run, orders=settings.orders)
        self.expected = self.plan.count()
        self._clients = clients
        self._faults = Faults(clients, directory, self.plan.chance("injection", 0))
        self._reconciler = Reconciler.of(clients)
        self._staff = Staff(Kitchen.of(clients), self.plan, self.figures, without_pauses=settings.moves > 0)
        self._stopping = threading.Event()
        self._dead_before = 0  # dead letters of earlier runs

    def stop(self) -> None:
        """Make `run` repair the current fault and end; safe in a signal handler."""
        self._stopping.set()

    def run(self) -> list[Check]:
        """Send, break, repair and audit; return the checks.

        Raises StoppedError if `stop` was called and all faults are repaired, and OperationError if anything
        but the faults failed, such as a repair.
        """
        progress, figures = self.progress, self.figures
        progress.messages = sum(self.expected.values())
        progress.enter("Waiting until the stack is quiet")
        with self._faults.prepared():
            self._settle(dead=None)
            self._dead_before = self._dead()
            audit = Audit(self._clients, self.plan)
            progress.enter("Sending")
            began = time.monotonic()
            with repeating(self._reconcile, every=RECONCILED_EVERY), self._staff.working():
                if self.settings.outage:
                    self._send_with_outage()
                else:
                    self._send_with_faults()
                self._wait_for_moves(progress.messages)
            figures.sending_seconds = time.monotonic() - began
            progress.enter("Waiting until it is quiet")
            began = time.monotonic()
            self._settle(dead=self._dead_before + self.expected["malformed"])
            figures.settling_seconds = time.monotonic() - began
            self._collect()
        progress.enter("Comparing both stores")
        began = time.monotonic()
        checks = list(audit.checks(self.expected, self._staff.confirmed, keep=self.settings.keep))
        figures.audit_seconds = time.monotonic() - began
        return checks

    def _collect(self) -> None:
        faults, figures = self._faults, self.figures
        figures.workers_killed = faults.processes.killed
        figures.databases_killed = faults.database.times_killed
        figures.calls_refused = faults.proxy.refused
        figures.answers_lost = faults.proxy.lost
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # In bytes on macOS, in KiB on Linux.
        figures.memory = most / KIBIBYTE / (KIBIBYTE if sys.platform == "darwin" else 1)

    # Sending

    def _send_with_faults(self) -> None:
        """Send an equal share of the messages during each fault, and the first share and the rest before."""
        faults = self.plan.faults(self._faults.faults, self.progress.messages, self.settings.moves)
        share = self.progress.messages // (len(faults) + 1)
        sendings = self._sendings()
        self._send(islice(sendings, self.progress.messages - share * len(faults)))
        for fault, seconds in faults:
            self._break(fault, seconds, islice(sendings, share))

    def _break(self, fault: Fault, seconds: float, sendings: Iterable[Sending]) -> None:
        """Make a fault and send messages; repair it after some seconds, once it has done harm."""
        harm = fault.harm() if fault.harm else 0
        with ExitStack() as sending:
            with self._broken(fault):
                is_sending = sending.enter_context(self._sending(sendings))
                self._pause(seconds)
                deadline = time.monotonic() + HARM_TIMEOUT
                while fault.harm and fault.harm() == harm and time.monotonic() < deadline:
                    self._pause(HARM_INTERVAL)
            while is_sending():
                pass

    def _sendings(self) -> Iterator[Sending]:
        """Yield the sendings, as fast as the queue is read and the staff make their share of the moves."""
        for position, sending in enumerate(self.plan.sendings()):
            if position % CHECKED_EVERY == 0:
                self._dead()
                while self._queued() > LONGEST_QUEUE:
                    self._pause(QUEUE_INTERVAL)
                self._wait_for_moves(position)
            yield sending

    def _wait_for_moves(self, position: int) -> None:
        """Wait until the staff have made their share of the moves when so many messages are sent."""
        seen, changed = -1, 0.0
        while (made := self.figures.moves_made) * self.progress.messages < self.settings.moves * position:
            self._staff.check()
            if made != seen:
                seen, changed = made, time.monotonic()
            elif time.monotonic() - changed > SETTLE_TIMEOUT:
                raise OperationError(f"The staff made no move for {SETTLE_TIMEOUT:.0f} seconds.")
            self._pause(QUEUE_INTERVAL)

    def _send_with_outage(self) -> None:
        """Stop the database after a quarter of the messages, until all others are dead-lettered."""
        sendings = self.plan.sendings()
        self._send(islice(sendings, self.progress.messages // 4))
        sentence = "the database is stopped until every message is dead-lettered"
        with self._broken(Fault("outage", sentence, self._faults.database.killed)):
            self._send(sendings)
            deadline = time.monotonic() + OUTAGE_TIMEOUT
            while self._queued() and time.monotonic() < deadline:
                self._dead()
                self._pause(QUEUE_INTERVAL)
            self.figures.dead_in_outage = self._dead() - self._dead_before
        self.figures.outage_seconds = self.figures.broken_seconds["outage"]

    def _send(self, sendings: Iterable[Sending]) -> None:
        with self._sending(sendings) as is_sending:
            while is_sending():
                pass

    @contextmanager
    def _sending(self, sendings: Iterable[Sending]) -> Iterator[Callable[[], bool]]:
        with http.client(self._clients.stack.endpoint, WORKERS) as client:
            entrances = senders(self._clients, client)
            with send(sendings, entrances, self._on_sent, workers=WORKERS, stop=self._stopping) as is_sending:
                yield is_sending
        self._pause(0)

    def _on_sent(self, sending: Sending, sent: Sent, _started: float) -> None:
        self.progress.sent += 1
        self.figures.sent_to[sending.entrance] += 1
        problem = sent.problem
        if sending.kind is Kind.MALFORMED and sending.entrance is Entrance.HTTP:
            if problem is None:
                problem = OperationError("The API accepted a malformed order.")
            elif isinstance(problem, RefusedError):
                self.figures.refused_by_api += 1
                problem = None
        if problem is not None and not self._stopping.is_set():
            raise problem

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
        """Wait until the queue is empty, `OrderDLQ` has `dead` messages and nothing is left to repair.

        If nothing changes any more, it ends, too: the audit then reports the missing orders.
        """
        seen: tuple[int, ...] = ()
        changed, runs = time.monotonic(), 0
        while time.monotonic() - changed < SETTLE_TIMEOUT or runs < FRUITLESS_RUNS:
            if not self._queued():
                found = self._reconcile()
                runs += 1
                if not found and dead in (None, self._dead()) and not self._queued():
                    return
            now = (self._queued(), self._dead(), self.figures.brought_back, self.figures.repaired)
            if now != seen:
                seen, changed, runs = now, time.monotonic(), 0
            self._pause(QUEUE_INTERVAL)

    def _reconcile(self) -> int:
        """Run `ReconcileOrders` as its schedule does every minute; return how much it found."""
        self.figures.reconciliations += 1
        try:
            outcome = self._reconciler.call({}, Outcome)
        except OperationError:
            return 1  # a fault hit it: it must run again
        self.figures.brought_back += outcome.swept
        self.figures.repaired += outcome.repaired
        return outcome.swept + outcome.repaired + outcome.drift

    def _depth(self, output: str) -> int:
        return queues.depth(self._clients.sqs, self._clients.stack.output(output)).total

    def _queued(self) -> int:
        self.progress.waiting = self._depth("queue_url")
        return self.progress.waiting

    def _dead(self) -> int:
        dead = self._depth("dead_letter_queue_url")
        self.progress.dead = dead
        self.figures.dead_at_most = max(self.figures.dead_at_most, dead - self._dead_before)
        return dead
