"""Runs one operation of Pulumi's engine with an inline program; call it in a separate process."""

from __future__ import annotations

import os
import re
import runpy
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pulumi import automation
from pulumi.automation import EngineEvent

from infra.recording import PROJECT
from tests.engine.fake_provider import FakeProvider, serving

COLOUR = re.compile(r"<\{%.*?%\}>")


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation for the engine."""

    verb: Literal["preview", "up", "destroy"]
    stack: str
    folder: Path  # with Pulumi.yaml and the stack's settings
    program: Path  # the folder of `__main__.py`
    refused: str  # the resource that the fake providers refuse; empty for none
    environment: dict[str, str]


@dataclass(kw_only=True)
class Step:
    """A step of the engine, or of its plan, with one resource; sequence numbers order all steps."""

    verb: str  # such as `create` or `same`
    urn: str
    begun: int
    ended: int | None = None  # None if it failed

    @property
    def type(self) -> str:
        """Such as `aws:sqs/queue:Queue`."""
        return self.urn.split("::")[2].split("$")[-1]

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.split("::")[3]

    def __str__(self) -> str:
        """Return the resource, such as `Queue OrderQueue`."""
        return f"{self.type.rpartition(':')[2]} {self.name}"


@dataclass(kw_only=True)
class Outcome:
    """The result of an operation."""

    error: str = ""  # error messages of the engine; empty if it succeeded
    steps: list[Step] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)  # of the fake providers
    deleted: list[str] = field(default_factory=list)  # URNs of resources that the providers deleted

    def resources_of(self, *verbs: str) -> set[str]:
        """Return the resources of steps such as `delete`."""
        return {str(step) for step in self.steps if step.verb in verbs}

    @property
    def changed(self) -> set[str]:
        """Return the resources that change."""
        return {str(step) for step in self.steps if step.verb != "same"}

    def step(self, name: str, type_: str) -> Step:
        """Return the step of one resource."""
        (found,) = (step for step in self.steps if (step.name, step.type) == (name, type_))
        return found

    def add(self, event: EngineEvent) -> None:
        """Add an event of the engine."""
        diagnostic = event.diagnostic_event
        if diagnostic and diagnostic.severity == "error":
            self.error += COLOUR.sub("", diagnostic.message)
        if begun := event.resource_pre_event:
            step = Step(verb=begun.metadata.op.value, urn=begun.metadata.urn, begun=event.sequence)
            self.steps.append(step)
        if ended := event.res_outputs_event:
            for step in self.steps:
                if (step.verb, step.urn) == (ended.metadata.op.value, ended.metadata.urn):
                    step.ended = event.sequence


def run(operation: Operation) -> Outcome:
    """Run an operation; return its result, also if it failed."""
    outcome = Outcome()
    aws, random = FakeProvider("aws", operation.refused), FakeProvider("random", operation.refused)
    with serving(aws) as aws_port, serving(random) as random_port:
        os.environ.clear()
        os.environ.update(operation.environment)
        os.environ["PULUMI_DEBUG_PROVIDERS"] = f"aws:{aws_port},random:{random_port}"
        stack = automation.create_or_select_stack(
            operation.stack,
            project_name=PROJECT,
            program=lambda: _run_program(operation.program),
            opts=automation.LocalWorkspaceOptions(work_dir=str(operation.folder)),
        )
        try:
            # Continue with the resources that do not depend on the refused one.
            options = {"continue_on_error": True} if operation.refused else {}
            getattr(stack, operation.verb)(on_event=outcome.add, **options)
        except automation.CommandError as error:
            outcome.error = outcome.error or str(error)
    outcome.secrets = aws.secrets + random.secrets
    outcome.deleted = aws.deleted + random.deleted
    return outcome


def _run_program(folder: Path) -> None:
    """Run the program in a folder, with the modules there."""
    for name in [name for name in sys.modules if name.split(".")[0] == "infra"]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    runpy.run_path(str(folder / "__main__.py"), run_name="__main__")
