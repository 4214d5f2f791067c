"""Simulations on one database, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo

from stores.mysql.login import Login
from tests.dynamodb import DynamoDbTables
from tests.faults.mysql import Database
from tests.faults.simulation import Simulation


class Simulations:
    """Starts simulations, one after the other on one database, each with its own clock."""

    def __init__(self, database: Database, login: Login) -> None:
        self.database = database
        self._login = login
        self._tables = DynamoDbTables()
        self._running: Simulation | None = None

    @contextmanager
    def start(self) -> Iterator[Simulation]:
        """Run a simulation, and close it in the end; a failure comes with its history."""
        simulation = self._running = Simulation(self.database, self._tables, self._login)
        try:
            yield simulation
        except AssertionError as error:
            error.add_note("\n".join(simulation.history))
            raise
        finally:
            simulation.close()

    @contextmanager
    def changed_schema(self) -> Iterator[None]:
        """Restore the unique key in the end, if it is missing then."""
        try:
            yield
        finally:
            if not self.database.execute("SHOW INDEX FROM orders WHERE Key_name = 'orders_order_id'"):
                self.database.execute("DELETE FROM orders")
                self.database.execute("ALTER TABLE orders ADD UNIQUE INDEX orders_order_id (order_id)")

    def now(self, zone: tzinfo) -> datetime:
        """Return the simulated time, in place of `datetime.now`."""
        assert self._running is not None
        return self._running.now.astimezone(zone)

    def timestamp(self) -> float:
        """Return the simulated time, in place of `time.time`."""
        return self.now(UTC).timestamp()
