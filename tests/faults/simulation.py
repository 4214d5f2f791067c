"""A simulation of the system: a queue, up to four workers on real code, and both stores."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from botocore.exceptions import ClientError

from stores.mysql.login import Login
from tests.dynamodb import DynamoDbTables
from tests.faults.faults import Boundary, Fault, Place
from tests.faults.invariants import ZONE, Invariants
from tests.faults.messages import NewOrder, RecordedOrder, envelope, with_identity
from tests.faults.mysql import Database
from tests.faults.process import TIMEOUT, Process
from tests.faults.queue import MAX_RECEIVES, Message, Queue
from tests.faults.runs import Audit, Reconciliation, Run
from tests.waiting import eventually

WORKERS = 4
# Close to midnight in Berlin, to the end of daylight saving time and to the hour that occurs twice.
START = datetime(2026, 10, 24, 21, 15, 0, 123000, tzinfo=UTC)
BETWEEN_MESSAGES = timedelta(minutes=25)
_password_numbers = count(1)


class Simulation:
    """One history, from empty stores until everything is recorded.

    Parameters
    ----------
    login
        The application's.
    """

    def __init__(self, database: Database, tables: DynamoDbTables, login: Login) -> None:
        self.database = database
        self.tables = tables
        self.login = login
        """The login in the secret."""
        self.zone = ZONE
        self.queue = Queue()
        self.now = START
        self.session_timeout = TIMEOUT
        """Seconds after which the database ends an idle session."""
        self.faults: dict[Place, Fault] = {}
        """Faults that hit every run, at each boundary before such a place."""
        self.refused: set[str] = set()
        """Ids of the orders that DynamoDB refuses."""
        self.late: list[Callable[[], object]] = []
        """Writes that arrive after their sender's time-out."""
        self.runs: dict[int, Run] = {}
        self.processes: dict[int, Process] = {}
        self.history: list[str] = []
        self._invariants = Invariants(database, tables, lambda: self.now)
        self._first_password = login.password
        self._next_password: str | None = None
        self._notifications = 0
        database.execute("DELETE FROM orders")
        database.execute("DELETE FROM counters")
        tables.items.clear()

    # --- messages -------------------------------------------------------------------------------------

    def publish(self, order: NewOrder) -> Message:
        """Send an order in its form."""
        self.now += BETWEEN_MESSAGES
        body = order.message()
        order_id = order.order_id
        if order.form.in_envelope:
            self._notifications += 1
            order_id = order_id or f"sns-{self._notifications}"
            body = envelope(body, f"sns-{self._notifications}", self.now)
        message = self.queue.send(body, self.now)
        self._invariants.expect(message, RecordedOrder.of(order, order_id or message.message_id, self.now))
        self.note(f"{message.message_id} is sent: {order}")
        return message

    def publish_malformed(self, body: str) -> Message:
        """Send a message without a valid order."""
        message = self.queue.send(body, self.now)
        self._invariants.expect(message, None)
        self.note(f"{message.message_id} is sent: malformed {body[:60]}")
        return message

    def deliver_again(self, message: Message) -> Message:
        """Deliver a message twice: a notification by SNS, a bare order by its publisher."""
        self.now += BETWEEN_MESSAGES
        copy = self.queue.send(message.body, self.now)
        order = self._invariants.order_in[message.message_id]
        if order is not None and "Notification" not in message.body:
            has_own_id = order.order_id != message.message_id
            order_id = order.order_id if has_own_id else copy.message_id
            order = dataclasses.replace(order, created_at=self.now, order_id=order_id)
        self._invariants.expect(copy, order)
        self.note(f"{copy.message_id} is sent: {message.message_id} again")
        return copy

    def redrive(self, message: Message, *, interrupted: bool = False) -> Message:
        """Send a dead letter again as `cafe dlq redrive` does: a new message that carries its identity.

        Interrupted, the copy is sent and the dead letter is not deleted yet.
        """
        self.now += timedelta(days=1)
        copy = self.queue.send(with_identity(message.body, message.message_id, message.sent_at), self.now)
        self._invariants.expect(copy, self._invariants.order_in[message.message_id])
        if not interrupted:
            self.queue.dead.remove(message)
            self._invariants.redriven.add(message.message_id)
        self.note(f"{copy.message_id} is {message.message_id} redriven{', which stays' * interrupted}")
        return copy

    def record_as_previous_release(self, message: Message) -> None:
        """Insert the order of a message as a release without counters in MySQL did, and stop there."""
        order = self._invariants.order_in[message.message_id]
        if order is not None:
            self.note(f"the previous release inserts {message.message_id}")
            self.database.execute(
                "INSERT IGNORE INTO orders (order_id, created_at, item, quantity, customer_name, attributes)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                *(order.order_id, order.created_at.replace(tzinfo=None)),
                *(order.item, order.quantity, order.customer_name, order.attributes),
            )

    # --- runs -----------------------------------------------------------------------------------------

    @property
    def idle(self) -> list[int]:
        """The workers without a run."""
        return [number for number in range(WORKERS) if number not in self.runs]

    @property
    def paused(self) -> list[int]:
        """The workers whose runs are paused at a boundary."""
        return [number for number, run in sorted(self.runs.items()) if not run.waits]

    def receive(
        self,
        worker: int,
        messages: Sequence[Message],
        stop: Boundary | None = None,
        then: Fault | None = None,
        *,
        shared: bool = False,
        counters_first: bool = False,
    ) -> None:
        """Have a worker receive a batch and process it, to a boundary or to the end.

        Shared messages can be received again at once: they are delivered twice, or their visibility timeout
        ends during the run. DynamoDB's writes may run in any order, such as counters first.
        """
        batch = self.queue.receive(messages)
        if not batch:
            return
        run = Run(f"worker {worker}", self, self._process(worker), batch, counters_first=counters_first)
        self.note(f"{run.name} receives {[message.message_id for message in batch]}{', shared' * shared}")
        for message in batch:
            message.holder = None if shared else run
        self._start(worker, run, stop, then)

    def reconcile(self, worker: int, stop: Boundary | None = None, then: Fault | None = None) -> None:
        """Run the reconciler in a worker's process, to a boundary or to the end."""
        tables = self.database.read()
        counted = tables.rows.keys() - tables.uncounted
        self._start(
            worker, Reconciliation(f"reconciler {worker}", self, self._process(worker), counted), stop, then
        )

    def audit(self, worker: int, stop: Boundary | None = None, then: Fault | None = None) -> None:
        """Run the audit in a worker's process, to a boundary or to the end."""
        self._start(worker, Audit(f"audit {worker}", self, self._process(worker)), stop, then)

    def resume(self, worker: int, stop: Boundary | None = None, then: Fault | None = None) -> None:
        """Resume a paused run, to a boundary or to the end."""
        self.runs[worker].resume(stop, then)
        self._settle()
        self._invariants.check()

    def acquires_lock(self, worker: int, limit: float) -> bool:
        """Return whether a run that waits for a lock gets it in time."""

        def has_lock() -> bool:
            self._settle()
            return worker in self.paused

        try:
            return bool(eventually(has_lock, limit))
        except pytest.fail.Exception:
            return False

    def kill(self, worker: int) -> None:
        """End a worker's process, also while it waits for a lock."""
        self.note(f"worker {worker} is killed")
        if run := self.runs.get(worker):
            run.kill()
        self.processes.pop(worker).end()
        self._settle()

    def _process(self, worker: int) -> Process:
        if worker not in self.processes:
            self.processes[worker] = Process(self)
        return self.processes[worker]

    def _start(self, worker: int, run: Run, stop: Boundary | None, then: Fault | None) -> None:
        self.runs[worker] = run
        self.resume(worker, stop, then)

    def _settle(self) -> None:
        """Retry the statements that wait for locks, and remove the runs that have ended."""
        for worker, run in sorted(self.runs.items()):
            if run.waits:
                run.retry()
            if run.dead:
                self._end(worker, self.runs.pop(worker))

    def _end(self, worker: int, run: Run) -> None:
        if run.error is not None:
            raise AssertionError(f"{run.name}: the handler raised an error") from run.error
        if run.gone:
            self.processes.pop(worker, None)
        self.queue.release(run)
        if isinstance(run, Reconciliation):
            self._invariants.check_outcome(run)
        if run.response is None:
            self.note(f"{run.name} ended without a response")
            return
        failed = {failure["itemIdentifier"] for failure in run.response["batchItemFailures"]}
        self.note(f"{run.name} has ended; failed: {sorted(failed)}")
        received = {message.message_id for message in run.batch}
        assert failed <= received, "Lambda takes a response with an unknown message id for a failure of all"
        done = self._invariants.check_response(run, failed)
        for message in done[:: 2 if run.deletes_half else 1]:
            self.queue.delete(message)

    # --- faults ---------------------------------------------------------------------------------------

    def inject(self, place: Place, fault: Fault) -> None:
        """Have a fault hit every run from now on, before each call of such a place."""
        self.note(f"from now on, {place.value}: {fault.name}")
        self.faults[place] = fault

    def refuse(self, order_id: str) -> None:
        """Have DynamoDB refuse an order from now on."""
        self.note(f"from now on, DynamoDB refuses {order_id}")
        self.refused.add(order_id)

    def end_faults(self) -> None:
        """End all faults that last."""
        self.note("all faults end")
        self.faults.clear()
        self.refused.clear()

    def cut_connections(self) -> None:
        """Cut every worker's connection, as a restart of the database does."""
        self.note("the database is restarted")
        for process in self.processes.values():
            if process.connection is not None and process.connection.open:
                self.database.cut(process.connection.connection_id)
        self._settle()

    def rotate(self, *, update_secret: bool) -> None:
        """Change the application's password, and the secret now or later."""
        self._next_password = f"password {next(_password_numbers)}"
        self._change_password(self._next_password)
        self.note("the login is rotated" + (", the secret not yet" if not update_secret else ""))
        if update_secret:
            self.update_secret()

    def update_secret(self) -> None:
        """Write the password of the last rotation into the secret."""
        if self._next_password is not None:
            self.login = dataclasses.replace(self.login, password=self._next_password)

    def _change_password(self, password: str) -> None:
        self.database.execute("ALTER USER %s@'%%' IDENTIFIED BY %s", self.login.username, password)

    def miscount(self, name: str, by: int) -> None:
        """Make a counter in MySQL wrong."""
        self.note(f"{name} is wrong by {by}")
        statement = "UPDATE counters SET value = value + %s, version = version + 1 WHERE name = %s"
        self.database.execute(statement, by, name)
        self._invariants.errors[name] += by
        self._invariants.check()

    def expect_corrected(self) -> None:
        """Expect the counters to be right again after the next step."""
        self._invariants.errors.clear()

    def change_versions(self, microseconds: int) -> None:
        """Move the versions of MySQL's counters, as if the server's clock had been changed."""
        self.note(f"versions are moved by {microseconds} microseconds")
        self.database.execute("UPDATE counters SET version = version + %s", microseconds)
        self._invariants.check()

    def deliver_late_write(self) -> None:
        """Let a write arrive whose sender has timed out."""
        self.note("a late write arrives")
        write = self.late.pop(0)
        try:
            write()
        except ClientError:
            self.note("... and is refused")
        self._invariants.check()

    # --- the end --------------------------------------------------------------------------------------

    def recover(self) -> None:
        """End all faults, empty the queue, redrive what can be recorded; check that all is recorded once."""
        self.end_faults()
        self.update_secret()
        self._finish_runs()
        for turn in count():
            assert turn < 99, "the queue is never empty"
            for message in [dead for dead in self.queue.dead if self._invariants.is_recordable(dead)]:
                self.redrive(message)
            if not self.queue.messages:
                break
            self._serve(turn % WORKERS, self.queue.visible[:10])
        # Every process must still work: one more order for each.
        for worker in sorted(self.processes):
            self._serve(worker, [self.publish(NewOrder(f"probe-{worker}", "Tea"))])
        while self.late:
            self.deliver_late_write()
        self.reconcile(0)
        self.check()

    def check(self) -> None:
        """Check that every order is recorded once."""
        self._invariants.check_end(self.queue)

    def projected(self, name: str) -> int:
        """Return the value of a counter in DynamoDB."""
        return self._invariants.projected()[name].value

    def close(self) -> None:
        """End every run and process, and restore the password."""
        for run in self.runs.values():
            run.kill()
        for process in self.processes.values():
            process.end()
        if self._next_password is not None:
            self._change_password(self._first_password)

    def note(self, line: str) -> None:
        """Add a line to the history, which explains a failure."""
        self.history.append(line)

    def _finish_runs(self) -> None:
        for run in self.runs.values():
            run.cancel_fault()
        while self.runs:
            self._settle()
            if self.runs:
                assert self.paused, "all runs wait for locks"
                self.resume(self.paused[0])

    def _serve(self, worker: int, messages: Sequence[Message]) -> None:
        """Have a worker process messages without faults: every order in them must be recorded at once."""
        fresh = [message for message in messages if message.receives < MAX_RECEIVES]
        self.receive(worker, messages)
        assert worker not in self.runs, "it waits for a lock that no run holds"
        left = {id(message) for message in self.queue.messages}
        stuck = [
            message for message in fresh if id(message) in left and self._invariants.is_recordable(message)
        ]
        assert not stuck, f"not recorded without a fault: {[m.message_id for m in stuck]}"
