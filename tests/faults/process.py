"""A worker's process: the real code, with a boundary on each side of every call that leaves it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pymysql
import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from pymysql.connections import Connection
from pymysql.constants import ER
from pymysql.cursors import Cursor

from local.database.engine import Engine
from orders.ledger import Ledger
from orders.reconciliation import Clock, Reconciler
from stores.dynamodb.client import DynamoDb, Item
from stores.dynamodb.projection import Projection
from stores.mysql.connection import MySql
from stores.mysql.login import LoginSecret
from stores.mysql.orders import OrdersDatabase
from stores.mysql.reconciliation import ReconciliationDatabase
from tests import database_engine, dynamodb
from tests.dynamodb import NAMES
from tests.faults.faults import LOST, Fault, Place, after, before
from tests.faults.runs import Run, current

if TYPE_CHECKING:
    from tests.faults.simulation import Simulation

    _Connection = Connection[Cursor]
else:
    _Connection = Connection  # subscriptable for the type checker alone
T = TypeVar("T")

TIMEOUT = 120  # seconds; no call of a simulation takes that long


class Process:
    """A worker's process: its connection to MySQL, its secret, and the worker's objects on them."""

    def __init__(self, simulation: Simulation) -> None:
        self.connection: FaultyConnection | None = None
        self.mysql = MySql(
            LoginSecret("CafeDevDBSM", _Secrets(simulation)), timeout=TIMEOUT, idle=simulation.session_timeout
        )
        zone = simulation.zone
        projection = Projection(DynamoDb(client=_DynamoDb(simulation)), NAMES, zone)
        projection._threads = _OneByOne()  # type: ignore[assignment]
        self.ledger = Ledger(OrdersDatabase(self.mysql, zone), projection, zone)
        # A minute ahead: nothing is too recent to be compared.
        clock = Clock(now=lambda: simulation.now + timedelta(minutes=1), sleep=lambda _: None)
        self.reconciler = Reconciler(ReconciliationDatabase(self.mysql, zone), projection, zone, clock)

    def end(self) -> None:
        """Cut the connection."""
        if self.connection is not None:
            self.connection.cut()


def current_ledger() -> Ledger:
    """Stand in for `order_processor.ledger`, of which there is one per process."""
    run = current()
    assert run is not None
    return run.process.ledger


def log(level: str, message: str, **fields: object) -> None:
    """Stand in for the worker's log: keep the reasons of failures."""
    run = current()
    if run is not None and level != "INFO":
        if "reason" in fields:
            run.reasons[str(fields["messageId"])] = cast(str, fields["reason"])
        run.simulation.note(f"{run.name} logs: {message} {fields}")


class FaultyConnection(_Connection):
    """A connection of a process, with a boundary on each side of every statement."""

    def __init__(self, run: Run, **options: Any) -> None:
        self._simulation = run.simulation
        self._open = False
        # A TLS session for each of the many connections would be a third of the tests' time.
        super().__init__(**{**options, "ssl_disabled": True})
        self.connection_id: int = self.thread_id()  # type: ignore[no-untyped-call]
        # A statement that needs a locked row fails at once, and is sent again when the simulation wants it.
        # MySQL waits at least a second.
        wait = 0 if database_engine.chosen() is Engine.MARIADB else 1
        with self.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", (wait,))
        self._open = True

    def query(self, sql: str | bytes, unbuffered: bool = False) -> int:
        return self._bounded(Place.STATEMENT, lambda: super(FaultyConnection, self).query(sql, unbuffered))

    def commit(self) -> None:
        self._bounded(Place.COMMIT, super().commit)

    def rollback(self) -> None:
        self._bounded(Place.ROLLBACK, super().rollback)

    def close(self) -> None:
        super().close()
        self._simulation.database.cut(self.connection_id)  # the server takes a moment to notice

    def cut(self) -> None:
        """End it as a broken network or a killed process does; the server rolls back."""
        self._open = False
        self._simulation.database.cut(self.connection_id)
        self._force_close()  # type: ignore[attr-defined]

    def _bounded(self, place: Place, act: Callable[[], T]) -> T:
        run = current()
        if run is None or not self._open:
            self._simulation.database.expect_change()
            return act()
        self._fail(run.reach(before(place)))
        try:
            result = self._act(act, run)
        except pymysql.Error:
            run.fail_statement()
            raise
        self._fail(run.reach(after(place)))
        return result

    def _act(self, act: Callable[[], T], run: Run) -> T:
        while True:
            self._simulation.database.expect_change()
            try:
                return act()
            except pymysql.OperationalError as error:
                if error.args[0] != ER.LOCK_WAIT_TIMEOUT:
                    raise
            run.wait_for_lock()

    def _fail(self, fault: Fault | None) -> None:
        if fault is None:
            return
        if fault is Fault.DEADLOCK:
            super().rollback()  # as the server does to its victim
        elif fault in LOST:
            self.cut()
        raise pymysql.OperationalError(fault.value, fault.name)


def rewrite(patch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """Change the text of all statements that contain `old`, to remove a protection of the worker."""
    query = FaultyConnection.query

    def query_rewritten(self: FaultyConnection, sql: str | bytes, unbuffered: bool = False) -> int:
        text = sql if isinstance(sql, bytes) else sql.encode("utf-8", "surrogateescape")
        return query(self, text.replace(old.encode(), new.encode()), unbuffered)

    patch.setattr(FaultyConnection, "query", query_rewritten)


def faulty(connect: Callable[..., Connection[Cursor]]) -> Callable[..., Connection[Cursor]]:
    """Return `pymysql.connect` with faults, for code in runs."""

    def connect_or_fail(**options: Any) -> Connection[Cursor]:
        run = current()
        if run is None:
            return connect(**options)
        if fault := run.reach(before(Place.CONNECT)):
            raise pymysql.OperationalError(fault.value, fault.name)
        connection = run.process.connection = FaultyConnection(run, **options)
        connection._fail(run.reach(after(Place.CONNECT)))
        return connection

    return connect_or_fail


class _Secrets:
    """Secrets Manager with the one secret."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def get_secret_value(self, **_: str) -> dict[str, str]:
        run = current()
        if run is not None and run.reach(before(Place.SECRET)):
            raise EndpointConnectionError(endpoint_url="https://secretsmanager")
        login = self._simulation.login
        value = {
            "host": login.host,
            "port": login.port,
            "username": login.username,
            "password": login.password,
            "dbname": login.database,
        }
        return {"SecretString": json.dumps(value)}


class _OneByOne:
    """Stands in for the projection's threads, so that a test chooses the order of its writes."""

    def map(self, run_job: Callable[[T], object], jobs: Iterable[T]) -> list[object]:
        run = current()
        assert run is not None
        ordered = list(jobs)
        return [run_job(job) for job in (reversed(ordered) if run.counters_first else ordered)]


class _DynamoDb:
    """DynamoDB with a boundary on each side of every call."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._tables = simulation.tables

    def batch_write_item(self, RequestItems: dict[str, list[Item]]) -> dict[str, Any]:  # noqa: N803
        """Put orders, unless one of them is refused; a fault may return some as unprocessed."""
        ((table, requests),) = RequestItems.items()

        def put(some: Sequence[Item] = requests) -> dict[str, Any]:
            if any(item["PutRequest"]["Item"]["orderId"]["S"] in self._simulation.refused for item in some):
                raise dynamodb.error("ValidationException", "BatchWriteItem")
            self._tables.batch_write_item(RequestItems={table: some})
            unprocessed = [request for request in requests if request not in some]
            return {"UnprocessedItems": {table: unprocessed} if unprocessed else {}}

        return self._call(Place.PUT, put, requests)

    def batch_get_item(self, RequestItems: dict[str, Item]) -> dict[str, Any]:  # noqa: N803
        """Read items; a fault may return some keys as unprocessed."""
        ((table, request),) = RequestItems.items()
        keys = request["Keys"]

        def get(some: Sequence[Item] = keys) -> dict[str, Any]:
            found = self._tables.batch_get_item(RequestItems={table: {**request, "Keys": some}})
            unprocessed = [key for key in keys if key not in some]
            left = {table: {**request, "Keys": unprocessed}} if unprocessed else {}
            return {**found, "UnprocessedKeys": left}

        return self._call(Place.READ, get, keys)

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Set a counter."""
        return self._call(Place.UPDATE, lambda *_: self._tables.update_item(**request))

    def batch_execute_statement(self, Statements: list[Any]) -> dict[str, Any]:  # noqa: N803
        """Set counters; a fault may let some of the statements fail."""

        def execute(some: Sequence[Any] = Statements) -> dict[str, Any]:
            found = iter(self._tables.batch_execute_statement(some)["Responses"])
            throttled = {"Error": {"Code": "ThrottlingError"}}
            return {"Responses": [next(found) if each in some else throttled for each in Statements]}

        return self._call(Place.UPDATE, execute, Statements)

    def _call(
        self, place: Place, call: Callable[..., dict[str, Any]], requests: Sequence[Item] = ()
    ) -> dict[str, Any]:
        run = current()
        assert run is not None
        fault = run.reach(before(place))
        if fault is Fault.LATE:
            self._simulation.late.append(call)
        if fault in {Fault.UNPROCESSED, Fault.HALF_UNPROCESSED}:
            response = call(requests[::2] if fault is Fault.HALF_UNPROCESSED else [])
        else:
            self._fail(fault)
            response = call()
        self._fail(run.reach(after(place)))
        return response

    def _fail(self, fault: Fault | None) -> None:
        if fault is None:
            return
        if fault is Fault.NO_ROUTE:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")
        if fault in {Fault.NO_RESPONSE, Fault.LATE}:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        raise dynamodb.error(fault.value, "a call")
