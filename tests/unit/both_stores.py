"""Both stores for tests that compare them: MySQL for real, DynamoDB in the process, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from orders.audit import MARKERS, AuditResult, audit
from orders.erasure import Eraser
from orders.ledger import Ledger
from orders.order import Order
from orders.reconciliation import GRACE, Clock, Outcome, Reconciler
from orders.sync import RdsOrders
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.erased_ids import ErasedIds
from stores.dynamodb.metrics import Metrics
from stores.dynamodb.projection import Projection
from stores.mysql.audit import AuditDatabase
from stores.mysql.connection import MySql
from stores.mysql.erasure import ErasureDatabase
from stores.mysql.orders import OrdersDatabase
from stores.mysql.reconciliation import ReconciliationDatabase
from tests.dynamodb import ERASED, NAMES
from tests.stores import BERLIN


class BothStores:
    """Both stores, and the code that compares and repairs them."""

    def __init__(self, mysql: MySql, dynamodb: Any) -> None:
        self.mysql = mysql
        self.dynamodb = dynamodb
        client = DynamoDb(client=dynamodb)
        self.database = OrdersDatabase(mysql, BERLIN)
        self.projection = Projection(client, NAMES, BERLIN)
        self.ledger = Ledger(self.database, self.projection, BERLIN)
        self.rows = ReconciliationDatabase(mysql, BERLIN)
        self.metrics = Metrics(client, NAMES.metrics)
        self.slept = timedelta(0)
        self.left = float("inf")
        self.clock = Clock(now=self.now, sleep=self.sleep, seconds_left=lambda: self.left)
        self.reconciler = Reconciler(self.rows, self.projection, BERLIN, self.clock)
        self.erased_ids = ErasedIds(client, ERASED)
        rows = ErasureDatabase(mysql, BERLIN)
        self.eraser = Eraser(rows, self.projection, self.erased_ids, lambda: self.left)

    def now(self) -> datetime:
        """Return a time at which orders recorded until now are old enough to be compared."""
        return datetime.now(UTC) + GRACE + timedelta(seconds=1) + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += timedelta(seconds=seconds)

    def record(self, orders: Sequence[Order]) -> None:
        """Record orders in both stores."""
        failures = self.ledger.record({order.order_id: order for order in orders})
        assert failures == {}, failures

    def insert(self, orders: Sequence[Order]) -> None:
        """Record orders in MySQL alone, as a worker that stops after its commit."""
        self.database.record(sorted(orders, key=lambda order: order.order_id))

    def recent(self, last: RdsOrders | None = None) -> Outcome:
        """Compare recent orders."""
        outcome = Outcome()
        self.reconciler.recent(last or RdsOrders(), outcome)
        return outcome

    def audit(self) -> AuditResult:
        """Compare the counters in MySQL with the rows."""
        return audit(AuditDatabase(self.mysql), BERLIN, lambda: self.left)

    def compare_all_counters(self) -> Outcome:
        """Compare every counter in DynamoDB with MySQL's."""
        outcome = Outcome()
        self.reconciler.compare_all_counters(outcome)
        return outcome

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement as the application's user."""

        def run(cursor: Any) -> list[tuple[Any, ...]]:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

        return self.mysql.run(run)

    @property
    def counters(self) -> dict[str, int]:
        """The counters in MySQL that are not 0, without markers."""
        found = self.sql("SELECT name, value FROM counters WHERE value <> 0")
        counters = {bytes(name).decode(): int(value) for name, value in found}
        return {name: value for name, value in counters.items() if not name.startswith(MARKERS)}

    @property
    def projected(self) -> dict[str, int]:
        """The counters in DynamoDB that are not 0."""
        found = self.projection.read(self.projection.names())
        return {name: counted.value for name, counted in found.items()}

    @property
    def states(self) -> dict[str, tuple[str, int]]:
        """The state and the version of each order in DynamoDB."""
        return {
            item["orderId"]["S"]: (item["order_state"]["S"], int(item["state_version"]["N"]))
            for item in self.dynamodb.scan(TableName=NAMES.orders)["Items"]
            if "order_state" in item
        }

    @property
    def states_in_mysql(self) -> dict[str, tuple[str, int]]:
        """The state and the version of each order in MySQL."""
        found = self.sql("SELECT order_id, state, state_version FROM orders WHERE state IS NOT NULL")
        return {order_id: (state, version) for order_id, state, version in found}

    def rows_read(self, work: Callable[[], object]) -> int:
        """Return how many rows of any table the session reads during work."""

        def read() -> int:
            return sum(int(value) for _, value in self.sql("SHOW SESSION STATUS LIKE 'Handler_read%%'"))

        before = read()
        work()
        return read() - before

    @property
    def items(self) -> set[str]:
        """The ids of the orders in DynamoDB."""
        return {item["orderId"]["S"] for item in self.dynamodb.scan(TableName=NAMES.orders)["Items"]}


def orders(*numbers: int, sent_at: datetime | None = None, item: str = "Latte", **fields: Any) -> list[Order]:
    """Make orders with the ids `o1`, `o2`, ..."""
    at = sent_at or datetime.now(UTC).replace(microsecond=0)
    return [Order(f"o{number}", at, item, 2, **fields) for number in numbers]
