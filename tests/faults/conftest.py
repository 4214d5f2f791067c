"""A real database server and DynamoDB in memory, and the worker's code between model and stores."""

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
from tests.faults import worker
from tests.faults.cafe import Cafe, Street
from tests.faults.tables import Tables
from tests.stores import MIGRATIONS, FixedLogin, Server


class Clock:
    """Stands in for `time`: what it is asked to wait has passed."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        """Tell the seconds that were waited."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Wait without waiting."""
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
        master.close()
    return login


@pytest.fixture
def street(server: Server, login: Login, monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    """A place to open cafes in: nothing sleeps, and every boundary can be hit."""
    street = Street(server, Tables(), login)
    monkeypatch.setattr(stores.mysql.connection, "CERTIFICATE_AUTHORITY", server.authority)
    monkeypatch.setattr(stores.mysql.connection, "time", Clock())
    monkeypatch.setattr(stores.dynamodb.client, "time", Clock())
    # So few that a batch needs several calls.
    monkeypatch.setattr(stores.dynamodb.projection, "MAX_PUTS", 2)
    monkeypatch.setattr(stores.mysql.orders, "datetime", street)
    monkeypatch.setattr(stores.mysql.orders, "time", SimpleNamespace(time=street.timestamp))
    monkeypatch.setattr(stores.mysql.reconciliation, "datetime", street)
    monkeypatch.setattr(orders.ledger, "datetime", street)
    monkeypatch.setattr(orders.audit, "datetime", street)
    monkeypatch.setattr(order_processor, "ledger", worker.current_ledger)
    monkeypatch.setattr(order_processor, "log_each", lambda *_: None)
    monkeypatch.setattr(failure_log, "log", worker.log)
    # The model decides when a message comes again: at any time.
    monkeypatch.setattr(order_processor, "back_off", lambda *_, **__: None)
    monkeypatch.setattr(pymysql, "connect", worker.connect(pymysql.connect))
    yield street
    street.close()


@pytest.fixture
def cafe(street: Street) -> Iterator[Cafe]:
    """One cafe."""
    with street.cafe() as cafe:
        yield cafe
