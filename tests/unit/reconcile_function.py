"""`ReconcileOrders` on the stores of a test."""

from __future__ import annotations

from typing import Any

import pytest

import environment
import reconcile_orders
from orders.ledger import Ledger
from orders.reconciliation import Clock
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.sqs import DeadLetters
from tests.stores import BERLIN
from tests.unit.both_stores import BothStores
from tests.unit.dead_letter_queue import Queue


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def call(**event: Any) -> dict[str, Any]:
    """Invoke the function."""
    return reconcile_orders.handler(event, Context())


def use(monkeypatch: pytest.MonkeyPatch, both: BothStores, mysql: MySql, queue: Queue) -> None:
    """Have the function use these stores."""
    parts: dict[str, Any] = {
        "mysql": mysql,
        "projection": both.projection,
        "findings": both.metrics,
        "ledger": Ledger(OrdersDatabase(mysql, BERLIN), both.projection, BERLIN),
        "dead_letters": DeadLetters(queue.url, client=queue.client),
    }
    for name, part in parts.items():
        monkeypatch.setattr(reconcile_orders, name, lambda part=part: part)
    # Orders recorded just now are old enough to be compared.
    monkeypatch.setattr(
        reconcile_orders, "Clock", lambda seconds_left: Clock(both.now, both.sleep, seconds_left)
    )
    monkeypatch.setattr(reconcile_orders, "LoginSecret", lambda _: mysql._login)
    monkeypatch.setattr(environment, "time_zone", lambda: BERLIN)
    monkeypatch.setenv("DATABASE_SECRET", "secret")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "ReconcileOrders-dev")
