"""Fixtures for tests of every kind."""

from __future__ import annotations

pytest_plugins = ["tests.local_stack", "tests.stores"]
