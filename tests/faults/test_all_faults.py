"""Any messages, any faults, in any order: in the end, every order is recorded once.

A `RuleBasedStateMachine`, because the next possible step depends on those before it, and because its shrunk
examples are programs: they become tests in `test_regressions.py` as they are.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.faults.faults import LASTING, POSSIBLE, Boundary, Fault, Place, each
from tests.faults.messages import MALFORMED, Form, NewOrder
from tests.faults.simulation import WORKERS, Simulation
from tests.faults.simulations import Simulations

# `FAULTS_EXAMPLES=5000 make test ARGS=tests/faults` searches longer, with other examples each time.
DEEP = int(os.environ.get("FAULTS_EXAMPLES", "0"))
SHRINKING = 300 if DEEP else 40  # seconds
PROFILE = settings(
    max_examples=DEEP or 80,
    stateful_step_count=50 if DEEP else 25,
    derandomize=not DEEP,
    database=None,
    deadline=None,
    print_blob=bool(DEEP),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

HALF_DONE = {Place.STATEMENT, Place.COMMIT, Place.READ, Place.PUT, Place.UPDATE, Place.RESPONSE}
Until = tuple[Boundary, Fault | None] | None
# Boundaries at which others find half-done work; the simplest is to run to the end.
pauses: list[Until] = [None, *((boundary, None) for boundary in POSSIBLE if boundary.place in HALF_DONE)]
untils = st.one_of(st.sampled_from(pauses), st.sampled_from(list(each())))
workers = st.integers(0, WORKERS - 1)
# Few ids, so that different orders have the same one.
new_orders = st.builds(
    NewOrder,
    order_id=st.sampled_from([None, None, "A1", "a1", "O:2"]),
    item=st.sampled_from(["Latte", "Tea", "Café crème ☕"]),
    quantity=st.integers(1, 3),
    customer_name=st.sampled_from(["Ann", "Zoë"]),
    attributes=st.sampled_from(
        [
            {},
            {"table_number": 4},
            {"tip": Decimal("0.123456789012345678"), "note": {"deep": [None, True, "é"]}},
        ]
    ),
    form=st.sampled_from(Form),
)


@dataclass(frozen=True)
class Batch:
    """A selection of the visible messages for a worker; shared ones stay visible."""

    first: int
    size: int
    worker: int = 0
    backwards: bool = False
    shared: bool = False
    counters_first: bool = False


batches = st.builds(
    Batch, st.integers(0, 9), st.integers(1, 6), workers, st.booleans(), st.booleans(), st.booleans()
)


class Incident(Enum):
    """An incident that concerns every worker."""

    RESTART = auto()
    ROTATION = auto()
    ROTATION_WITHOUT_SECRET = auto()  # the secret follows later
    REFUSAL = auto()  # of one order, by DynamoDB
    END_OF_FAULTS = auto()

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


incidents = st.one_of(
    st.sampled_from(Incident),
    st.sampled_from([(place, fault) for place, faults in LASTING.items() for fault in faults]),
)


class Faults(RuleBasedStateMachine):
    """A simulation, step by step."""

    def __init__(self, simulations: Simulations) -> None:
        super().__init__()
        self._context = simulations.start()
        self.simulation: Simulation = self._context.__enter__()

    @initialize(orders=st.lists(new_orders, min_size=1, max_size=5))
    def start(self, orders: list[NewOrder]) -> None:
        for order in orders:
            self.simulation.publish(order)

    @rule(order=new_orders | st.sampled_from(list(MALFORMED)))
    def publish(self, order: NewOrder | str) -> None:
        if isinstance(order, NewOrder):
            self.simulation.publish(order)
        else:
            self.simulation.publish_malformed(MALFORMED[order])

    @precondition(lambda self: self.simulation.queue.messages)
    @rule(which=st.integers(0, 9))
    def deliver_again(self, which: int) -> None:
        messages = self.simulation.queue.messages
        self.simulation.deliver_again(messages[which % len(messages)])

    @precondition(lambda self: self.simulation.queue.deleted)
    @rule(which=st.integers(0, 9))
    def reappear(self, which: int) -> None:
        deleted = self.simulation.queue.deleted
        self.simulation.queue.reappear(deleted[which % len(deleted)])

    @precondition(lambda self: self.simulation.queue.dead)
    @rule(which=st.integers(0, 9), interrupted=st.booleans())
    def redrive(self, which: int, interrupted: bool) -> None:
        dead = self.simulation.queue.dead
        self.simulation.redrive(dead[which % len(dead)], interrupted=interrupted)

    @precondition(lambda self: self.simulation.idle and self.simulation.queue.visible)
    @rule(batch=batches, until=untils)
    def receive(self, batch: Batch, until: Until) -> None:
        self._receive(batch, until)

    @precondition(lambda self: len(self.simulation.idle) > 1 and self.simulation.queue.visible)
    @rule(batch=batches, until=untils, other=batches, others_until=untils)
    def receive_both(self, batch: Batch, until: Until, other: Batch, others_until: Until) -> None:
        self._receive(batch, until)
        if self.simulation.queue.visible:
            self._receive(other, others_until)

    def _receive(self, batch: Batch, until: Until) -> None:
        visible = self.simulation.queue.visible
        first = batch.first % len(visible)
        messages = (visible[first:] + visible[:first])[: batch.size]
        worker = self.simulation.idle[batch.worker % len(self.simulation.idle)]
        self.simulation.receive(
            worker,
            messages[::-1] if batch.backwards else messages,
            *(until or (None, None)),
            shared=batch.shared,
            counters_first=batch.counters_first,
        )

    @precondition(lambda self: self.simulation.idle)
    @rule(worker=workers, until=untils, is_audit=st.booleans())
    def reconcile(self, worker: int, until: Until, is_audit: bool) -> None:
        run = self.simulation.audit if is_audit else self.simulation.reconcile
        run(self.simulation.idle[worker % len(self.simulation.idle)], *(until or (None, None)))

    # While no run holds a lock: the simulation itself would wait for it.
    @precondition(lambda self: self.simulation.queue.messages and not self.simulation.runs)
    @rule(which=st.integers(0, 9))
    def record_as_previous_release(self, which: int) -> None:
        messages = self.simulation.queue.messages
        self.simulation.record_as_previous_release(messages[which % len(messages)])

    @precondition(lambda self: self.simulation.paused)
    @rule(worker=workers, until=untils)
    def resume(self, worker: int, until: Until) -> None:
        self._resume(worker, until)

    @precondition(lambda self: len(self.simulation.paused) > 1)
    @rule(worker=workers, until=untils, other=workers, others_until=untils)
    def resume_both(self, worker: int, until: Until, other: int, others_until: Until) -> None:
        self._resume(worker, until)
        if self.simulation.paused:
            self._resume(other, others_until)

    def _resume(self, worker: int, until: Until) -> None:
        paused = self.simulation.paused
        self.simulation.resume(paused[worker % len(paused)], *(until or (None, None)))

    @precondition(lambda self: self.simulation.processes)
    @rule(worker=workers)
    def kill(self, worker: int) -> None:
        processes = sorted(self.simulation.processes)
        self.simulation.kill(processes[worker % len(processes)])

    @rule(incident=incidents)
    def happen(self, incident: Incident | tuple[Place, Fault]) -> None:
        simulation = self.simulation
        match incident:
            case Incident.END_OF_FAULTS:
                simulation.end_faults()
            case Incident.RESTART:
                simulation.cut_connections()
            case Incident.ROTATION | Incident.ROTATION_WITHOUT_SECRET:
                simulation.rotate(update_secret=incident is Incident.ROTATION)
            case Incident.REFUSAL:
                simulation.refuse("A1")
            case place, fault:
                simulation.inject(place, fault)

    @precondition(lambda self: self.simulation.late)
    @rule()
    def deliver_late_write(self) -> None:
        self.simulation.deliver_late_write()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:  # nothing has failed yet
                self.simulation.recover()
        finally:
            note("\n".join(self.simulation.history))
            self._context.__exit__(None, None, None)


@pytest.mark.timeout(0 if DEEP else 900)
def test_every_order_is_recorded_once_under_any_faults(
    simulations: Simulations, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Hypothesis would shrink for five minutes, and print nothing if it is stopped before.
    monkeypatch.setattr("hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS", SHRINKING)

    class FaultsHere(Faults):
        def __init__(self) -> None:
            super().__init__(simulations)

    run_state_machine_as_test(FaultsHere, settings=PROFILE)
