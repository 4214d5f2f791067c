"""Deployed stacks, each deployed once; a test that changes one copies it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine import cli
from tests.engine.operation import Outcome
from tests.engine.stack import Stack


@dataclass(frozen=True)
class Life:
    """The beginning of a stack."""

    stack: Stack
    first_preview: Outcome
    deploy: Outcome
    second_preview: Outcome


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests where there is no CLI."""
    try:
        cli.find(cli.search_path())
    except cli.NoCliError as error:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=str(error)))


@pytest.fixture(scope="session")
def pulumi() -> Path:
    """Pulumi's CLI."""
    return cli.find(cli.search_path())


def live(name: str, pulumi: Path, factory: pytest.TempPathFactory) -> Life:
    """Preview, deploy, preview again."""
    stack = Stack.new(name, pulumi, factory.mktemp(name))
    return Life(stack, stack.preview(), stack.up(), stack.preview())


@pytest.fixture(scope="session")
def dev(pulumi: Path, tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live("dev", pulumi, tmp_path_factory)


@pytest.fixture(scope="session")
def prod(pulumi: Path, tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live("prod", pulumi, tmp_path_factory)


@pytest.fixture(params=["dev", "prod"])
def life(request: pytest.FixtureRequest) -> Life:
    """Each stack in its turn."""
    life: Life = request.getfixturevalue(request.param)
    return life
