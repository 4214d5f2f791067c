"""The local stack that these tests share."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner

from cli import queues
from cli.http import client as http_client
from cli.main import app
from tests.end_to_end.operations import Operator
from tests.local_stack import LocalStack
from tests.system import System
from tests.waiting import eventually

NO_PROGRESS_TIMEOUT = 20.0  # seconds; a cold start on a busy machine takes several


@pytest.fixture(scope="session")
def cafe(local_stack: LocalStack) -> Iterator[System]:
    with http_client(local_stack.endpoint, connections=8) as http:
        yield System(local_stack, http)


@pytest.fixture(autouse=True)
def earlier_orders_are_processed(cafe: System) -> None:
    """Wait for the orders of earlier tests: tests check by how much counters grow."""
    progress = [time.monotonic(), cafe.total()]

    def is_idle() -> bool:
        if cafe.depth() and cafe.total() != progress[1]:
            progress[:] = [time.monotonic(), cafe.total()]
        # Messages in flight for longer are malformed, and will be dead letters.
        return cafe.depth() == 0 or time.monotonic() - progress[0] > NO_PROGRESS_TIMEOUT

    eventually(is_idle)


@pytest.fixture
def new_id() -> Callable[[], str]:
    """Return a function that returns a new id at each call."""
    return lambda: f"test-{uuid.uuid4()}"


@pytest.fixture
def operator(cafe: System, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return a function that runs `cafe` on the stack in this process."""
    monkeypatch.setattr(queues, "LONG_POLL", 0)  # local queues respond at once
    monkeypatch.setenv("CAFE_LOCAL_DIRECTORY", str(cafe.stack.directory))
    return lambda *words: CliRunner().invoke(app, list(words))
