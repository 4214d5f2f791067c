"""Any messages, any faults, any order of things: when the dust has settled, every order is there once.

A `RuleBasedStateMachine`, because the faults and the workers' steps are a history that grows by what is
possible next, and because its shrunk examples are programs: they become tests in `test_found.py` as they are.
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

from tests.faults.cafe import WORKERS, Cafe, Street
from tests.faults.faults import LASTING, POSSIBLE, Boundary, Fault, Place, each
from tests.faults.messages import POISON, Form, Said

# `FAULTS_EXAMPLES=5000 make test ARGS=tests/faults` looks deeper, and elsewhere each time.
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
# Where others find work that is half done; the simplest is to go on to the end.
pauses: list[Until] = [None, *((boundary, None) for boundary in POSSIBLE if boundary.place in HALF_DONE)]
untils = st.one_of(st.sampled_from(pauses), st.sampled_from(list(each())))
workers = st.integers(0, WORKERS - 1)
# Few names, so that different orders come under the same one.
saids = st.builds(
    Said,
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
    """What of the visible messages a worker receives; others see what is shared at the same time."""

    first: int
    size: int
    worker: int = 0
    backwards: bool = False
    shared: bool = False
    counters_first: bool = False


batches = st.builds(
    Batch, st.integers(0, 9), st.integers(1, 6), workers, st.booleans(), st.booleans(), st.booleans()
)


class Trouble(Enum):
    """What concerns everybody."""

    RESTART = auto()
    ROTATION = auto()
    HALF_A_ROTATION = auto()  # the secret lags behind
    REFUSAL = auto()  # of one order, by DynamoDB
    ALL_IS_WELL_AGAIN = auto()

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


troubles = st.one_of(
    st.sampled_from(Trouble),
    st.sampled_from([(place, fault) for place, faults in LASTING.items() for fault in faults]),
)


class Faults(RuleBasedStateMachine):
    """A history of a cafe."""

    def __init__(self, street: Street) -> None:
        super().__init__()
        self._opened = street.cafe()
        self.cafe: Cafe = self._opened.__enter__()

    @initialize(orders=st.lists(saids, min_size=1, max_size=5))
    def open(self, orders: list[Said]) -> None:
        for said in orders:
            self.cafe.publish(said)

    @rule(said=saids | st.sampled_from(list(POISON)))
    def publish(self, said: Said | str) -> None:
        if isinstance(said, Said):
            self.cafe.publish(said)
        else:
            self.cafe.publish_poison(POISON[said])

    @precondition(lambda self: self.cafe.queue.messages)
    @rule(which=st.integers(0, 9))
    def deliver_again(self, which: int) -> None:
        messages = self.cafe.queue.messages
        self.cafe.deliver_again(messages[which % len(messages)])

    @precondition(lambda self: self.cafe.queue.deleted)
    @rule(which=st.integers(0, 9))
    def come_again(self, which: int) -> None:
        deleted = self.cafe.queue.deleted
        self.cafe.queue.come_again(deleted[which % len(deleted)])

    @precondition(lambda self: self.cafe.queue.dead)
    @rule(which=st.integers(0, 9), interrupted=st.booleans())
    def redrive(self, which: int, interrupted: bool) -> None:
        dead = self.cafe.queue.dead
        self.cafe.redrive(dead[which % len(dead)], interrupted=interrupted)

    @precondition(lambda self: self.cafe.idle and self.cafe.queue.visible)
    @rule(batch=batches, until=untils)
    def receive(self, batch: Batch, until: Until) -> None:
        self._receive(batch, until)

    @precondition(lambda self: len(self.cafe.idle) > 1 and self.cafe.queue.visible)
    @rule(batch=batches, until=untils, other=batches, others_until=untils)
    def receive_both(self, batch: Batch, until: Until, other: Batch, others_until: Until) -> None:
        self._receive(batch, until)
        if self.cafe.queue.visible:
            self._receive(other, others_until)

    def _receive(self, batch: Batch, until: Until) -> None:
        visible = self.cafe.queue.visible
        first = batch.first % len(visible)
        messages = (visible[first:] + visible[:first])[: batch.size]
        worker = self.cafe.idle[batch.worker % len(self.cafe.idle)]
        self.cafe.receive(
            worker,
            messages[::-1] if batch.backwards else messages,
            *(until or (None, None)),
            shared=batch.shared,
            counters_first=batch.counters_first,
        )

    @precondition(lambda self: self.cafe.idle)
    @rule(worker=workers, until=untils, is_audit=st.booleans())
    def reconcile(self, worker: int, until: Until, is_audit: bool) -> None:
        run = self.cafe.audit if is_audit else self.cafe.reconcile
        run(self.cafe.idle[worker % len(self.cafe.idle)], *(until or (None, None)))

    # While nobody holds a lock: the model itself would wait for it.
    @precondition(lambda self: self.cafe.queue.messages and not self.cafe.runs)
    @rule(which=st.integers(0, 9))
    def record_as_previous_release(self, which: int) -> None:
        messages = self.cafe.queue.messages
        self.cafe.record_as_previous_release(messages[which % len(messages)])

    @precondition(lambda self: self.cafe.standing)
    @rule(worker=workers, until=untils)
    def work(self, worker: int, until: Until) -> None:
        self._work(worker, until)

    @precondition(lambda self: len(self.cafe.standing) > 1)
    @rule(worker=workers, until=untils, other=workers, others_until=untils)
    def work_both(self, worker: int, until: Until, other: int, others_until: Until) -> None:
        self._work(worker, until)
        if self.cafe.standing:
            self._work(other, others_until)

    def _work(self, worker: int, until: Until) -> None:
        standing = self.cafe.standing
        self.cafe.work(standing[worker % len(standing)], *(until or (None, None)))

    @precondition(lambda self: self.cafe.processes)
    @rule(worker=workers)
    def kill(self, worker: int) -> None:
        processes = sorted(self.cafe.processes)
        self.cafe.kill(processes[worker % len(processes)])

    @rule(trouble=troubles)
    def meet(self, trouble: Trouble | tuple[Place, Fault]) -> None:
        cafe = self.cafe
        match trouble:
            case Trouble.ALL_IS_WELL_AGAIN:
                cafe.mend()
            case Trouble.RESTART:
                cafe.cut_connections()
            case Trouble.ROTATION | Trouble.HALF_A_ROTATION:
                cafe.rotate(secret_follows=trouble is Trouble.ROTATION)
            case Trouble.REFUSAL:
                cafe.refuse("A1")
            case place, fault:
                cafe.break_down(place, fault)

    @precondition(lambda self: self.cafe.late)
    @rule()
    def let_arrive(self) -> None:
        self.cafe.let_arrive()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:  # nothing has failed yet
                self.cafe.recover()
        finally:
            note("\n".join(self.cafe.history))
            self._opened.__exit__(None, None, None)


@pytest.mark.timeout(0 if DEEP else 900)
def test_every_order_is_recorded_once_whatever_happens(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Hypothesis would shrink for five minutes, and print nothing if it is stopped before.
    monkeypatch.setattr("hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS", SHRINKING)

    class FaultsHere(Faults):
        def __init__(self) -> None:
            super().__init__(street)

    run_state_machine_as_test(FaultsHere, settings=PROFILE)
