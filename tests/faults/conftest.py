"""A street with a real MariaDB and moto's DynamoDB, and the worker's code between model and stores."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

import order_processor
import stores.mysql
import stores.tables
from stores.mysql import MySql
from tests.faults import worker
from tests.faults.cafe import Cafe, Street
from tests.stores import Server


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


@pytest.fixture
def street(
    mysql: MySql, empty_database: Server, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Street]:
    """A place to open cafes in: the schema is up to date, nothing sleeps, every boundary can be hit."""
    login = dataclasses.replace(empty_database.login, username="cafe_user", password="a password")
    street = Street(empty_database, dynamodb, login)
    monkeypatch.setattr(stores.mysql, "time", Clock())
    monkeypatch.setattr(stores.tables, "time", Clock())
    monkeypatch.setattr(order_processor, "ledger", worker.current_ledger)
    monkeypatch.setattr(order_processor, "log", worker.log)
    monkeypatch.setattr(pymysql, "connect", worker.connect(pymysql.connect))
    yield street
    street.close()


@pytest.fixture
def cafe(street: Street) -> Iterator[Cafe]:
    """One cafe."""
    with street.cafe() as cafe:
        yield cafe
