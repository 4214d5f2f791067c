"""The program's resources, recorded once per stack."""

from __future__ import annotations

import atexit
import functools
import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from infra.recording import record

# The maximum number of networks, in the longest notation
NETWORKS = [f"2001:db8:ffff:ffff:ffff:ffff:ffff:{number:x}00/120" for number in range(0xC0, 0xF2)]


@dataclass(frozen=True)
class Resource:
    """A resource that the program registered."""

    urn: str
    type: str
    name: str
    custom: bool
    parent: str
    protect: bool
    retained: bool
    create_timeout: str
    delete_timeout: str
    depends_on: list[str]
    ignore_changes: list[str]
    replace_on_changes: list[str]
    secret_inputs: list[str]
    inputs: dict[str, Any]

    def policy(self, key: str = "policy") -> list[dict[str, Any]]:
        """Return the statements of a policy."""
        statements: list[dict[str, Any]] = json.loads(self.inputs[key])["Statement"]
        return statements


@dataclass(frozen=True)
class Program:
    """Resources, outputs and warnings of a run of the program."""

    resources: list[Resource]
    outputs: dict[str, Any]
    warnings: str

    def all(self, kind: str) -> list[Resource]:
        """Return the resources of a type such as `sqs/queue:Queue`."""
        return [resource for resource in self.resources if resource.type == f"aws:{kind}"]

    def one(self, kind: str, name: str | None = None) -> Resource:
        """Return one resource by its type and, if there are several, by its name."""
        found = [resource for resource in self.all(kind) if name in (None, resource.name)]
        assert len(found) == 1, f"{len(found)} of {kind} {name}"
        return found[0]

    def page_settings(self) -> dict[str, Any]:
        """Return the settings that the pages load."""
        script = str(self.one("s3/bucketObjectv2:BucketObjectv2", "config.js").inputs["content"])
        assert script.startswith("export const settings = ")
        assert script.endswith(";\n")
        settings: dict[str, Any] = json.loads(script.removeprefix("export const settings = ")[:-2])
        return settings

    def behavior(self, origin: str) -> dict[str, Any]:
        """Return CloudFront's cache behavior of `page`, or the default one of `api`."""
        distribution = self.one("cloudfront/distribution:Distribution").inputs
        default, others = distribution["defaultCacheBehavior"], distribution["orderedCacheBehaviors"]
        found: dict[str, Any] = default if origin == "page" else others[-1]
        return found


# Processes for runs are forked from one with the slow imports.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["infra.recording", "tests.program.preload"])


# Overrides settings that a cafe changes in its own repository, so that these tests pass there, too.
NEUTRAL = {
    "alarmEmail": "",
    "dashboardUsers": "[]",
    "manageApiGatewayAccount": "true",
    "timeZone": "UTC",
}


@functools.cache
def runs() -> ProcessPoolExecutor:
    """Return the process for runs of the program, which is replaced after some: it never frees memory."""
    process = ProcessPoolExecutor(1, FORKS, max_tasks_per_child=10)
    atexit.register(process.shutdown)
    return process


def recorded(stack: str, **changes: str) -> Program:
    """Record a run of the program with changed settings."""
    document = runs().submit(record, stack, {**NEUTRAL, **changes}).result()
    resources = [Resource(**resource) for resource in document["resources"]]
    return Program(resources, document["outputs"], document["warnings"])


@functools.cache
def changed(**changes: str) -> Program:
    """Record `dev` with changed settings, once for the same ones."""
    return recorded("dev", **changes)


@pytest.fixture(scope="session")
def dev() -> Program:
    return recorded("dev")


@pytest.fixture(scope="session")
def prod() -> Program:
    return recorded("prod")


@pytest.fixture(params=["dev", "prod"])
def program(request: pytest.FixtureRequest) -> Program:
    """The program of each stack."""
    program: Program = request.getfixturevalue(request.param)
    return program


@pytest.fixture
def with_settings() -> Callable[..., Program]:
    """Record `dev` with changed settings."""
    return changed


@pytest.fixture(scope="session")
def limited() -> Program:
    """`dev` with `cidrs`, the maximum number of networks, and an API key for orders."""
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
    """`dev` with `login` and two users."""
    return changed(dashboardAccess="login", dashboardUsers='["ada@example.org", "BO@example.org"]')
