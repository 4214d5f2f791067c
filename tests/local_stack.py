"""The real local stack as a fixture: started once as `cafe local --detach` starts it, stopped at the end.

Test processes of one run (pytest-xdist) share it: the first to need it starts it, the last to end stops it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from local import ministack, stack


@dataclass(frozen=True, kw_only=True)
class LocalStack:
    """A running local stack, as its `stack.json` describes it."""

    directory: Path
    outputs: dict[str, str]
    endpoint: str
    region: str
    database: dict[str, Any]

    def client(self, service: str) -> Any:
        """Return a client of the administrator's for a service of the stack."""
        return boto3.session.Session().client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=ministack.ACCESS_KEY,
            aws_secret_access_key=ministack.SECRET_KEY,
        )


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Start the real stack on free ports, or join the one that another test process has started."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    directory = base / "local-stack"
    users = base / "local-stack-users"
    with _exclusively(users) as count:
        if count.read() == 0:
            options = stack.Options(directory=directory, port=0, database_port=0)
            if stack.detach(options) != 0:
                pytest.fail("the local stack did not start; its reason is in the captured output")
        count.write(count.read() + 1)
    try:
        document = json.loads((directory / "stack.json").read_text(encoding="utf-8"))
        yield LocalStack(directory=directory, **document)
    finally:
        with _exclusively(users) as count:
            count.write(count.read() - 1)
            if count.read() == 0:
                stack.stop(directory)


@dataclass(frozen=True)
class _Count:
    """A number in a file."""

    descriptor: int

    def read(self) -> int:
        return int(os.pread(self.descriptor, 16, 0) or 0)

    def write(self, number: int) -> None:
        os.pwrite(self.descriptor, f"{number:<8}".encode(), 0)


@contextmanager
def _exclusively(path: Path) -> Iterator[_Count]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield _Count(descriptor)
    finally:
        os.close(descriptor)
