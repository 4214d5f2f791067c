"""Deployed stacks, each deployed once; tests copy a stack before they change it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine import cli
from tests.engine.operation import Outcome
from tests.engine.stack import Stack


@dataclass(frozen=True)
class DeployedStack:
    """A stack, and the results of its first operations."""

    stack: Stack
    first_preview: Outcome
    deploy: Outcome
    second_preview: Outcome


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests without the Pulumi CLI."""
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


def deploy(name: str, pulumi: Path, factory: pytest.TempPathFactory) -> DeployedStack:
    """Preview a stack, deploy it, and preview it again."""
    stack = Stack.new(name, pulumi, factory.mktemp(name))
    return DeployedStack(stack, stack.preview(), stack.up(), stack.preview())


@pytest.fixture(scope="session")
def dev(pulumi: Path, tmp_path_factory: pytest.TempPathFactory) -> DeployedStack:
    return deploy("dev", pulumi, tmp_path_factory)


@pytest.fixture(scope="session")
def prod(pulumi: Path, tmp_path_factory: pytest.TempPathFactory) -> DeployedStack:
    return deploy("prod", pulumi, tmp_path_factory)


@pytest.fixture(params=["dev", "prod"])
def deployed(request: pytest.FixtureRequest) -> DeployedStack:
    """Each deployed stack."""
    deployed: DeployedStack = request.getfixturevalue(request.param)
    return deployed
