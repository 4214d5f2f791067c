"""Rules for all workflows: least permissions, pinned actions, no expressions in shells, one role per job."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.recording import ROOT
from tests.ci.workflows import ACTION_FILES, ENVIRONMENTS, JOBS, WORKFLOW_FILES, WORKFLOWS, all_steps, steps

TARGETS = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
READ = {"contents": "read"}
ASSUME = {**READ, "id-token": "write"}
# Of jobs that need more than read access to the sources
PERMISSIONS = {
    "preview/preview": ASSUME,
    "preview/comment": {**READ, "pull-requests": "write"},
    "deploy/dev": ASSUME,
    "deploy/prod": ASSUME,
    "drift/drift": ASSUME,
    "smoke/smoke": ASSUME,
}
LOCAL_ACTION = "./.github/actions/pulumi"


def environment(job: dict[str, Any]) -> str | None:
    found = job.get("environment")
    name: str | None = found["name"] if isinstance(found, dict) else found
    return name


def assumes(job: dict[str, Any]) -> bool:
    return any("role" in step.get("with", {}) for step in steps(job))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_jobs_have_least_permissions_and_workflows_none(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    for job, body in WORKFLOWS[name]["jobs"].items():
        assert body["permissions"] == PERMISSIONS.get(f"{name}/{job}", READ), job


@pytest.mark.parametrize("name", JOBS)
def test_jobs_have_a_concurrency_group_and_a_timeout(name: str) -> None:
    workflow, job = name.split("/")[0], JOBS[name]
    concurrency = job.get("concurrency") or WORKFLOWS[workflow]["concurrency"]
    assert concurrency["group"].startswith(workflow)
    # A job that changes a stack is not cancelled, since it would leave the state locked.
    assert concurrency["cancel-in-progress"] is not (assumes(job) and workflow != "preview")
    assert 1 <= job["timeout-minutes"] <= 150


def test_a_run_that_waits_for_approval_does_not_block_the_next_one() -> None:
    assert "concurrency" not in WORKFLOWS["deploy"]
    assert {JOBS[f"deploy/{job}"]["concurrency"]["group"] for job in ("dev", "prod")} == {
        "deploy-dev",
        "deploy-prod",
    }


def test_actions_are_pinned_by_hash_with_their_version() -> None:
    sources = [*WORKFLOW_FILES, *ACTION_FILES]
    used = [
        use
        for path in sources
        for use in re.findall(r"uses: *(.+)", path.read_text("utf-8"))
        if not use.startswith("./")
    ]
    assert len(used) > 10
    assert [use for use in used if not PINNED.fullmatch(use)] == []
    # One version per action
    assert len(set(used)) == len({use.partition("@")[0] for use in used})


def test_the_local_action_exists() -> None:
    own = {step["uses"] for step in all_steps() if step.get("uses", "").startswith("./")}
    assert own == {LOCAL_ACTION}
    assert (ROOT / LOCAL_ACTION / "action.yml").is_file()


def test_a_step_runs_one_existing_target_or_script() -> None:
    runs = [step["run"] for step in all_steps() if "run" in step]
    assert len(runs) > 10
    for run in runs:
        first, *others = shlex.split(run)
        if first == "make":
            assert len(others) == 1
            assert others[0] in TARGETS
        else:
            assert not others
            assert first.startswith("scripts/ci/")
            assert os.access(ROOT / first, os.X_OK), first


def test_every_script_is_run_by_a_workflow() -> None:
    scripts = {f"scripts/ci/{path.name}" for path in (ROOT / "scripts/ci").iterdir() if path.is_file()}
    assert scripts <= {step.get("run") for step in all_steps()}


def test_no_expression_reaches_a_shell() -> None:
    """Branch names and titles are untrusted; values are passed as environment variables."""
    for step in all_steps():
        assert "${{" not in step.get("run", "")
    untrusted = re.compile(
        r"github\.(head_ref|event\.(?!pull_request\.(head\.repo\.full_name|user\.login)\b))"
    )
    for path in [*WORKFLOW_FILES, *ACTION_FILES]:
        assert not untrusted.search(path.read_text("utf-8")), path.name


def test_no_workflow_runs_untrusted_code_with_permissions() -> None:
    for workflow in WORKFLOWS.values():
        triggers = set(workflow[True])  # YAML 1.1 parses `on` as true
        assert triggers <= {"pull_request", "push", "schedule", "workflow_dispatch"}
    for step in all_steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
            assert "ref" not in step["with"]


def test_a_fork_gets_neither_a_role_nor_write_permissions() -> None:
    for name, job in JOBS.items():
        if "pull_request" in WORKFLOWS[name.split("/")[0]][True] and job["permissions"] != READ:
            condition = job["if"] + "".join(
                JOBS[f"preview/{name}"].get("if", "") for name in job.get("needs", [])
            )
            assert "github.event.pull_request.head.repo.full_name == github.repository" in condition


def test_each_role_is_assumed_in_one_environment() -> None:
    assert {name: environment(job) for name, job in JOBS.items() if assumes(job)} == ENVIRONMENTS
    assert len(set(ENVIRONMENTS.values())) == len(ENVIRONMENTS)
    assert {name for name, job in JOBS.items() if "id-token" in job["permissions"]} == set(ENVIRONMENTS)
    assert not any(environment(job) for name, job in JOBS.items() if name not in ENVIRONMENTS)


def test_only_main_is_deployed_and_prod_after_dev() -> None:
    assert WORKFLOWS["deploy"][True] == {"push": {"branches": ["main"]}}
    assert JOBS["deploy/prod"]["needs"] == "dev"
    for job in ("dev", "prod"):
        assert [step["run"] for step in steps(JOBS[f"deploy/{job}"]) if "run" in step] == [
            "make deploy",
            "make verify",
        ]
        assert JOBS[f"deploy/{job}"]["env"]["STACK"] == job


def test_the_smoke_stack_is_always_destroyed() -> None:
    *_, credentials, destroy = steps(JOBS["smoke/smoke"])
    assert destroy["run"] == "make destroy"
    assert (credentials["if"], destroy["if"]) == ("always()", "always()")
    # The steps time out before the job, whose timeout would also stop the destroy.
    minutes = [step["timeout-minutes"] for step in steps(JOBS["smoke/smoke"]) if "run" in step]
    assert sum(minutes) + 20 <= JOBS["smoke/smoke"]["timeout-minutes"]


def test_the_installed_cli_is_new_enough() -> None:
    (installed,) = (
        step["with"]["pulumi-version"] for step in all_steps() if "pulumi-version" in step.get("with", {})
    )
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text("utf-8"))
    least = project["requiredPulumiVersion"].removeprefix(">=")
    assert [int(part) for part in installed.split(".")] >= [int(part) for part in least.split(".")]


def test_every_supported_python_is_tested_on_linux_and_macos() -> None:
    matrix = JOBS["test/test"]["strategy"]["matrix"]
    runtimes = re.findall(r"python3\.\d+", (ROOT / "infra/settings.py").read_text("utf-8"))
    assert [f"python{version}" for version in matrix["python"]] == runtimes
    assert [system.split("-")[0] for system in matrix["os"]] == ["ubuntu", "macos"]


def test_the_documentation_lists_all_workflows() -> None:
    page = (ROOT / "docs/ci.md").read_text("utf-8")
    for name in WORKFLOWS:
        assert f"| `{name}" in page, Path(name)
