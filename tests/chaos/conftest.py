"""A local stack to be broken, which nobody else uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.http import client as http_client
from tests.cafe import Cafe
from tests.local_stack import started


@pytest.fixture(scope="session")
def cafe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cafe]:
    with (
        started(tmp_path_factory.mktemp("chaos") / "local-stack") as stack,
        http_client(stack.endpoint) as http,
    ):
        yield Cafe(stack, http)
