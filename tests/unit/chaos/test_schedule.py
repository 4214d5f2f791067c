"""The faults of a chaos run begin with their messages, and are repaired however the run ends."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import pytest

from chaos.faults import Fault
from chaos.plan import Plan
from chaos.schedule import LONGEST, SHORTEST, Gate, Planned, StoppedError, schedule
from cli.traffic.plan import Sending


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

    return Fault(name, f"{name} is broken", broken)


@pytest.mark.parametrize("messages", [110, 5_500, 110_000])
def test_every_kind_of_fault_is_made_equally_often(plan: Plan, messages: int) -> None:
    faults = [fault(name, []) for name in ("a", "b", "c")]
    planned = schedule(faults, plan, messages)
    times = Counter(one.fault.name for one in planned)
    assert set(times) == {"a", "b", "c"}
    assert len(set(times.values())) == 1
    assert planned == sorted(planned, key=lambda one: one.at)
    assert all(0 < one.at < messages and SHORTEST <= one.seconds <= LONGEST for one in planned)
    assert planned == schedule(faults, plan, messages)


def planned(*positions: int) -> list[Planned]:
    return [
        Planned(at=at, fault=Fault("it", "it is broken", contextlib.nullcontext), seconds=0)
        for at in positions
    ]


def sendings(number: int) -> list[Sending]:
    return [Sending(number=each, body="") for each in range(number)]


def test_a_message_waits_until_the_faults_before_it_have_begun() -> None:
    pauses: list[int] = []

    def pause(_seconds: float) -> None:
        pauses.append(len(passed))
        gate.let_pass()

    passed: list[int] = []
    gate = Gate(sendings(5), planned(2, 2, 4), pause)
    passed.extend(sending.number for sending in gate)
    assert passed == [0, 1, 2, 3, 4]
    assert pauses == [2, 2, 4]
    assert not gate.is_holding


def test_a_run_that_is_stopped_ends_while_messages_wait() -> None:
    def pause(_seconds: float) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        list(Gate(sendings(5), planned(2), pause))


def test_after_a_failure_no_message_is_held_back() -> None:
    def pause(_seconds: float) -> None:
        raise AssertionError

    gate = Gate(sendings(5), planned(2), pause)
    with contextlib.suppress(OSError), gate.open_at_end():
        raise OSError
    assert len(list(gate)) == 5
