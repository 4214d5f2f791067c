"""A chaos run sends its messages while faults last, and repairs them however it ends."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from chaos import run
from chaos.faults import Fault
from chaos.plan import LONGEST, SHORTEST, Plan
from chaos.run import ChaosRun, Settings, StoppedError
from cli import queues
from cli.kitchen import Kitchen
from cli.reconciler import Reconciler
from cli.stack import Stack
from cli.traffic.entrances import Sender, Sent
from cli.traffic.plan import Entrance, Sending

KINDS = ("a", "b", "c")
MESSAGES = 110  # of a hundred orders


@pytest.mark.parametrize("messages", [110, 5_500, 110_000])
def test_every_kind_of_fault_is_made_equally_often(messages: int) -> None:
    plan = Plan(seed=7, run="r1", orders=1000)
    faults = plan.faults(KINDS, messages)
    times = Counter(kind for kind, _ in faults)
    assert set(times) == set(KINDS)
    assert len(set(times.values())) == 1
    assert all(SHORTEST <= seconds <= LONGEST for _, seconds in faults)
    assert faults == plan.faults(KINDS, messages)


@pytest.mark.parametrize("messages", [100, 110, 550])
def test_moves_never_add_more_faults_than_there_are_messages_to_share(messages: int) -> None:
    kinds = range(8)
    faults = Plan(seed=7, run="r1", orders=100).faults(kinds, messages, moves=1_000_000)
    times = Counter(kind for kind, _ in faults)
    assert set(times) == set(kinds)
    assert len(set(times.values())) == 1
    assert messages - len(kinds) <= len(faults) + 1 <= messages


class Log:
    """Events of a run: messages, and the begin and end of each fault."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def fault(self, name: str) -> Fault:
        @contextlib.contextmanager
        def broken() -> Iterator[None]:
            self.events.append("broken")
            try:
                yield
            finally:
                self.events.append("repaired")

        return Fault(name, f"{name} is broken", broken, harm=lambda: self.events.count("message"))

    def send(self, sendings: Sequence[Sending]) -> list[Sent]:
        self.events += ["message"] * len(sendings)
        return [Sent(order_id="o") for _ in sendings]

    def messages_until(self, event: str) -> list[int]:
        """Return the number of messages until each of some events."""
        positions = [position for position, each in enumerate(self.events) if each == event]
        return [self.events[:position].count("message") for position in positions]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def chaos_run(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChaosRun:
    """A run with three faults, each of which lasts until a message is sent."""
    monkeypatch.setattr("chaos.plan.SHORTEST", 0.0)
    monkeypatch.setattr("chaos.plan.LONGEST", 0.0)
    monkeypatch.setattr("cli.traffic.send.INTERVAL", 0.01)
    monkeypatch.setattr(run, "WORKERS", 1)
    monkeypatch.setattr(run, "Faults", lambda *_: Mock(faults=[log.fault(kind) for kind in KINDS]))
    monkeypatch.setattr(run, "senders", lambda *_: {entrance: Sender(1, log.send) for entrance in Entrance})
    monkeypatch.setattr(queues, "depth", lambda *_: queues.Depth(waiting=0, in_flight=0))
    monkeypatch.setattr(Reconciler, "of", Mock())
    monkeypatch.setattr(Kitchen, "of", Mock())
    outputs = dict.fromkeys(("queue_url", "dead_letter_queue_url"), "http://queue")
    stack = Stack(name="local", outputs=outputs, region="us-east-1", endpoint="http://127.0.0.1:9")
    settings = Settings(orders=100, moves=0, seed=7, run="r1", outage=False, keep=False)
    made = ChaosRun(Mock(stack=stack), tmp_path, settings)
    made.progress.messages = MESSAGES
    monkeypatch.setattr(made, "_on_sent", lambda *_: None)
    return made


def test_a_share_of_the_messages_is_sent_once_each_fault_has_begun(chaos_run: ChaosRun, log: Log) -> None:
    chaos_run._send_with_faults()
    assert log.messages_until("broken") == [29, 56, 83]
    assert all(
        sent > before for before, sent in zip([29, 56, 83], log.messages_until("repaired"), strict=True)
    )
    assert log.events.count("message") == MESSAGES
    assert chaos_run.figures.faults == dict.fromkeys(KINDS, 1)


def test_every_fault_has_a_message_however_many_moves_are_wanted(chaos_run: ChaosRun, log: Log) -> None:
    chaos_run.settings = dataclasses.replace(chaos_run.settings, moves=100_000)
    chaos_run._sendings = chaos_run.plan.sendings  # type: ignore[method-assign]  # without waiting for moves
    chaos_run._send_with_faults()
    before = log.messages_until("broken")
    assert len(before) == MESSAGES - 2  # the kinds are three
    assert all(sent > at for at, sent in zip(before, log.messages_until("repaired"), strict=True))
    assert log.events.count("message") == MESSAGES


def test_a_run_that_is_stopped_repairs_its_fault(
    chaos_run: ChaosRun, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        if "broken" in log.events:
            chaos_run.stop()

    monkeypatch.setattr(chaos_run, "_on_sent", stop)
    with pytest.raises(StoppedError):
        chaos_run._send_with_faults()
    assert log.events.count("broken") == log.events.count("repaired") == 1
    assert log.events.count("message") < MESSAGES


def test_a_run_that_cannot_send_repairs_its_fault(
    chaos_run: ChaosRun, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        if "broken" in log.events:
            raise OSError

    monkeypatch.setattr(chaos_run, "_on_sent", fail)
    with pytest.raises(OSError):  # noqa: PT011
        chaos_run._send_with_faults()
    assert log.events[-1] == "repaired"


def test_an_unexpected_error_of_the_staff_ends_a_run_that_waits_for_moves(chaos_run: ChaosRun) -> None:
    chaos_run.settings = dataclasses.replace(chaos_run.settings, moves=100_000)
    chaos_run._staff._kitchen.board = Mock(side_effect=KeyError("boards"))  # type: ignore[method-assign]
    with pytest.raises(KeyError, match="boards"), chaos_run._staff.working():
        chaos_run._wait_for_moves(MESSAGES)
