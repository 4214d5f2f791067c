"""The local stack that these tests share."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from cli.http import client as http_client
from tests.cafe import Cafe
from tests.local_stack import LocalStack
from tests.waiting import eventually

GIVEN_UP = 20.0  # seconds without progress; a cold start on a busy machine takes several


@pytest.fixture(scope="session")
def cafe(local_stack: LocalStack) -> Iterator[Cafe]:
    with http_client(local_stack.endpoint, connections=8) as http:
        yield Cafe(local_stack, http)


@pytest.fixture(autouse=True)
def nothing_of_others_is_under_way(cafe: Cafe) -> None:
    """Let what earlier tests sent arrive first: tests look at what grows by how much."""
    quiet_since = [time.monotonic(), cafe.total()]

    def is_quiet() -> bool:
        if cafe.depth() and cafe.total() != quiet_since[1]:
            quiet_since[:] = [time.monotonic(), cafe.total()]
        # What is in flight for longer is malformed, and waits to be given up.
        return cafe.depth() == 0 or time.monotonic() - quiet_since[0] > GIVEN_UP

    eventually(is_quiet)


@pytest.fixture
def new_id() -> Callable[[], str]:
    """Make ids that no other test uses."""
    return lambda: f"test-{uuid.uuid4()}"
