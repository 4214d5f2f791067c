"""Fixtures for tests of every kind, and which of them may run at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["tests.local_stack", "tests.stores"]

TESTS = Path(__file__).parent
# These look at or change the one local stack, and must not meet.
ON_THE_LOCAL_STACK = ("end_to_end", "local")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each kind of tests run in one process, next to another kind in another (pytest-xdist)."""
    for item in items:
        kind = item.path.relative_to(TESTS).parts[0]
        group = "local_stack" if kind in ON_THE_LOCAL_STACK else kind
        item.add_marker(pytest.mark.xdist_group(group))
