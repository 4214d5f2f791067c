"""The faults of a chaos run begin with their messages, and are repaired however the run ends."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from chaos.faults import Fault
from chaos.plan import Plan
from chaos.schedule import LONGEST, SHORTEST, FaultThread, Planned, StoppedError, schedule
from cli.errors import AnswerError


@pytest.fixture
def plan() -> Plan:
    return Plan(seed=7, run="r1", orders=1000)


def fault(name: str, log: list[str]) -> Fault:
    @contextlib.contextmanager
    def broken() -> Iterator[None]:
        log.append(f"{name} broken")
        try:
            yield
        finally:
            log.append(f"{name} repaired")

    return Fault(name=name, sentence=f"{name} is broken", broken=broken)


@pytest.mark.parametrize("messages", [110, 5_500, 110_000])
def test_every_fault_has_its_turn_and_all_have_as_many(plan: Plan, messages: int) -> None:
    faults = [fault(name, []) for name in ("a", "b", "c")]
    planned = schedule(faults, plan, messages)
    times = Counter(one.fault.name for one in planned)
    assert set(times) == {"a", "b", "c"}
    assert len(set(times.values())) == 1
    assert planned == sorted(planned, key=lambda one: one.at)
    assert all(0 < one.at < messages and SHORTEST <= one.seconds <= LONGEST for one in planned)
    assert planned == schedule(faults, plan, messages)


@pytest.fixture
def log() -> list[str]:
    return []


def thread(log: list[str], make: Callable[[Planned], None] | None = None) -> FaultThread:
    def at_once(planned: Planned) -> None:
        with planned.fault.broken():
            pass

    planned = [Planned(at=at, fault=fault(f"at {at}", log), seconds=0) for at in (2, 3)]
    return FaultThread(planned, make or at_once, time.sleep)


def test_a_fault_begins_with_its_message_and_not_before(log: list[str]) -> None:
    faults = thread(log)
    with faults.running():
        faults.reach(0)
        faults.reach(1)
        assert log == []
        faults.reach(2)
        faults.reach(3)
        faults.finish()
    assert log == ["at 2 broken", "at 2 repaired", "at 3 broken", "at 3 repaired"]


def test_a_fault_that_cannot_be_repaired_ends_the_run(log: list[str]) -> None:
    def fail(planned: Planned) -> None:
        raise OSError("the disk is full")

    faults = thread(log, fail)
    with faults.running(), pytest.raises(AnswerError, match="the disk is full"):
        faults.reach(3)


def test_a_run_that_is_stopped_waits_until_everything_is_repaired(log: list[str]) -> None:
    stopping = threading.Event()

    def pause(seconds: float) -> None:
        if stopping.wait(seconds):
            raise StoppedError

    def make(planned: Planned) -> None:
        with planned.fault.broken():
            pause(60)

    faults = FaultThread([Planned(at=0, fault=fault("it", log), seconds=60)], make, pause)

    def sending() -> None:
        with faults.running():
            faults.reach(0)
            stopping.set()
            faults.finish()

    with pytest.raises(StoppedError):
        sending()
    assert log == ["it broken", "it repaired"]
