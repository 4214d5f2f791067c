"""Build the tree of `cafe`'s commands once in each test process; Typer's runner builds it for every call."""

from __future__ import annotations

import functools

import pytest
import typer.main
import typer.testing


def pytest_configure(config: pytest.Config) -> None:
    """Have Typer's runner keep the commands that it has built."""
    patch = pytest.MonkeyPatch()
    patch.setattr(typer.testing, "_get_command", functools.cache(typer.main.get_command))
    config.add_cleanup(patch.undo)
