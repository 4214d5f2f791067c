"""`cafe reconcile`: its requests, its output, and its exit codes."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cli.main import app
from tests.cli.conftest import Cafe
from tests.cli.stand_in import FakeFunctions

BUSY = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate exceeded"}}, "Invoke")


def outcome(**found: object) -> dict[str, object]:
    return {"checked": 3, "repaired": 0, "drift": 0, "rds_orders": 30, "swept": 0, "left": 0} | found


def test_the_last_minutes_are_compared(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.responses = [outcome(swept=2, left=1, rejected=1, rejected_reason="quantity must be more.")]

    result = dev_cafe("reconcile")

    assert result.exit_code == 0
    assert functions.events == [{}]
    assert result.stdout.splitlines() == [
        "3 of 30 orders compared: 0 differed, 0 repaired.",
        "Dead letters: 2 recorded, 1 left.",
        "  1 without a valid order (`cafe dlq list`): quantity must be more.",
    ]


def test_conflicting_orders_are_reported_and_do_not_fail(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    why = "orderId 17 belongs to another order, with another item"
    functions.responses = [outcome(left=2, conflicting=2, conflicting_reason=why)]

    result = dev_cafe("reconcile")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == [
        "Dead letters: 0 recorded, 2 left.",
        f"  2 orders with the id of another order (`cafe dlq edit ID` changes it): {why}",
    ]


def test_dead_letters_that_wait_are_not_counted_as_invalid(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    why, meaning = "MySQL error 1290", "the database is read-only"
    functions.responses = [outcome(left=1, waiting=1, waiting_reason=why, reason=why)]

    result = dev_cafe("reconcile")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:] == [
        "Dead letters: 0 recorded, 1 left.",
        f"  1 order not recorded now, and retried every minute: {why} ({meaning})",
    ]
    assert "Incomplete: MySQL error 1290 (the database is read-only)" in result.stderr


def test_a_comparison_that_was_not_possible_fails(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    why = "Time was up after 9 rows."
    functions.responses = [outcome(compared=False, unchecked=why, reason=why)]

    result = dev_cafe("reconcile")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == ["Could not compare: Time was up after 9 rows."]


def test_rows_of_other_programs_and_invalid_rows_are_reported(
    dev_cafe: Cafe, functions: FakeFunctions
) -> None:
    functions.responses = [outcome(counted=2, bad_rows={"7": "no item, or no quantity"})]

    assert dev_cafe("reconcile").stdout.splitlines()[1:] == [
        "2 orders counted that another program inserted.",
        "Row 7 of `orders` has no valid order: no item, or no quantity.",
    ]


def test_dead_letters_of_an_earlier_release_have_no_kind(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.responses = [outcome(left=2)]

    assert dev_cafe("reconcile").stdout.endswith("\n  2 for a reason that `cafe dlq list` shows.\n")


def test_the_whole_table_is_compared_and_then_checked_again(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.responses = [outcome(next=77, drift=2, repaired=2), outcome(drift=1, repaired=1), outcome()]

    result = dev_cafe("reconcile", "--full", "--json")

    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert functions.events == [{"command": "full"}, {"command": "full", "after": 77}, {}]
    assert (document["checked"], document["drift"], document["repaired"]) == (6, 3, 3)
    assert (document["remaining"], document["ok"]) == (0, True)


def test_a_remaining_difference_fails(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.responses = [outcome(drift=5), outcome(drift=5)]

    result = dev_cafe("reconcile")

    assert result.exit_code == 1
    assert "5 orders still differ. `cafe reconcile --full` audits every counter." in result.stderr


def test_incomplete_work_fails(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.responses = [outcome(reason="MySQL: away\x1b")]

    result = dev_cafe("reconcile")

    assert result.exit_code == 1
    assert r"Incomplete: MySQL: away\x1b" in result.stderr


def test_a_rebuild_needs_confirmation_and_lists_corrected_counters(
    dev_cafe: Cafe, functions: FakeFunctions
) -> None:
    functions.responses = [
        outcome(drift=5, corrected={"metrics": {"TOTAL_ORDERS": -5}, "menu": {"Tea": 2}}),
        outcome(),
    ]

    refused = CliRunner().invoke(app, ["reconcile", "--rebuild", "--stack", "dev"], input="n\n")
    before = list(functions.events)
    result = dev_cafe("reconcile", "--rebuild", "--yes")

    assert (refused.exit_code, before) == (1, [])
    assert "Write every order of stack dev to DynamoDB again?" in refused.stderr
    assert result.exit_code == 0
    assert functions.events[0] == {"command": "rebuild"}
    assert "  TOTAL_ORDERS: -5\n" in result.stdout
    assert "  CafeMenu Tea: +2\n" in result.stdout


def test_another_run_of_the_function_is_waited_for(
    dev_cafe: Cafe, functions: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    functions.responses = [BUSY, BUSY, outcome()]

    assert dev_cafe("reconcile").exit_code == 0
    assert len(functions.events) == 3


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        (
            {"errorType": "Timeout", "errorMessage": "after 900 s"},
            "ReconcileOrders-dev failed: Timeout: after 900 s. `cafe doctor` shows the cause.",
        ),
        ({"drift": "much"}, "The response of ReconcileOrders-dev is invalid at drift."),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Invoke"),
            "Invoke: AccessDenied: no: your credentials need lambda:InvokeFunction.",
        ),
    ],
)
def test_a_failing_function_ends_the_command_with_its_reason(
    dev_cafe: Cafe, functions: FakeFunctions, response: Any, sentence: str
) -> None:
    functions.responses = [response]

    result = dev_cafe("reconcile")

    assert result.exit_code == 1
    assert sentence in result.stderr


def test_ctrl_c_reports_that_the_run_continues(dev_cafe: Cafe, functions: FakeFunctions) -> None:
    functions.usual = lambda _event: signal.raise_signal(signal.SIGINT)

    result = dev_cafe("reconcile")

    assert result.exit_code == 130
    assert "The current run of ReconcileOrders continues" in result.stderr
