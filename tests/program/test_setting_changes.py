"""Changes of a running stack's settings, compared with its outputs."""

from __future__ import annotations

import json

import pytest

from infra import setting_changes
from tests.program.conftest import Program
from tests.program.test_settings import parse

PROTECTED = json.loads(setting_changes.deployed(parse()))
UNPROTECTED = {**PROTECTED, "deletionProtection": False}


def test_a_stack_exports_what_the_next_deploy_is_compared_with(dev: Program, prod: Program) -> None:
    assert json.loads(dev.outputs["deployed_settings"]) == {
        "apiStage": "prod",
        "databaseInstanceClass": "db.t4g.micro",
        "databaseSnapshot": "",
        "databaseStorage": 20,
        "deletionProtection": False,
        "networkCidr": "10.40.0.0/16",
    }
    assert json.loads(prod.outputs["deployed_settings"])["deletionProtection"] is True


@pytest.mark.parametrize("before", [{}, PROTECTED, UNPROTECTED])
def test_what_is_deployed_can_be_deployed_again(before: dict[str, object]) -> None:
    assert list(setting_changes.refusals(before, parse())) == []


@pytest.mark.parametrize(
    ("key", "value", "effect"),
    [
        ("apiStage", "v2", "new address"),
        ("databaseSnapshot", "cafe-2026-11-01", "new database"),
        ("networkCidr", "10.41.0.0/16", "new database"),
    ],
)
@pytest.mark.parametrize("protection", ["true", "false"])
def test_what_replaces_something_protected_takes_two_deploys(
    key: str, value: str, effect: str, protection: str
) -> None:
    """Also where this deploy takes the protection off: AWS's own is on until it has."""
    wanted = parse(**{key: value, "deletionProtection": protection})
    (sentence,) = setting_changes.refusals(PROTECTED, wanted)
    assert sentence.startswith(f"{key}: a change makes a {effect}")
    assert "First set deletionProtection to false and deploy" in sentence
    assert list(setting_changes.refusals(UNPROTECTED, wanted)) == []


def test_the_storage_of_a_database_does_not_shrink() -> None:
    before = {**UNPROTECTED, "databaseStorage": 30}
    (sentence,) = setting_changes.refusals(before, parse(databaseStorage="29"))
    assert sentence == "databaseStorage: cannot shrink, and is 30: set it to at least that."
    for storage in ("30", "31"):
        assert list(setting_changes.refusals(before, parse(databaseStorage=storage))) == []


def test_another_database_may_have_less_storage() -> None:
    before = {**UNPROTECTED, "databaseStorage": 30}
    assert list(setting_changes.refusals(before, parse(databaseStorage="20", databaseSnapshot="cafe"))) == []


def test_a_snapshot_that_is_named_no_more_changes_nothing() -> None:
    before = {**PROTECTED, "databaseSnapshot": "cafe"}
    assert list(setting_changes.refusals(before, parse())) == []
    assert setting_changes.changes(before, parse()) == []


def test_a_stack_of_an_earlier_release_exports_nothing_to_compare() -> None:
    assert (
        list(setting_changes.refusals({}, parse(databaseSnapshot="cafe", networkCidr="10.41.0.0/16"))) == []
    )
