"""A local stack to be broken, which nobody else uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.http import client as http_client
from tests.local_stack import started
from tests.system import System


@pytest.fixture(scope="session")
def cafe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with (
        started(tmp_path_factory.mktemp("chaos") / "local-stack") as stack,
        http_client(stack.endpoint) as http,
    ):
        yield System(stack, http)
