"""The worker's real code in threads of which one at a time runs, from one boundary to the next.

Whoever drives the runs decides who goes on, how far, and what hits it there; nothing depends on luck.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast
from zoneinfo import ZoneInfo

import pymysql
import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from pymysql.connections import Connection
from pymysql.cursors import Cursor

import order_processor
from orders.audit import audit
from orders.errors import StoreUnavailableError
from orders.ledger import Ledger
from orders.reconciliation import Clock, Outcome, Reconciler
from orders.sync import RdsOrders
from stores.dynamodb.client import DynamoDb, Item, TableNames
from stores.dynamodb.projection import Projection
from stores.mysql.audit import AuditDatabase
from stores.mysql.connection import MySql
from stores.mysql.login import Login, LoginSecret
from stores.mysql.orders import OrdersDatabase
from stores.mysql.reconciliation import ReconciliationDatabase
from tests.faults import tables
from tests.faults.faults import LOST, Boundary, Fault, Place, after, before
from tests.faults.queue import Message
from tests.faults.tables import Tables

# Subscriptable for the type checker alone.
if TYPE_CHECKING:
    _Connection = Connection[Cursor]
else:
    _Connection = Connection
T = TypeVar("T")

LOCK_TIMEOUT = 60  # seconds, for what another run holds up; only the model ends it
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # before every order
_threads = threading.local()


class Gone(BaseException):
    """Ends a run at once; the code's own `except Exception` must not see it."""


class UnexpectedError(Exception):
    """What no code expects."""


class Environment(Protocol):
    """What is around the workers: the stores, and who looks after them."""

    names: TableNames
    zone: ZoneInfo
    now: datetime
    login: Login
    """What the secret says now."""
    dynamodb: Tables
    refused: set[str]
    """Ids of the orders that DynamoDB refuses."""
    session_timeout: int
    """Seconds after which the database ends an idle session."""
    faults: dict[Place, Fault]
    """What happens to everybody, at each boundary before such a place."""
    late: list[Callable[[], object]]
    """Writes that arrive after their sender has given up."""

    def cut(self, connection_id: int) -> None:
        """End a connection and whatever transaction it had."""

    def waits_for_lock(self, connection_id: int) -> bool:
        """Return whether a connection's statement waits for somebody else's transaction."""

    def note(self, line: str) -> None:
        """Add a line to the history."""


class Process:
    """What lives as long as a worker's process: its connection, its secret."""

    def __init__(self, environment: Environment) -> None:
        self.connection: FaultyConnection | None = None
        login = LoginSecret("CafeDevDBSM", _Secrets(environment))
        self.mysql = mysql = MySql(login, timeout=2 * LOCK_TIMEOUT, idle=environment.session_timeout)
        projection = Projection(DynamoDb(client=_DynamoDb(environment)), environment.names, environment.zone)
        projection._threads = _OneByOne()  # type: ignore[assignment]
        self.ledger = Ledger(OrdersDatabase(mysql, environment.zone), projection, environment.zone)
        # By its clock, what is under way already counts as late.
        clock = Clock(now=lambda: environment.now + timedelta(minutes=1), sleep=lambda _: None)
        rows = ReconciliationDatabase(mysql, environment.zone)
        self.reconciler = Reconciler(rows, projection, environment.zone, clock)

    def end(self) -> None:
        """Cut the connection."""
        if self.connection is not None:
            self.connection.cut()


class Run:
    """One batch in one process."""

    def __init__(
        self,
        name: str,
        environment: Environment,
        process: Process,
        batch: Sequence[Message],
        *,
        counters_first: bool = False,
    ) -> None:
        self.name = name
        self.batch = list(batch)
        self.counters_first = counters_first
        """Several writes are under way at once: the order in which they arrive is any."""
        self.process = process
        self.environment = environment
        self.position: Boundary | None = None
        """Where it stands; None while it moves."""
        self.waits = False
        """It waits in the database for a lock that another holds."""
        self.response: order_processor.BatchResponse | None = None
        self.reasons: dict[str, str] = {}
        """Why messages failed, by SQS's message id."""
        self.deletes_half = False
        self.gone = False
        self.error: BaseException | None = None
        self._stop: Boundary | None = None
        self._awaiting: Fault | None = None
        self._hit: Fault | None = None
        self.lock = threading.Lock()
        """Held while it is found out, and while it ends, that it waits for a lock of the database."""
        self._go = threading.Semaphore(0)
        self._still = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def ended(self) -> bool:
        """Return whether it has come to its end, one way or another."""
        return self._still.is_set() and not self._thread.is_alive()

    def go(self, stop: Boundary | None = None, then: Fault | None = None) -> None:
        """Go on, to a boundary or to the end; what is to hit it there does so when it goes on from there."""
        self._hit, self._stop, self._awaiting = self._awaiting, stop, then
        self._still.clear()
        self.position = None
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._go.release()
        self.settle()

    def kill(self) -> None:
        """End it as a process ends that is killed: in the middle of whatever it does."""
        waited, self.waits, self.gone = self.waits, False, True
        if waited:
            self.process.end()
        else:
            self._go.release()
        self._thread.join()
        self.process.end()

    def clear_up(self) -> None:
        """Take back what was to hit it."""
        self._awaiting = None

    def settle(self) -> None:
        """Wait until it stands, has ended, or waits for a lock."""
        while not self._still.wait(0.01):
            line = self.process.connection
            if line is not None and line.asking and self.environment.waits_for_lock(line.connection_id):
                with self.lock:
                    if line.asking:
                        if not self.waits:
                            self.environment.note(f"{self.name} waits for a lock")
                        self.waits = True
                        return
        if self.position is None:
            self._thread.join()

    def reach(self, boundary: Boundary) -> Fault | None:
        """Stand at a boundary as long as it takes, and tell what happens there."""
        self._leave_if_gone()
        hit = self._stand(boundary) if self.waits or boundary == self._stop else None
        if hit is None and not boundary.after:
            hit = self.environment.faults.get(boundary.place)
        if hit is not None:
            self.environment.note(f"{self.name} {boundary}: {hit.name}")
        if hit is Fault.PROCESS_GONE:
            self.gone = True
            self.process.end()
            raise Gone
        if hit is Fault.EXCEPTION:
            raise UnexpectedError
        return hit

    def came_back(self) -> None:
        """Stand where a statement failed, if it had to wait for a lock: somebody else is at work."""
        self._leave_if_gone()
        if self.waits:
            self._stand(after(Place.STATEMENT))

    def handle(self) -> None:
        """Call the worker's handler."""
        event = {"Records": [message.record() for message in self.batch]}
        response = order_processor.handler(event, None)
        self.deletes_half = self.reach(before(Place.RESPONSE)) is Fault.HALF_DELETED
        self.response = response

    def _leave_if_gone(self) -> None:
        if self.gone:
            raise Gone

    def _stand(self, boundary: Boundary) -> Fault | None:
        if boundary != self._stop:
            self._awaiting = None
        self.waits = False
        self.environment.note(f"{self.name} stands {boundary}")
        self.position = boundary
        self._still.set()
        self._go.acquire()
        self._leave_if_gone()
        return self._hit

    def _work(self) -> None:
        _threads.run = self
        try:
            self.reach(before(Place.BATCH))
            self.handle()
        except (Gone, UnexpectedError):
            pass
        except BaseException as error:  # noqa: BLE001
            self.error = error
        finally:
            self._still.set()


class Reconciliation(Run):
    """What the reconciler does every minute, in a worker's process."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.outcome = Outcome()
        self.counted: set[str] = set()
        """The orders that were counted when it began."""

    def handle(self) -> None:
        """Count what nobody has counted, and compare all that was recorded."""
        try:
            self.process.reconciler.recent(RdsOrders(compared_until=EPOCH), self.outcome)
        except StoreUnavailableError as error:
            self.outcome.unchecked = str(error)


class Audit(Run):
    """What the audit does every hour, in a worker's process."""

    def handle(self) -> None:
        """Correct every counter that is wrong."""
        try:
            audit(AuditDatabase(self.process.mysql), self.environment.zone, lambda: 1.0)
        except StoreUnavailableError as error:
            self.environment.note(f"{self.name}: {error}")


def current() -> Run | None:
    """Return the run whose code this thread executes."""
    return getattr(_threads, "run", None)


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
        run.environment.note(f"{run.name} logs: {message} {fields}")


class FaultyConnection(_Connection):
    """A connection of a process, with a boundary on each side of everything that goes over it."""

    def __init__(self, process: Process, environment: Environment, **options: Any) -> None:
        self._process = process
        self._environment = environment
        self._open = False
        self.asking = False
        super().__init__(**options)
        self.connection_id: int = self.thread_id()  # type: ignore[no-untyped-call]
        # Only the model lets a lock's waiting end.
        with self.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", (LOCK_TIMEOUT,))
        self._open = True

    def query(self, sql: str | bytes, unbuffered: bool = False) -> int:
        return self._bounded(Place.STATEMENT, lambda: super(FaultyConnection, self).query(sql, unbuffered))

    def commit(self) -> None:
        self._bounded(Place.COMMIT, super().commit)

    def rollback(self) -> None:
        self._bounded(Place.ROLLBACK, super().rollback)

    def close(self) -> None:
        super().close()
        self._environment.cut(self.connection_id)  # the server takes a moment to see it

    def cut(self) -> None:
        """End it as a broken network or a killed process does; the server rolls back."""
        self._open = False
        self._environment.cut(self.connection_id)
        self._force_close()  # type: ignore[attr-defined]

    def _bounded(self, place: Place, act: Callable[[], T]) -> T:
        run = current()
        if run is None or not self._open:
            return act()
        self._fail(run.reach(before(place)))
        self.asking = True
        try:
            result = self._act(act, run)
        except pymysql.Error:
            run.came_back()
            raise
        self._fail(run.reach(after(place)))
        return result

    def _act(self, act: Callable[[], T], run: Run) -> T:
        try:
            return act()
        finally:
            # The server ends a wait itself if it is a deadlock. From here on, `settle` takes the run for one
            # that goes on.
            with run.lock:
                self.asking = False

    def _fail(self, fault: Fault | None) -> None:
        if fault is None:
            return
        if fault is Fault.DEADLOCK:
            super().rollback()  # which is what the server does to its victim
        elif fault in LOST:
            self.cut()
        raise pymysql.OperationalError(fault.value, fault.name)


def rewrite(patch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """Change the text of all statements that have one, as a worker does that lacks a protection."""
    query = FaultyConnection.query

    def query_otherwise(self: FaultyConnection, sql: str | bytes, unbuffered: bool = False) -> int:
        text = sql if isinstance(sql, bytes) else sql.encode("utf-8", "surrogateescape")
        return query(self, text.replace(old.encode(), new.encode()), unbuffered)

    patch.setattr(FaultyConnection, "query", query_otherwise)


def connect(connect_really: Callable[..., Connection[Cursor]]) -> Callable[..., Connection[Cursor]]:
    """Stand in for `pymysql.connect` in the threads of runs."""

    def connect_or_fail(**options: Any) -> Connection[Cursor]:
        run = current()
        if run is None:
            return connect_really(**options)
        if fault := run.reach(before(Place.CONNECT)):
            raise pymysql.OperationalError(fault.value, fault.name)
        line = FaultyConnection(run.process, run.environment, **options)
        run.process.connection = line
        line._fail(run.reach(after(Place.CONNECT)))
        return line

    return connect_or_fail


class _Secrets:
    """Secrets Manager with the one secret."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def get_secret_value(self, **_: str) -> dict[str, str]:
        run = current()
        if run is not None and run.reach(before(Place.SECRET)):
            raise EndpointConnectionError(endpoint_url="https://secretsmanager")
        login = self._environment.login
        value = {
            "host": login.host,
            "port": login.port,
            "username": login.username,
            "password": login.password,
            "dbname": login.database,
        }
        return {"SecretString": json.dumps(value)}


class _OneByOne:
    """Stand in for the threads of the projection, so that its writes have an order that a test chooses."""

    def map(self, run_job: Callable[[T], object], jobs: Iterable[T]) -> list[object]:
        run = current()
        assert run is not None
        ordered = list(jobs)
        return [run_job(job) for job in (reversed(ordered) if run.counters_first else ordered)]


class _DynamoDb:
    """DynamoDB with a boundary on each side of every call."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def batch_write_item(self, RequestItems: dict[str, list[Item]]) -> dict[str, Any]:  # noqa: N803
        """Put orders, unless one of them is refused; a fault may return some as unprocessed."""
        ((table, requests),) = RequestItems.items()

        def put(some: Sequence[Item] = requests) -> dict[str, Any]:
            if any(item["PutRequest"]["Item"]["orderId"]["S"] in self._environment.refused for item in some):
                raise tables.error("ValidationException", "BatchWriteItem")
            if some:
                self._environment.dynamodb.batch_write_item(RequestItems={table: some})
            unprocessed = [request for request in requests if request not in some]
            return {"UnprocessedItems": {table: unprocessed} if unprocessed else {}}

        return self._call(Place.PUT, put, requests)

    def batch_get_item(self, RequestItems: dict[str, Item]) -> dict[str, Any]:  # noqa: N803
        """Read items; a fault may return some keys as unprocessed."""
        ((table, request),) = RequestItems.items()
        keys = request["Keys"]

        def get(some: Sequence[Item] = keys) -> dict[str, Any]:
            found: dict[str, Any] = {"Responses": {table: []}}
            if some:
                found = self._environment.dynamodb.batch_get_item(
                    RequestItems={table: {**request, "Keys": some}}
                )
            unprocessed = [key for key in keys if key not in some]
            left = {table: {**request, "Keys": unprocessed}} if unprocessed else {}
            return {**found, "UnprocessedKeys": left}

        return self._call(Place.READ, get, keys)

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Set a counter."""
        return self._call(Place.UPDATE, lambda *_: self._environment.dynamodb.update_item(**request))

    def batch_execute_statement(self, Statements: list[Any]) -> dict[str, Any]:  # noqa: N803
        """Set counters; a fault may let some of the statements fail."""

        def execute(some: Sequence[Any] = Statements) -> dict[str, Any]:
            found = iter(self._environment.dynamodb.batch_execute_statement(some)["Responses"])
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
            self._environment.late.append(call)
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
        if fault in {Fault.NO_ANSWER, Fault.LATE}:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        raise tables.error(fault.value, "a call")
