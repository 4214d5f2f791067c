"""`cafe database widen`: its confirmation, and how it pauses the worker."""

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
    functions.responses = [TABLE, WIDENED]

    result = widen("--yes")

    assert result.exit_code == 0
    assert functions.events == [{"command": "widen", "dry_run": True}, {"command": "widen"}]
    assert functions.states == ["Disabling", "Enabling"]
    assert "5,000,000 orders in 900 MB" in result.stdout
    assert "takes about 50 s and as much free storage again" in " ".join(result.stdout.split())
    assert "orders wait in the queue" in " ".join(result.stdout.split())
    assert result.stdout.splitlines()[-1] == "Widened in 41.3 s."


def test_nothing_is_locked_without_confirmation(widen: Cafe, functions: FakeFunctions) -> None:
    functions.responses = [TABLE]
    assert widen().exit_code != 0
    assert len(functions.events) == 1
    assert functions.states == []


def test_a_paused_worker_stays_paused(widen: Cafe, functions: FakeFunctions) -> None:
    functions.state = "Disabled"
    functions.responses = [TABLE, WIDENED]
    assert widen("--yes").exit_code == 0
    assert functions.states == []


def test_a_table_is_widened_only_once_a_worker_that_is_being_paused_has_stopped(
    widen: Cafe, functions: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions.state = "Disabling"
    functions.responses = [TABLE, WIDENED]
    read, states = functions.get_event_source_mapping, list[str]()

    def mapping(*, UUID: str) -> dict[str, object]:  # noqa: N803 - boto3's name
        found = read(UUID=UUID)
        states.append(found["State"])
        return found

    monkeypatch.setattr(functions, "get_event_source_mapping", mapping)
    assert widen("--yes").exit_code == 0
    assert states == ["Disabling", "Disabled"]
    assert functions.states == []  # whoever pauses it resumes it


def test_the_worker_is_resumed_after_a_failure(widen: Cafe, functions: FakeFunctions) -> None:
    functions.responses = [
        TABLE,
        {"errorType": "SchemaError", "errorMessage": "A transaction uses the table."},
    ]
    result = widen("--yes")
    assert result.exit_code == 1
    assert "A transaction uses the table." in result.stderr
    assert functions.states == ["Disabling", "Enabling"]


def test_a_wide_table_is_not_changed(widen: Cafe, functions: FakeFunctions) -> None:
    functions.responses = [TABLE | {"columns": []}]
    result = widen("--json")
    assert json.loads(result.stdout)["columns"] == []
    assert functions.states == []
