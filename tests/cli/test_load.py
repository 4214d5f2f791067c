"""`cafe load`: its orders, its progress, and its audit."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers

from cli import progress
from cli.kitchen import Board, Kitchen
from cli.load import kitchen as load_kitchen
from cli.load import run as load
from cli.load.kitchen import BARISTAS, due, orders_of, playing
from cli.load.plan import Plan
from cli.traffic.client import OrderClient
from cli.traffic.plan import Entrance, Kind
from tests.cli.conftest import Cafe
from tests.cli.kitchen import Staff, order
from tests.cli.stand_in import FakeAws, FakeFunctions, Reply


@pytest.fixture
def run(cafe: Cafe, dev: FakeAws, functions: FakeFunctions, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    """The command `cafe load` on the stack `dev`, whose worker records an order at once."""
    monkeypatch.setattr(load, "INTERVAL", 0.01)
    monkeypatch.setattr("cli.traffic.send.INTERVAL", 0.01)

    def read(_event: dict[str, Any]) -> Any:
        accepted = {request.headers["Idempotency-Key"]: request.body for request in dev.api.orders}
        rows = [
            {**accepted[key], "orderId": order_id, "created_at": "2026-11-22"}
            for key, order_id in dev.api.ids.items()
        ]
        return {"orders": rows, "next": None}

    functions.usual = read
    return lambda *words: cafe("load", *words, "--stack", "dev", "--yes", "--stall-timeout", "0.3")


def test_a_plan_has_the_amounts_and_the_originals_before_their_duplicates() -> None:
    plan = Plan(orders=1000, duplicates=10, malformed=1)
    sendings = list(plan.sendings())

    assert Counter(sending.kind for sending in sendings) == {
        Kind.ORDER: 1000,
        Kind.DUPLICATE: 100,
        Kind.MALFORMED: 10,
    }
    seen: set[int] = set()
    for sending in sendings:
        if sending.kind is Kind.ORDER:
            seen.add(sending.number)
        assert sending.kind is not Kind.DUPLICATE or sending.number in seen
    assert sendings == list(plan.sendings())
    assert Plan(orders=1).run != plan.run


@settings(max_examples=25)
@given(orders=integers(1, 60), duplicates=floats(0, 100), malformed=floats(0, 100))
def test_any_percentage_is_exact(orders: int, duplicates: float, malformed: float) -> None:
    plan = Plan(orders=orders, duplicates=duplicates, malformed=malformed)
    kinds = Counter(sending.kind for sending in plan.sendings())

    assert kinds[Kind.ORDER] == orders
    assert kinds[Kind.DUPLICATE] == round(orders * duplicates / 100)
    assert kinds[Kind.MALFORMED] == round(orders * malformed / 100)


def test_the_api_assigns_ids_and_the_topic_accepts_them() -> None:
    by_http, by_topic = (
        next(Plan(orders=1, entrance=each).sendings()) for each in (Entrance.HTTP, Entrance.TOPIC)
    )

    assert "orderId" not in json.loads(by_http.body)
    assert json.loads(by_topic.body)["orderId"] == by_topic.order_id


def test_no_screen_shows_the_orders_without_a_simulated_kitchen() -> None:
    hidden, visible = (
        json.loads(next(Plan(orders=1, kitchen=each).sendings()).body) for each in (False, True)
    )

    assert hidden["test_order"] is True
    assert not {"test_order", "load"} & visible.keys()
    assert (visible["item"], visible["customer_name"], visible["note"]) == ("Flat white", "Ada", "oat milk")


NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def board(*orders: tuple[str, int], state: str = "received") -> Board:
    """Return a board at noon with orders and the seconds in their states."""
    rows = [order(number, state, state_at=NOON - timedelta(seconds=seconds)) for number, seconds in orders]
    document = {"now": NOON, "orders": rows, "totals": {}, "delayed": [], "recent": []}
    return Board.model_validate(document)


def moves(screen: Board) -> list[tuple[str, str]]:
    ids = {f"id-of-K{number}" for number in range(100)}
    return [(moved.number, target.value) for moved, target in due(orders_of(screen, ids), screen)]


@pytest.mark.parametrize(
    ("state", "target"), [("received", "preparing"), ("preparing", "ready"), ("ready", "collected")]
)
def test_a_simulated_kitchen_takes_a_human_time_for_each_step(state: str, target: str) -> None:
    assert moves(board(("K42", 60), state=state)) == [("K42", target)]
    assert moves(board(("K42", 2), state=state)) == []


def test_a_simulated_kitchen_makes_the_oldest_orders_first_and_few_at_once() -> None:
    waiting = board(*((f"K{number}", 100 - number) for number in range(40, 60)))
    assert moves(waiting) == [(f"K{number}", "preparing") for number in range(40, 40 + BARISTAS)]


def test_a_simulated_kitchen_moves_only_its_own_orders() -> None:
    assert moves(board(("A42", 60))) == []


def test_a_simulated_kitchen_works_until_all_orders_are_collected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load_kitchen, "INTERVAL", 0)
    functions = FakeFunctions()
    staff = Staff(functions)
    staff.orders = [order("K42"), order("A01")]

    def collect(event: dict[str, Any]) -> dict[str, Any]:
        moved = staff.respond(event)
        if event["httpMethod"] == "PATCH":
            staff.orders[0]["state"] = json.loads(event["body"])["state"]
            staff.orders = [each for each in staff.orders if each["state"] != "collected"]
        return moved

    functions.usual = collect
    acting = Kitchen(functions=functions, name="StaffOrders-dev", actor="ada")  # type: ignore[arg-type]
    with playing(acting, {"id-of-K42"}, threading.Event()):
        pass
    assert [json.loads(move["body"])["state"] for move in staff.moves] == ["preparing", "ready", "collected"]
    assert [each["number"] for each in staff.orders] == ["A01"]


def test_every_order_is_counted_once(run: Cafe, dev: FakeAws) -> None:
    result = run("--orders", "40", "--duplicates", "10", "--malformed", "5", "--json")

    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["sent"], document["done"], document["duplicates"], document["malformed"]) == (
        40,
        40,
        4,
        2,
    )
    assert document["latency"]["sample"] >= 1
    assert [check["name"] for check in document["checks"]] == [
        "taken",
        "recorded",
        "malformed",
        "rows",
        "total",
        "today",
        "hours",
        "menu",
    ]
    assert all(check["ok"] for check in document["checks"])
    assert len(dev.api.order_ids) == 40


def test_each_check_is_printed_as_a_line(run: Cafe) -> None:
    result = run("--orders", "6")
    lines = result.stdout.splitlines()

    assert result.stderr == ""
    assert lines[0].startswith("Sent 6 of 6  done 6  ")
    assert "p50 " in lines[0]
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "✓ Every order was accepted 6 of 6 orders were accepted",
        "✓ Every order has one item in DynamoDB 6 orders, as sent",
        "✓ Every order has one row in MySQL 6 orders, as sent",
        "✓ TOTAL_ORDERS counted each order once +6",
        "✓ Days counted each order once +6",
        "✓ Hours counted each order once +6",
        "✓ CafeMenu counted every piece +12 pieces of 3 items",
    ]


def test_progress_in_a_file_is_a_line_every_few_seconds(run: Cafe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FILE_INTERVAL", 0)
    assert re.search(r"^ +\d+\.\d s  Sent \d of 6  done ", run("--orders", "6", "--json").stderr)


def failed(run: Cafe, *words: str) -> set[str]:
    result = run("--orders", "6", "--json", *words)
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert "checks" in document, document
    return {check["name"] for check in document["checks"] if not check["ok"]}


@pytest.mark.parametrize(("left_out", "name"), [("record", "recorded"), ("menu", "menu"), ("total", "total")])
def test_an_order_that_is_not_counted_fails(run: Cafe, dev: FakeAws, left_out: str, name: str) -> None:
    dev.left_out = {left_out}

    assert name in failed(run)


def test_an_order_counted_twice_fails(run: Cafe, dev: FakeAws) -> None:
    dev.others = 1

    assert failed(run) == {"total"}


def test_orders_of_others_at_the_same_time_pass(run: Cafe, dev: FakeAws, functions: FakeFunctions) -> None:
    dev.others = 1
    usual = functions.usual

    def read(event: dict[str, Any]) -> Any:
        response = usual(event)
        response["orders"].append({"orderId": "somebody's", "created_at": "2999-01-01T00:00:00Z"})
        dev.work("somebody's", {"item": "Load test 1", "quantity": 1})  # as another load does
        return response

    functions.usual = read
    result = run("--orders", "6")

    assert result.exit_code == 0, result.output
    assert "+12 pieces of 3 items, and 1 of others" in result.stdout
    assert "+14, of which 8 are of others" in result.stdout


def test_a_row_that_exists_twice_is_found(run: Cafe, functions: FakeFunctions) -> None:
    usual = functions.usual

    def read(event: dict[str, Any]) -> Any:
        response = usual(event)
        response["orders"] *= 2
        return response

    functions.usual = read

    assert failed(run) == {"rows"}


@pytest.mark.parametrize("changed", [{"orderId": "another"}, {"quantity": 9}])
def test_a_duplicate_under_another_id_and_a_changed_row_fail(
    run: Cafe, functions: FakeFunctions, changed: dict[str, Any]
) -> None:
    usual = functions.usual

    def read(event: dict[str, Any]) -> Any:
        response = usual(event)
        response["orders"].append({**response["orders"].pop(), **changed})
        return response

    functions.usual = read

    assert failed(run) == {"rows"}


@pytest.mark.timeout(30)  # half of the default
def test_the_old_name_of_the_stall_timeout_ends_the_wait_too(cafe: Cafe, run: Cafe, dev: FakeAws) -> None:
    dev.left_out = {"record"}

    result = cafe("load", "--orders", "1", "--stack", "dev", "--yes", "--patience", "0.1")

    assert result.exit_code == 1


def test_orders_that_are_not_accepted_fail(run: Cafe, dev: FakeAws) -> None:
    dev.api.replies = [Reply(status=403, body={"message": "Closed"})]

    assert failed(run) == {"taken"}


def test_ctrl_c_stops_sending_and_checks_nothing(run: Cafe, dev: FakeAws) -> None:
    work = dev.api.on_order
    seen: list[str] = []

    def work_and_interrupt(order_id: str, body: Any) -> None:
        work(order_id, body)
        seen.append(order_id)
        if len(seen) == 5:
            signal.raise_signal(signal.SIGINT)

    dev.api.on_order = work_and_interrupt
    result = run("--orders", "500", "--rate", "100")

    assert result.exit_code == 130
    assert "of 500 orders were sent; they are still recorded." in result.stderr
    assert 5 <= len(dev.api.order_ids) < 100


def test_an_error_of_one_worker_stops_all(run: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    place = OrderClient.place

    def fail_once(client: OrderClient, body: str, key: str | None) -> str:
        sent.append("")
        if len(sent) == 5:
            raise ZeroDivisionError
        return place(client, body, key)

    monkeypatch.setattr(OrderClient, "place", fail_once)
    result = run("--orders", "10000")

    assert result.exit_code != 0
    assert "ZeroDivisionError" in result.output + repr(result.exception)
    assert len(dev.api.order_ids) < 1000


def test_a_load_on_aws_needs_confirmation(cafe: Cafe, dev: FakeAws, functions: FakeFunctions) -> None:
    result = cafe("load", "--orders", "5", "--stack", "dev")

    assert result.exit_code == 2
    assert "Place 5 test orders in stack dev, for good?" in result.stderr
    assert dev.api.orders == []
