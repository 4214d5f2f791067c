"""The local stack that these tests break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.http import client as http_client
from tests.local_stack import LocalStack
from tests.system import System


@pytest.fixture(scope="session")
def cafe(login_stack: LocalStack) -> Iterator[System]:
    with http_client(login_stack.endpoint) as http:
        yield System(login_stack, http)
