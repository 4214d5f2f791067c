"""The real local stack as a fixture: started once as `cafe local --detach` starts it, stopped at the end."""

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

# A call without credentials that the gateway passes on, so that the service itself refuses it.
UNSIGNED = {"X-Amz-Target": "none"}


@dataclass(frozen=True, kw_only=True)
class LocalStack:
    """A running local stack, as its `stack.json` describes it."""

    directory: Path
    outputs: dict[str, str]
    endpoint: str
    region: str
    database: dict[str, Any]
    sign_in: dict[str, str] | None = None  # who may sign in, where signing in is wanted

    def client(self, service: str) -> Any:
        """Return a client of the administrator's for a service of the stack."""
        return _client(service, self.region, self.endpoint)


@functools.cache
def _client(service: str, region: str, endpoint: str) -> Any:
    """Make a client once: reading the service's description takes longer than most calls."""
    return clients.session(region).client(service, endpoint_url=endpoint)  # type: ignore[call-overload]


@contextmanager
def started(directory: Path, **settings: str) -> Iterator[LocalStack]:
    """Start a real stack with settings on free ports, and stop it at the end of the `with` statement."""
    options = stack.Options(
        directory=directory,
        port=0,
        database_port=0,
        database_server=database_engine.chosen(),
        settings=settings,
    )
    if stack.detach(options) != 0:
        pytest.fail("the local stack did not start; its reason is in the captured output")
    try:
        document = json.loads((directory / "stack.json").read_text(encoding="utf-8"))
        yield LocalStack(directory=directory, **document)
    finally:
        stack.stop(directory)


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Start the stack that tests share which leave it as it was."""
    with started(tmp_path_factory.mktemp("shared") / "local-stack") as running:
        yield running
