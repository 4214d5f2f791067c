"""Upgrades of stacks that earlier releases deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import releases
from tests.engine.conftest import Life
from tests.engine.stack import Stack, lost


@pytest.mark.parametrize("release", ["first", "previous"])
def test_an_upgrade_replaces_nothing_that_holds_data_and_leaves_what_a_new_stack_has(
    life: Life, release: str, pulumi: Path, tmp_path: Path
) -> None:
    name = life.stack.name
    stack = Stack.of_state(name, pulumi, tmp_path, releases.state(release, name))
    upgrade = stack.up()
    assert upgrade.error == ""
    assert lost(upgrade) == set()
    assert stack.urns == life.stack.urns
