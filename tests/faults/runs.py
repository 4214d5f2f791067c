"""Runs of the worker's real code as coroutines: one runs at a time, from one boundary to the next.

The simulation chooses which run resumes, how far it goes and which fault hits it there, whatever the timing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from greenlet import GreenletExit, getcurrent, greenlet  # type: ignore[import-untyped]

import order_processor
from orders.audit import audit
from orders.failures import StoreUnavailableError
from orders.reconciliation import Outcome
from orders.sync import RdsOrders
from stores.mysql.audit import AuditDatabase
from tests.faults.faults import Boundary, Fault, Place, after, before
from tests.faults.queue import Message

if TYPE_CHECKING:
    from tests.faults.process import Process
    from tests.faults.simulation import Simulation

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # before every order


class UnexpectedError(Exception):
    """An error that no code handles."""


class Run(greenlet):  # type: ignore[misc]  # greenlet has no types
    """One batch in one process."""

    def __init__(
        self,
        name: str,
        simulation: Simulation,
        process: Process,
        batch: Sequence[Message] = (),
        *,
        counters_first: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.batch = list(batch)
        self.counters_first = counters_first
        """DynamoDB's writes run concurrently: they may arrive in any order."""
        self.process = process
        self.simulation = simulation
        self.position: Boundary | None = None
        """The boundary at which it is paused."""
        self.waits = False
        """Its statement needs a row that another transaction has locked."""
        self.response: order_processor.BatchResponse | None = None
        self.reasons: dict[str, str] = {}
        """The reasons of failures by SQS's message id."""
        self.deletes_half = False
        self.gone = False
        self.error: BaseException | None = None
        self._stop: Boundary | None = None
        self._fault_at_stop: Fault | None = None

    def resume(self, stop: Boundary | None = None, then: Fault | None = None) -> None:
        """Run to a boundary or to the end; `then` hits it when it resumes from that boundary."""
        fault, self._stop, self._fault_at_stop = self._fault_at_stop, stop, then
        self.position = None
        self.switch(fault)

    def retry(self) -> None:
        """Send the statement again that waits for a lock."""
        self.switch()

    def kill(self) -> None:
        """End it as a killed process ends: in the middle of a step."""
        self.gone, self.waits = True, False
        self.throw(GreenletExit)
        self.process.end()

    def cancel_fault(self) -> None:
        """Cancel the fault that was to hit it at its boundary."""
        self._fault_at_stop = None

    def reach(self, boundary: Boundary) -> Fault | None:
        """Pause at a boundary if the simulation wants it, and return the fault that happens there."""
        self._exit_if_gone()
        fault = self._pause(boundary) if self.waits or boundary == self._stop else None
        if fault is None and not boundary.after:
            fault = self.simulation.faults.get(boundary.place)
        if fault is not None:
            self.simulation.note(f"{self.name} {boundary}: {fault.name}")
        if fault is Fault.PROCESS_GONE:
            self.gone = True
            self.process.end()
            raise GreenletExit
        if fault is Fault.EXCEPTION:
            raise UnexpectedError
        return fault

    def wait_for_lock(self) -> None:
        """Wait until the simulation lets the statement be sent again."""
        if not self.waits:
            self.simulation.note(f"{self.name} waits for a lock")
        self.waits = True
        self.parent.switch()

    def fail_statement(self) -> None:
        """Pause where a statement failed that had waited for a lock: other runs have got ahead."""
        self._exit_if_gone()
        if self.waits:
            self._pause(after(Place.STATEMENT))

    def run(self, _: object) -> None:
        """Run to the end; `resume` starts it."""
        try:
            self.reach(before(Place.BATCH))
            self.handle()
        except (GreenletExit, UnexpectedError):
            pass
        except BaseException as error:  # noqa: BLE001
            self.error = error

    def handle(self) -> None:
        """Call the worker's handler."""
        event = {"Records": [message.record() for message in self.batch]}
        response = order_processor.handler(event, None)
        self.deletes_half = self.reach(before(Place.RESPONSE)) is Fault.HALF_DELETED
        self.response = response

    def _exit_if_gone(self) -> None:
        if self.gone:
            raise GreenletExit

    def _pause(self, boundary: Boundary) -> Fault | None:
        if boundary != self._stop:
            self._fault_at_stop = None
        self.waits = False
        self.simulation.note(f"{self.name} pauses {boundary}")
        self.position = boundary
        fault: Fault | None = self.parent.switch()
        return fault


class Reconciliation(Run):
    """The reconciler's scheduled run, in a worker's process."""

    def __init__(self, name: str, simulation: Simulation, process: Process, counted: set[str]) -> None:
        super().__init__(name, simulation, process)
        self.outcome = Outcome()
        self.counted = counted
        """The orders that were counted when it began."""

    def handle(self) -> None:
        """Count the uncounted rows, and compare everything that was recorded."""
        try:
            self.process.reconciler.recent(RdsOrders(compared_until=EPOCH), self.outcome)
        except StoreUnavailableError as error:
            self.outcome.unchecked = str(error)


class Audit(Run):
    """The reconciler's hourly audit, in a worker's process."""

    def handle(self) -> None:
        """Correct every counter that is wrong."""
        try:
            audit(AuditDatabase(self.process.mysql), self.simulation.zone, lambda: 1.0)
        except StoreUnavailableError as error:
            self.simulation.note(f"{self.name}: {error}")


def current() -> Run | None:
    """Return the run whose code is running."""
    running = getcurrent()
    return running if isinstance(running, Run) else None
