"""The program's resources, recorded once for each stack."""

from __future__ import annotations

import functools
import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from infra.recording import record

# The most that there may be, in the longest form.
NETWORKS = [f"2001:db8:ffff:ffff:ffff:ffff:ffff:{number:x}00/120" for number in range(0xC0, 0xF2)]


@dataclass(frozen=True)
class Resource:
    """What the program registered."""

    urn: str
    type: str
    name: str
    custom: bool
    parent: str
    protect: bool
    retained: bool
    delete_timeout: str
    depends_on: list[str]
    ignore_changes: list[str]
    replace_on_changes: list[str]
    secret_inputs: list[str]
    inputs: dict[str, Any]

    def policy(self, key: str = "policy") -> list[dict[str, Any]]:
        """Read the statements of a policy."""
        statements: list[dict[str, Any]] = json.loads(self.inputs[key])["Statement"]
        return statements


@dataclass(frozen=True)
class Program:
    """A run of the program."""

    resources: list[Resource]
    outputs: dict[str, Any]
    warnings: str
    _by_name: dict[tuple[str, str], Resource] = field(default_factory=dict)

    def all(self, kind: str) -> list[Resource]:
        """Find the resources of a type such as `sqs/queue:Queue`."""
        return [resource for resource in self.resources if resource.type == f"aws:{kind}"]

    def one(self, kind: str, name: str | None = None) -> Resource:
        """Find one resource by its type, and by its name where there are several."""
        found = [resource for resource in self.all(kind) if name in (None, resource.name)]
        assert len(found) == 1, f"{len(found)} of {kind} {name}"
        return found[0]


# Each run is forked from a process that has imported what takes the longest.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["infra.recording", "tests.program.preload"])


# What a cafe sets for itself, as the README tells it to: its tests pass all the same.
OF_THE_CAFE = {
    "alarmEmail": "",
    "dashboardUsers": "[]",
    "manageApiGatewayAccount": "true",
    "timeZone": "UTC",
}


def recorded(stack: str, **changes: str) -> Program:
    """Record a run of the program with some settings changed."""
    with ProcessPoolExecutor(1, FORKS) as apart:
        document = apart.submit(record, stack, {**OF_THE_CAFE, **changes}).result()
    resources = [Resource(**resource) for resource in document["resources"]]
    return Program(resources, document["outputs"], document["warnings"])


@functools.cache
def changed(**changes: str) -> Program:
    """Record `dev` with other settings, the same ones only once."""
    return recorded("dev", **changes)


@pytest.fixture(scope="session")
def dev() -> Program:
    return recorded("dev")


@pytest.fixture(scope="session")
def prod() -> Program:
    return recorded("prod")


@pytest.fixture(params=["dev", "prod"])
def program(request: pytest.FixtureRequest) -> Program:
    """Each stack in its turn."""
    program: Program = request.getfixturevalue(request.param)
    return program


@pytest.fixture
def with_settings() -> Callable[..., Program]:
    """Record `dev` with other settings."""
    return changed


@pytest.fixture(scope="session")
def limited() -> Program:
    """`dev`, but its status is for as many networks as there may be, and its orders want a key."""
    return changed(
        dashboardAccess="cidrs",
        dashboardCidrs=json.dumps(NETWORKS),
        ordersApiKey="true",
        customerNames="none",
        timeZone="Europe/Berlin",
        locale="de-DE",
    )


@pytest.fixture(scope="session")
def invited() -> Program:
    """`dev`, but two people may sign in."""
    return changed(dashboardAccess="login", dashboardUsers='["ada@example.org", "BO@example.org"]')
