"""Fixtures: both stores, and the database user of the order status."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from stores.mysql import users
from stores.mysql.connection import MySql
from stores.mysql.login import Login
from tests.stores import FixedLogin, Server, moto_client
from tests.unit.api import Api
from tests.unit.both_stores import BothStores
from tests.unit.buckets import bucket
from tests.unit.dead_letter_queue import Queue

__all__ = ["bucket"]


@pytest.fixture
def both(mysql: MySql, dynamodb: Any) -> BothStores:
    """Both stores, empty, and the code that compares and repairs them."""
    return BothStores(mysql, dynamodb)


@pytest.fixture
def status_login(mysql: MySql, administrator: MySql, server: Server) -> Login:
    """The login of the order status's user, to a schema that is up to date."""
    login = dataclasses.replace(server.login, username="cafe_status", password="another password")
    users.set_up_status(administrator, login)
    return login


@pytest.fixture
def queue(aws: None) -> Queue:
    """A dead-letter queue."""
    return Queue(moto_client("sqs"))


@pytest.fixture
def api(
    both: BothStores, administrator: MySql, status_login: Login, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Api]:
    """The functions of staff and customers, on both stores."""
    status = MySql(FixedLogin(status_login))
    yield Api(both, monkeypatch, status, administrator)
    status.close()
