"""Fixtures for tests of every kind, and the order in which processes run them."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from local.database.engine import Engine
from tests import database_engine

if TYPE_CHECKING:
    from xdist.remote import Producer  # type: ignore[import-untyped]
    from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

# Nothing that is imported before the first test is garbage.
gc.disable()

pytest_plugins = [
    "tests.environment",
    "tests.time_limit",
    "tests.command",
    "tests.chromium",
    "tests.local_stack",
    "tests.stores",
]

# Kinds that share an expensive fixture: all files of a kind run in one process.
IN_ONE_PROCESS = ("end_to_end", "engine", "program", "chaos")
# Folders and files that use another kind's local stack; in another process they would start a second one.
SHARING_A_STACK = {
    "access": "chaos",
    "tests/local/test_foreign_pages.py": "end_to_end",
    "tests/local/test_gateway_wire.py": "end_to_end",
    "tests/local/test_local_stack.py": "end_to_end",
}


class KindsSideBySide(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Assigns tests by file, so that all processes end together, and some kinds as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        folder = file.split("/")[1]
        kind = SHARING_A_STACK.get(file) or SHARING_A_STACK.get(folder, folder)
        return kind if kind in IN_ONE_PROCESS else file

    def remove_node(self, node: WorkerController) -> str | None:
        """Return the test that ended its process; pytest-xdist alone would run it again in the next one."""
        units = self.assigned_work[node]
        ended = next((test for unit in units.values() for test, done in unit.items() if not done), None)
        for unit in units.values():
            if ended in unit:
                unit[ended] = True
        self.assigned_work[node] = {scope: unit for scope, unit in units.items() if not all(unit.values())}
        super().remove_node(node)
        return ended


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the database server, such as `make test ARGS=--database-server=mysql`."""
    parser.addoption(
        "--database-server",
        choices=[each.value for each in Engine],
        default=database_engine.chosen().value,
        help="the server in place of RDS, in tests and in the stacks that they start (default: mariadb)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Set the database server for the programs that tests start."""
    os.environ[database_engine.VARIABLE] = config.getoption("--database-server")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a database server: `make quick` leaves them out."""
    for item in items:
        if isinstance(item, pytest.Function) and "server" in item.fixturenames:
            item.add_marker("database")


def pytest_collection_finish() -> None:
    """Enable garbage collection, without the objects that were imported until now."""
    gc.freeze()
    # Rarely: with Python's thresholds, it takes a fifth of the time, mostly on objects that stay.
    gc.set_threshold(20_000, 10, 50)
    gc.enable()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> KindsSideBySide:
    """Have pytest-xdist assign tests by their kind."""
    return KindsSideBySide(config, log)
