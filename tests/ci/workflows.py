"""The workflows, their jobs and actions, parsed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from infra.recording import ROOT

WORKFLOW_FILES = list((ROOT / ".github/workflows").glob("*.yml"))
ACTION_FILES = list((ROOT / ".github/actions").glob("*/action.yml"))
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in WORKFLOW_FILES}
ACTIONS = {path.parent.name: yaml.safe_load(path.read_text("utf-8")) for path in ACTION_FILES}
JOBS = {
    f"{name}/{job}": body for name, workflow in WORKFLOWS.items() for job, body in workflow["jobs"].items()
}
# Environments of the jobs that assume a role; deploy/github trusts exactly these.
ENVIRONMENTS = {
    "preview/preview": "preview",
    "deploy/dev": "dev",
    "deploy/prod": "prod",
    "drift/drift": "drift",
    "smoke/smoke": "smoke",
}


def steps(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the steps of a job or an action."""
    yield from body.get("steps") or body["runs"]["steps"]


def all_steps() -> Iterator[dict[str, Any]]:
    """Yield the steps of all jobs and actions."""
    for body in [*JOBS.values(), *ACTIONS.values()]:
        yield from steps(body)
