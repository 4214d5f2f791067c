"""Fixtures: simulations on a real database server and on DynamoDB in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from types import SimpleNamespace

import pymysql
import pytest
from pymysql.constants import CLIENT

import failure_log
import order_processor
import orders.audit
import orders.ledger
import stores.dynamodb.client
import stores.dynamodb.projection
import stores.mysql.connection
import stores.mysql.orders
import stores.mysql.reconciliation
from stores.mysql import migrations, users
from stores.mysql.connection import MySql
from stores.mysql.login import Login
from tests.faults import process
from tests.faults.mysql import Database
from tests.faults.simulation import Simulation
from tests.faults.simulations import Simulations
from tests.stores import MIGRATIONS, FixedLogin, Server


class Clock:
    """Stands in for `time`: sleeping only moves the clock."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        """Return the seconds that were slept."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self._now += seconds


@pytest.fixture(scope="session")
def login(server: Server) -> Login:
    """The login to a database of these tests' own, whose schema is up to date."""
    administrator = dataclasses.replace(server.login, database="cafe_faults")
    login = dataclasses.replace(administrator, username="cafe_faults", password="a password")
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE cafe_faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores.mysql.connection, "CERTIFICATE_AUTHORITY", server.authority)
        master = MySql(FixedLogin(administrator), client_flag=CLIENT.MULTI_STATEMENTS)
        migrations.migrate(master, migrations.read(MIGRATIONS))
        users.set_up_worker(master, login)
        master.read(lambda cursor: cursor.execute("ALTER USER cafe_faults@'%' REQUIRE NONE"))
        master.close()
    return login


@pytest.fixture
def simulations(server: Server, login: Login, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulations]:
    """Simulations: nothing sleeps, and every boundary can be hit."""
    database = Database(server.connect(login.database))
    simulations = Simulations(database, login)
    monkeypatch.setattr(
        stores.mysql.connection, "ssl", SimpleNamespace(create_default_context=lambda **_: None)
    )
    monkeypatch.setattr(stores.mysql.connection, "time", Clock())
    monkeypatch.setattr(stores.dynamodb.client, "time", Clock())
    # So few that a batch needs several calls.
    monkeypatch.setattr(stores.dynamodb.projection, "MAX_PUTS", 2)
    monkeypatch.setattr(stores.mysql.orders, "datetime", simulations)
    monkeypatch.setattr(stores.mysql.orders, "time", SimpleNamespace(time=simulations.timestamp))
    monkeypatch.setattr(stores.mysql.reconciliation, "datetime", simulations)
    monkeypatch.setattr(orders.ledger, "datetime", simulations)
    monkeypatch.setattr(orders.audit, "datetime", simulations)
    monkeypatch.setattr(order_processor, "ledger", process.current_ledger)
    monkeypatch.setattr(order_processor, "log_each", lambda *_: None)
    monkeypatch.setattr(failure_log, "log", process.log)
    # The simulation decides when a message is received again.
    monkeypatch.setattr(order_processor, "back_off", lambda *_, **__: None)
    monkeypatch.setattr(pymysql, "connect", process.faulty(pymysql.connect))
    yield simulations
    database.close()


@pytest.fixture
def simulation(simulations: Simulations) -> Iterator[Simulation]:
    """One simulation."""
    with simulations.start() as simulation:
        yield simulation
