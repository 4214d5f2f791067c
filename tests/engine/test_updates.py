"""Deploys to a running stack: their order, and the result of an interrupted one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.recording import ROOT
from tests.engine.conftest import DeployedStack
from tests.engine.operation import Outcome, Step
from tests.engine.stack import Stack, lost
from tests.program.network_forms import OVER_IPV6, PRIVATE
from tests.program.setting_values import CHANGED

FUNCTION = "aws:lambda/function:Function"
MIGRATION = "aws:lambda/invocation:Invocation"


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    """The program with changed code in all functions, and one more migration."""
    program = tmp_path / "next"
    shutil.copytree(ROOT, program, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests"))
    functions = program / "functions"
    for module in functions.rglob("*.py"):
        module.write_text(f"{module.read_text('utf-8')}# Another release\n", "utf-8")
    (functions / "migrations/9999_comment.sql").write_text("ALTER TABLE orders COMMENT = 'next';\n", "utf-8")
    return program


def environment(resource: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of a function."""
    variables: dict[str, Any] = resource["inputs"]["environment"]["variables"]
    return variables


def database_functions(stack: Stack) -> set[str]:
    """Return the functions that log in to the database, except `MigrateDatabase`."""
    functions = [resource for resource in stack.resources if resource["type"] == FUNCTION]
    named = {f["urn"].rpartition("::")[2]: f for f in functions}
    return {name for name, f in named.items() if "DATABASE_SECRET" in environment(f)} - {"MigrateDatabase"}


def code(outcome: Outcome) -> dict[str, Step]:
    """Return the steps of functions, by name."""
    return {step.name: step for step in outcome.steps if step.type == FUNCTION}


def changed_code(outcome: Outcome) -> set[str]:
    """Return the names of the changed functions."""
    return {name for name, step in code(outcome).items() if step.verb != "same"}


def in_inventory(step: Step) -> str:
    """Return a step's resource in the format of `tests.program.network_forms`."""
    return " ".join(step.urn.split("::")[2:])


def test_a_migration_runs_after_its_own_code_and_before_the_code_that_uses_the_database(
    dev: DeployedStack, tmp_path: Path, next_release: Path
) -> None:
    """If it fails, the old code remains, and the next deploy completes this one."""
    stack = dev.stack.copy(tmp_path / "stack")
    users = database_functions(stack)
    assert "OrderProcessor" in users

    broken = stack.up(program=next_release, refused="Invocation migrate")
    assert "Invocation migrate is refused" in broken.error
    assert code(broken)["MigrateDatabase"].ended
    assert not changed_code(broken) & users

    completed = stack.up(program=next_release)
    migration = completed.step("migrate", MIGRATION)
    assert completed.error == ""
    assert migration.ended
    assert {name for name in users if code(completed)[name].begun > migration.ended} == users


def test_an_interrupted_first_deploy_is_completed_by_the_next(
    dev: DeployedStack, pulumi: Path, tmp_path: Path
) -> None:
    stack = Stack.new("dev", pulumi, tmp_path)
    broken = stack.up(refused="Instance cafe-db")
    assert "Instance cafe-db is refused" in broken.error
    made = stack.urns
    assert made
    completed = stack.up()
    assert completed.error == ""
    assert {step.verb for step in completed.steps} == {"create", "same"}
    assert {step.urn for step in completed.steps if step.verb == "same"} >= made
    assert stack.urns == dev.stack.urns


@pytest.mark.parametrize(
    ("value", "last", "new", "old"),
    [("true", "VpcEndpoint sqs-endpoint", PRIVATE, OVER_IPV6), ("false", "Route egress", OVER_IPV6, PRIVATE)],
)
def test_functions_switch_networks_after_the_new_connections_exist_and_before_the_old_ones_are_deleted(
    request: pytest.FixtureRequest, tmp_path: Path, value: str, last: str, new: set[str], old: set[str]
) -> None:
    deployed: DeployedStack = request.getfixturevalue("dev" if value == "true" else "prod")
    functions = database_functions(deployed.stack) | {"MigrateDatabase"}

    broken = deployed.stack.copy(tmp_path / "broken").up({"privateEndpoints": value}, refused=last)
    assert f"{last} is refused" in broken.error
    assert not changed_code(broken)

    switched = deployed.stack.copy(tmp_path / "switched").up({"privateEndpoints": value})
    assert (switched.error, lost(switched)) == ("", set())
    made = [step for step in switched.steps if step.verb == "create"]
    gone = [step for step in switched.steps if step.verb == "delete"]
    assert ({in_inventory(step) for step in made}, {in_inventory(step) for step in gone}) == (new, old)
    assert changed_code(switched) == functions
    assert max(code(switched)[name].ended or 0 for name in functions) < min(step.begun for step in gone)


def test_the_page_gets_a_domain_after_its_certificate_and_keeps_both_until_it_is_removed(
    prod: DeployedStack, tmp_path: Path
) -> None:
    stack = prod.stack.copy(tmp_path)
    zone = {"domain": CHANGED["domain"], "hostedZone": CHANGED["hostedZone"]}
    broken = stack.up(zone, refused="CertificateValidation domain")
    assert "CertificateValidation domain is refused" in broken.error
    assert not broken.resources_of("update")

    completed = stack.up()
    assert (completed.error, lost(completed)) == ("", set())
    removed = stack.up({"domain": '""', "hostedZone": '""'})
    assert (removed.error, lost(removed)) == ("", set())
    page = removed.step("page", "aws:cloudfront/distribution:Distribution")
    gone = [step for step in removed.steps if step.verb == "delete" and "Domain$" in step.urn]
    assert len(gone) == 5
    assert page.ended
    assert page.ended < min(step.begun for step in gone)
    # Other certificates of the domain are renewed by it.
    assert not any(urn.endswith("::domain-validation") for urn in removed.deleted)
