"""`cafe database widen`: what is said before a large table is locked, and what happens to the worker."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Cafe
from tests.cli.stand_in import FakeFunctions

TABLE = {"columns": ["id", "created_at"], "rows": 5_000_000, "megabytes": 900, "seconds": 50.0}
WIDENED = TABLE | {"seconds": 41.3}


@pytest.fixture
def widen(cafe: Cafe, functions: FakeFunctions) -> Cafe:
    """The command on the stack `dev`."""
    return lambda *words: cafe("database", "widen", *words, "--stack", "dev")


def test_a_table_is_widened_while_the_worker_is_paused(widen: Cafe, functions: FakeFunctions) -> None:
    functions.answers = [TABLE, WIDENED]

    result = widen("--yes")

    assert result.exit_code == 0
    assert functions.events == [{"command": "widen", "dry_run": True}, {"command": "widen"}]
    assert functions.states == ["Disabling", "Enabling"]
    assert "5,000,000 orders in 900 MB" in result.stdout
    assert "takes about 50 s and as much free storage again" in " ".join(result.stdout.split())
    assert "orders wait in the queue" in " ".join(result.stdout.split())
    assert result.stdout.splitlines()[-1] == "Widened in 41.3 s."


def test_nothing_is_locked_without_a_yes(widen: Cafe, functions: FakeFunctions) -> None:
    functions.answers = [TABLE]
    assert widen().exit_code != 0
    assert len(functions.events) == 1
    assert functions.states == []


def test_a_worker_that_was_paused_stays_so(widen: Cafe, functions: FakeFunctions) -> None:
    functions.state = "Disabled"
    functions.answers = [TABLE, WIDENED]
    assert widen("--yes").exit_code == 0
    assert functions.states == []


def test_the_worker_goes_on_after_a_failure_that_is_named(widen: Cafe, functions: FakeFunctions) -> None:
    functions.answers = [TABLE, {"errorType": "SchemaError", "errorMessage": "A transaction uses the table."}]
    result = widen("--yes")
    assert result.exit_code == 1
    assert "A transaction uses the table." in result.stderr
    assert functions.states == ["Disabling", "Enabling"]


def test_a_wide_table_is_left_alone(widen: Cafe, functions: FakeFunctions) -> None:
    functions.answers = [TABLE | {"columns": []}]
    result = widen("--json")
    assert json.loads(result.stdout)["columns"] == []
    assert functions.states == []
