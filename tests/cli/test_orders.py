"""`cafe orders`: its requests to StaffOrders, and its output."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Cafe
from tests.cli.kitchen import Staff, order
from tests.cli.stand_in import FakeFunctions


@pytest.fixture
def staff(functions: FakeFunctions) -> Staff:
    return Staff(functions)


@pytest.fixture
def orders(cafe: Cafe, staff: Staff) -> Cafe:
    """The command on the stack `dev`."""
    return lambda *words: cafe("orders", *words, "--stack", "dev")


def test_open_orders_are_listed_with_their_age_by_the_servers_clock(orders: Cafe, staff: Staff) -> None:
    staff.recent = [order("K41", "collected")]
    result = orders("list")
    assert result.exit_code == 0, result.output
    assert "K42" in result.stdout
    assert "4 min 5 s" in result.stdout
    assert "Moved in the last 30 minutes" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 to make, 0 being made, 0 ready."


def test_a_truncated_list_reports_the_rest(orders: Cafe, staff: Staff) -> None:
    staff.totals = {"received": 300, "preparing": 0, "ready": 0}
    result = orders("list")
    assert "299 more open orders are not listed." in result.stderr


def test_numbers_in_a_document_stay_exact(orders: Cafe, staff: Staff) -> None:
    lists: dict[str, object] = {"orders": [], "totals": staff.totals, "delayed": [], "recent": []}
    staff.body = json.dumps({"now": "2026-11-26T13:04:05Z", **lists, "a": 1}).replace('"a": 1', '"a": 0.10')
    assert '"a": 0.10' in orders("list", "--json").stdout


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        ({"statusCode": 200, "body": '["Ada"]'}, "did not return a status code with a JSON object."),
        ({"statusCode": 200, "body": "Ada"}, "did not return a status code with a JSON object."),
        (
            {"errorType": "KeyError", "errorMessage": "Ada"},
            "failed: KeyError. `cafe doctor` shows the cause.",
        ),
    ],
)
def test_an_invalid_response_is_reported_without_its_text(
    orders: Cafe, functions: FakeFunctions, response: dict[str, object], sentence: str
) -> None:
    functions.usual = lambda _event: response
    result = orders("list")
    assert result.exit_code == 1
    assert result.stderr == f"StaffOrders-dev {sentence}\n"
    assert "Ada" not in result.output


@pytest.mark.parametrize(
    ("words", "state"), [("prepare", "preparing"), ("ready", "ready"), ("collect", "collected")]
)
def test_an_order_is_moved_by_its_pickup_number_from_the_version_that_was_read(
    orders: Cafe, staff: Staff, words: str, state: str
) -> None:
    result = orders(words, "k42")
    assert result.exit_code == 0, result.output
    (move,) = staff.moves
    assert move["pathParameters"] == {"id": "id-of-K42"}
    assert move["headers"]["If-Match"] == '"1795699381123456"'
    assert json.loads(move["body"]) == {"state": state}
    assert "2 × Latte for Ada" in result.stdout


def test_each_move_has_its_own_key_and_its_actor(orders: Cafe, staff: Staff) -> None:
    orders("ready", "K42")
    orders("ready", "K42")
    first, second = staff.moves
    assert first["headers"]["Idempotency-Key"] != second["headers"]["Idempotency-Key"]
    assert first["actor"] == second["actor"] != ""


def test_an_order_is_moved_by_its_id_too(orders: Cafe, staff: Staff) -> None:
    assert orders("collect", "id-of-K42").exit_code == 0
    assert {event["resource"] for event in staff.functions.events} == {"/orders/{id}"}


def test_a_cancel_has_a_reason(orders: Cafe, staff: Staff) -> None:
    assert orders("cancel", "K42", "--reason", "No milk").exit_code == 0
    assert json.loads(staff.moves[0]["body"]) == {"state": "cancelled", "reason": "No milk"}


def test_a_recall_moves_to_the_previous_state(orders: Cafe, staff: Staff) -> None:
    staff.orders[0]["recall_to"] = "preparing"
    assert orders("recall", "K42").exit_code == 0
    assert json.loads(staff.moves[0]["body"]) == {"state": "preparing"}


def test_an_order_that_cannot_be_recalled_is_not_moved(orders: Cafe, staff: Staff) -> None:
    result = orders("recall", "K42")
    assert result.exit_code == 1
    assert "K42 was not moved in the last 30 minutes" in result.stderr
    assert staff.moves == []


def test_a_refusal_of_the_kitchen_is_printed_unchanged(orders: Cafe, staff: Staff) -> None:
    staff.refusal = (409, {"message": "An order that is collected cannot become ready.", "allowed": []})
    result = orders("ready", "K42", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"error": "An order that is collected cannot become ready."}


def test_an_unreachable_database_names_the_next_command(orders: Cafe, staff: Staff) -> None:
    staff.refusal = (503, {"message": "Orders are temporarily unavailable."})
    result = orders("ready", "K42")
    assert result.exit_code == 1
    assert result.stderr == "Orders are temporarily unavailable. `cafe doctor` shows the cause.\n"


def test_an_unknown_order_is_reported(orders: Cafe, staff: Staff) -> None:
    result = orders("show", "Z99")
    assert result.exit_code == 1
    assert "Z99: There is no such order" in result.stderr


def test_an_order_is_shown_with_its_history_and_no_control_characters(orders: Cafe, staff: Staff) -> None:
    staff.orders[0] |= {
        "customer_name": "\x1b[31mAda",
        "history": [
            {
                "version": 2,
                "from": "received",
                "to": "cancelled",
                "at": "2026-11-26T13:00:00.000Z",
                "actor": "ada",
                "reason": "No milk",
            }
        ],
    }
    result = orders("show", "K42")
    assert "received → cancelled by ada: No milk" in result.stdout
    assert "oat milk" in result.stdout
    assert "\x1b" not in result.stdout


def test_an_invalid_response_is_reported(orders: Cafe, staff: Staff) -> None:
    staff.body = '{"now": "soon"}'
    result = orders("list")
    assert result.exit_code == 1
    assert "The response of StaffOrders-dev is invalid at now." in result.stderr
