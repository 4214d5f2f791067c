"""Upgrades of stacks that earlier releases deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import releases
from tests.engine.conftest import DeployedStack
from tests.engine.stack import Stack, lost


@pytest.mark.parametrize("release", ["first", "previous"])
def test_an_upgrade_replaces_nothing_that_holds_data_and_ends_with_the_resources_of_a_new_stack(
    deployed: DeployedStack, release: str, pulumi: Path, tmp_path: Path
) -> None:
    name = deployed.stack.name
    stack = Stack.of_state(name, pulumi, tmp_path, releases.state(release, name))
    upgrade = stack.up()
    assert upgrade.error == ""
    assert lost(upgrade) == set()
    assert stack.urns == deployed.stack.urns
