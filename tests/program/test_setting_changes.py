"""Changes of settings that are refused before a deploy."""

from __future__ import annotations

import json

import pytest

from infra import setting_changes
from tests.program.conftest import Program
from tests.program.setting_values import parse

PROTECTED = json.loads(setting_changes.deployed(parse()))
UNPROTECTED = {**PROTECTED, "deletionProtection": False}


def test_a_stack_exports_the_settings_that_the_next_deploy_compares(dev: Program, prod: Program) -> None:
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
def test_unchanged_settings_are_accepted(before: dict[str, object]) -> None:
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
def test_replacing_a_protected_resource_requires_two_deploys(
    key: str, value: str, effect: str, protection: str
) -> None:
    """Even if this deploy removes the protection: AWS's own stays on until it has."""
    wanted = parse(**{key: value, "deletionProtection": protection})
    (sentence,) = setting_changes.refusals(PROTECTED, wanted)
    assert sentence.startswith(f"{key}: a change makes a {effect}")
    assert "First set deletionProtection to false and deploy" in sentence
    assert list(setting_changes.refusals(UNPROTECTED, wanted)) == []


def test_the_storage_of_a_database_does_not_shrink() -> None:
    before = {**UNPROTECTED, "databaseStorage": 30}
    (sentence,) = setting_changes.refusals(before, parse(databaseStorage="29"))
    assert sentence == "databaseStorage: cannot shrink; set it to at least 30."
    for storage in ("30", "31"):
        assert list(setting_changes.refusals(before, parse(databaseStorage=storage))) == []


def test_a_replaced_database_may_have_less_storage() -> None:
    before = {**UNPROTECTED, "databaseStorage": 30}
    assert list(setting_changes.refusals(before, parse(databaseStorage="20", databaseSnapshot="cafe"))) == []


def test_clearing_the_snapshot_changes_nothing() -> None:
    before = {**PROTECTED, "databaseSnapshot": "cafe"}
    assert list(setting_changes.refusals(before, parse())) == []
    assert setting_changes.changes(before, parse()) == []


def test_a_stack_of_an_earlier_release_has_no_settings_to_compare() -> None:
    assert (
        list(setting_changes.refusals({}, parse(databaseSnapshot="cafe", networkCidr="10.41.0.0/16"))) == []
    )
