"""`cafe chaos` without a stack: what it sends, when it breaks what, and whether its auditor sees it all."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import main
from cli.chaos import command
from cli.chaos.books import Check, Seen
from cli.chaos.faults import Fault
from cli.chaos.figures import Figures, Progress
from cli.chaos.orders import Plan, Sending
from cli.chaos.schedule import LONGEST, SHORTEST, Lane, Planned, StoppedError, schedule
from cli.chaos.states import Moved
from cli.errors import AnswerError
from orders.message import parse_batch
from orders.request import parse

ORDERS = 1000


@pytest.fixture
def plan() -> Plan:
    return Plan(seed=7, run="r1", orders=ORDERS)


def test_a_seed_says_everything_and_another_something_else(plan: Plan) -> None:
    same, other = Plan(seed=7, run="r1", orders=ORDERS), Plan(seed=8, run="r1", orders=ORDERS)
    assert list(plan.sendings()) == list(same.sendings())
    assert [s.number for s in plan.sendings()] != [s.number for s in other.sendings()]


def test_of_a_hundred_orders_one_is_malformed_and_ten_come_twice(plan: Plan) -> None:
    counted = plan.count()
    assert counted["malformed"] + counted["refused"] == ORDERS // 100
    assert counted["duplicates"] == ORDERS // 10
    sent = Counter(sending.number for sending in plan.sendings())
    assert sorted(sent) == list(range(ORDERS))
    assert Counter(sent.values()) == {1: ORDERS * 9 // 10, 2: ORDERS // 10}


def test_orders_come_out_of_order_and_by_every_door(plan: Plan) -> None:
    sendings = list(plan.sendings())
    numbers = [sending.number for sending in sendings]
    assert numbers != sorted(numbers)
    assert {sending.door for sending in sendings} == {"topic", "queue", "http"}
    twice = {number for number, times in Counter(numbers).items() if times == 2}
    doors = {number: {s.door for s in sendings if s.number == number} for number in twice}
    assert any(len(ways) > 1 for ways in doors.values())
    # The API gave it its id: no other publisher can send it again.
    assert {"http"} in doors.values()
    assert all(ways == {"http"} for ways in doors.values() if "http" in ways)


def record(sending: Sending) -> dict[str, object]:
    return {
        "messageId": f"m-{sending.number}",
        "body": sending.body,
        "attributes": {"SentTimestamp": "1763800000000"},
    }


def test_the_worker_finds_in_each_message_what_the_plan_says(plan: Plan) -> None:
    for sending in plan.sendings():
        received, rejected = parse_batch([record(sending)])
        assert (sending.fate == "valid") is bool(received)
        if sending.fate == "valid":
            order, wanted = received[0].order, plan.wanted(sending.number)
            assert (order.item, order.quantity) == (wanted.item, wanted.quantity)
            assert order.customer_name == plan.customer
            assert order.attributes["number"] == sending.number
            own_id = f"{plan.customer}-{sending.number}"
            assert (order.order_id == own_id) is (wanted.has_id and sending.door != "http")
            assert (sending.key == own_id) is (wanted.has_id and sending.door == "http")
        else:
            assert rejected[0].reason
            assert plan.number_of_malformed(sending.body) == sending.number


def test_what_http_is_to_take_it_takes_and_the_rest_it_refuses(plan: Plan) -> None:
    for sending in plan.sendings():
        if sending.door == "http":
            refused = False
            try:
                parse(sending.body, sending.key, with_api_key=False)
            except ValueError:
                refused = True
            assert refused is (sending.fate == "refused")


def test_messages_are_made_as_they_are_sent() -> None:
    sendings = Plan(seed=1, run="r", orders=10**9).sendings()
    first = [next(sendings).number for _ in range(100)]
    assert max(first) < 1000


# The schedule


def fault(name: str, log: list[str]) -> Fault:
    @contextlib.contextmanager
    def broken() -> Iterator[None]:
        log.append(f"{name} broken")
        try:
            yield
        finally:
            log.append(f"{name} mended")

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


def lane(log: list[str], make: Callable[[Planned], None] | None = None) -> Lane:
    def at_once(planned: Planned) -> None:
        with planned.fault.broken():
            pass

    planned = [Planned(at=at, fault=fault(f"at {at}", log), seconds=0) for at in (2, 3)]
    return Lane(planned, make or at_once, time.sleep)


def test_a_fault_begins_with_its_message_and_not_before(log: list[str]) -> None:
    faults = lane(log)
    with faults.running():
        faults.reach(0)
        faults.reach(1)
        assert log == []
        faults.reach(2)
        faults.reach(3)
        faults.finish()
    assert log == ["at 2 broken", "at 2 mended", "at 3 broken", "at 3 mended"]


def test_a_fault_that_cannot_be_mended_ends_the_run(log: list[str]) -> None:
    def fail(planned: Planned) -> None:
        raise OSError("the disk is full")

    faults = lane(log, fail)
    with faults.running(), pytest.raises(AnswerError, match="the disk is full"):
        faults.reach(3)


def test_a_run_that_is_stopped_waits_until_everything_is_mended(log: list[str]) -> None:
    stopping = threading.Event()

    def pause(seconds: float) -> None:
        if stopping.wait(seconds):
            raise StoppedError

    def make(planned: Planned) -> None:
        with planned.fault.broken():
            pause(60)

    faults = Lane([Planned(at=0, fault=fault("it", log), seconds=60)], make, pause)

    def sending() -> None:
        with faults.running():
            faults.reach(0)
            stopping.set()
            faults.finish()

    with pytest.raises(StoppedError):
        sending()
    assert log == ["it broken", "it mended"]


# The audit


def valid(plan: Plan) -> Iterator[tuple[int, str, int]]:
    for number in range(plan.orders):
        wanted = plan.wanted(number)
        if wanted.fate == "valid":
            yield number, wanted.item, wanted.quantity


def test_books_in_which_each_order_is_once_are_right(plan: Plan) -> None:
    seen = Seen(plan)
    for order in valid(plan):
        seen.see(*order)
    assert seen.problems() == []
    assert seen.found == plan.count()["valid"]


def test_the_auditor_sees_what_is_missing_twice_changed_or_strange(plan: Plan) -> None:
    orders = list(valid(plan))
    seen = Seen(plan)
    for order in [*orders[2:], orders[5]]:
        seen.see(*order)
    number, item, quantity = orders[0]
    seen.see(number, item, quantity + 1)
    bad = next(n for n in range(plan.orders) if plan.wanted(n).fate != "valid")
    for stranger in (bad, plan.orders, None):
        seen.see(stranger, "Tea", 1)
    assert seen.problems() == [
        "1 missing",
        "1 more than once",
        f"order {orders[1][0]} first",
        f"order {number} has {quantity + 1} × {item}",
        f"number {bad} was never a valid order",
        f"number {plan.orders} was never a valid order",
    ]


# The command


@pytest.fixture
def typed() -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(main.app, ["chaos", *words])
        return result.exit_code, result.stdout, result.stderr

    return run


def test_it_breaks_local_stacks_only(typed: Callable[..., tuple[int, str, str]]) -> None:
    code, out, error = typed("--stack", "prod", "--json")
    assert code == 2
    assert "works on the local stack only, not on prod" in error
    assert "local stack only" in json.loads(out)["error"]


def test_without_a_stack_it_says_how_to_get_one(
    typed: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, error = typed("--directory", str(tmp_path))
    assert code == 2
    assert "make local" in error


def test_a_display_that_fails_ends_the_run_before_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    class Run:
        """Repairs what it broke when it is stopped."""

        def __init__(self) -> None:
            self.stopping, self.repaired = threading.Event(), False
            self.progress = Progress()

        def stop(self) -> None:
            self.stopping.set()

        def run(self) -> list[Check]:
            self.stopping.wait()
            self.repaired = True
            raise StoppedError

    def fail(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(command, "note", fail)
    run: Any = Run()
    with pytest.raises(BrokenPipeError):
        command._watched(run)
    assert run.repaired


def test_a_fault_that_is_over_before_anybody_looks_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    run: Any = SimpleNamespace(progress=Progress())
    run.progress.enter("Sending")
    run.progress.set_broken("MariaDB is killed")
    run.progress.set_broken(None)

    with command._screen(run) as show:
        show()
        show()

    lines = [line.split(": ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["Waiting until the stack is quiet", "Sending", "MariaDB is killed", "Sending"]


def test_its_help_loads_none_of_the_slow_libraries() -> None:
    # In this process they may be there already; the modules that need them are what counts.
    source = Path(sys.modules["cli.chaos.command"].__file__ or "").read_text()
    head = source[: source.index("def chaos_command")]
    assert not any(f"import {name}" in head for name in ("boto3", "pymysql", "httpx"))


def test_its_figures_can_be_written_as_json() -> None:
    figures = Figures()
    figures.doors["topic"] += 3
    figures.faults["database_killed"] = 1
    assert json.loads(json.dumps(asdict(figures)))["doors"] == {"topic": 3, "queue": 0, "http": 0}


CHAIN = [(5, "received", "preparing"), (9, "preparing", "ready")]


def test_an_order_whose_moves_are_one_chain_to_its_state_is_well() -> None:
    order = Moved("o1", "ready", 9, [*CHAIN])
    assert order.problem(("ready", 9), {5, 9, 1}) is None
    assert Moved("o1", "received", 1).problem(("received", 1), set()) is None


@pytest.mark.parametrize(
    ("order", "item", "confirmed", "sentence"),
    [
        (Moved("o1", "ready", 9, CHAIN[1:]), ("ready", 9), set(), "received 1 is followed by preparing"),
        (Moved("o1", "ready", 4, [CHAIN[0], (4, *CHAIN[1][1:])]), ("ready", 4), set(), "is followed by"),
        (Moved("o1", "ready", 10, CHAIN), ("ready", 10), set(), "its moves end at ready 9"),
        (Moved("o1", "ready", 9, CHAIN), ("preparing", 5), set(), "('preparing', 5) in DynamoDB"),
        (Moved("o1", "ready", 9, CHAIN), None, set(), "None in DynamoDB"),
        (Moved("o1", "ready", 9, CHAIN), ("ready", 9), {7}, "the confirmed version 7 is missing"),
    ],
)
def test_a_broken_chain_and_a_lost_move_are_noticed(
    order: Moved, item: tuple[str, int] | None, confirmed: set[int], sentence: str
) -> None:
    assert sentence in (order.problem(item, confirmed) or "")
