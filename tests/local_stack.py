"""A local stack as a fixture, started as by `cafe local --detach`."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import clients, stack
from tests import database_engine

# Headers of an unsigned call that the gateway admits, so that the service must refuse it.
UNSIGNED = {"X-Amz-Target": "none"}


@dataclass(frozen=True, kw_only=True)
class LocalStack:
    """A running local stack, as its `stack.json` describes it."""

    directory: Path
    outputs: dict[str, str]
    endpoint: str
    region: str
    database: dict[str, Any]
    sign_in: dict[str, str] | None = None  # a user and password, with a sign-in

    def client(self, service: str) -> Any:
        """Return the administrator's client of a service."""
        return _client(service, self.region, self.endpoint)


@functools.cache
def _client(service: str, region: str, endpoint: str) -> Any:
    """Create a client once: loading the service's model takes longer than most calls."""
    return clients.session(region).client(service, endpoint_url=endpoint)  # type: ignore[call-overload]


@contextmanager
def started(directory: Path, **settings: str) -> Iterator[LocalStack]:
    """Run a stack with settings on free ports within the `with` statement."""
    options = stack.Options(
        directory=directory,
        port=0,
        database_port=0,
        database_server=database_engine.chosen(),
        settings=settings,
    )
    if stack.detach(options) != 0:
        pytest.fail("the local stack did not start; see the captured output")
    try:
        document = json.loads((directory / "stack.json").read_text(encoding="utf-8"))
        yield LocalStack(directory=directory, **document)
    finally:
        stack.stop(directory)


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Run the stack that is shared by tests that leave it unchanged."""
    with started(tmp_path_factory.mktemp("shared") / "local-stack") as running:
        yield running


@pytest.fixture(scope="session")
def login_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Run the stack with a sign-in, which tests break and repair."""
    with started(tmp_path_factory.mktemp("login") / "stack", dashboardAccess="login") as running:
        yield running
