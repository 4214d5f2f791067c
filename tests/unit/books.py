"""Both stores for tests of what compares them: MariaDB for real, DynamoDB in the process, and a clock."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from orders import counters
from orders.ledger import Ledger
from orders.order import Order
from orders.reconciliation import Clock, Reconciler
from stores.dynamodb.metrics import OrderCounts
from stores.dynamodb.tables import OrdersTables, TableNames
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.mysql.rows import OrderRows

BERLIN = ZoneInfo("Europe/Berlin")
NAMES = TableNames("Orders", "CafeMenu", "CafeOrderMetrics")
# Transactions are small: moto takes seconds for a hundred actions.
MAX_ACTIONS = 12


class OneAtATime:
    """A client of moto's, whose transactions are none for other threads."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**request: Any) -> Any:
            with self._lock:
                return method(**request)

        return call


class Time:
    """Time that passes when somebody waits, or is told to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.left = 600.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.pass_by(timedelta(seconds=seconds))

    def pass_by(self, time: timedelta) -> None:
        self.now += time

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep, left=lambda: self.left)


class Books:
    """Both stores, and what works on them."""

    def __init__(self, mysql: MySql, client: Any) -> None:
        self.client = OneAtATime(client)
        self.mysql = mysql
        self.time = Time()
        self.database = OrdersDatabase(mysql)
        self.rows = OrderRows(mysql)
        self.tables = OrdersTables(NAMES, BERLIN, self.client, max_actions=MAX_ACTIONS)
        self.counts = OrderCounts(NAMES, self.client, max_actions=MAX_ACTIONS)
        self.ledger = Ledger(self.database, self.tables)

    @property
    def reconciler(self) -> Reconciler:
        """A run of its own."""
        return Reconciler(self.rows, self.counts, self.ledger, BERLIN, self.time.clock())

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        def run(cursor: Any) -> list[tuple[Any, ...]]:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

        return self.mysql.run(run)

    def add(self, table: str, key: str, value: str, counter: str, number: int) -> None:
        """Change a counter behind everybody's back."""
        self.client.update_item(
            TableName=table,
            Key={key: {"S": value}},
            UpdateExpression="ADD #counter :number",
            ExpressionAttributeNames={"#counter": counter},
            ExpressionAttributeValues={":number": {"N": str(number)}},
        )

    def item(self, table: str, key: str, value: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_item(TableName=table, Key={key: {"S": value}}).get("Item", {})
        return found

    def counted(self) -> tuple[dict[str, int], dict[str, int]]:
        """Read every counter that is not 0."""
        metrics, menu = self.counts.everything()
        metrics.pop(counters.RDS_ORDERS, None)
        return {k: n for k, n in metrics.items() if n}, {k: n for k, n in menu.items() if n}

    def expected(self) -> tuple[Counter[str], Counter[str]]:
        """Sum up what the counters should be, from the table."""
        tally = counters.tally((row.order for row in self.rows.recent(0, 10**6)), BERLIN)
        return tally.metrics, tally.menu

    def kept(self) -> int:
        """Count the orders in DynamoDB."""
        return int(self.client.scan(TableName="Orders", Select="COUNT")["Count"])


def orders(*ids: str, item: str = "Latte", sent_at: datetime | None = None) -> list[Order]:
    """Make orders of now."""
    moment = sent_at or datetime.now(UTC).replace(microsecond=0)
    return [Order(order_id, moment, item, 2, "Ann", {"table": 4}) for order_id in ids]


def ids(count: int, start: int = 0) -> Sequence[str]:
    return [f"o{number}" for number in range(start, start + count)]
