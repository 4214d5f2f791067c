"""The worker's real code in threads of which one at a time runs, from one boundary to the next.

Whoever drives the runs decides who goes on, how far, and what hits it there; nothing depends on luck.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import pymysql
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from stores.dynamodb.tables import OrdersTables, TableNames

import order_processor
from orders.ledger import Ledger
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.mysql.secret import Login, LoginSecret
from tests.faults.faults import LOST, Boundary, Fault, Place, after, before
from tests.faults.queue import Message

# Subscriptable for the type checker alone.
if TYPE_CHECKING:
    _Connection = Connection[Cursor]
else:
    _Connection = Connection
T = TypeVar("T")

MAX_ACTIONS = 9  # of one transaction, so that a batch needs several, and because moto is slow at many
PATIENCE = 60.0  # seconds, for what another run holds up
_threads = threading.local()


class Gone(BaseException):
    """Ends a run at once; the code's own `except Exception` must not see it."""


class UnexpectedError(Exception):
    """What no code expects."""


class Surroundings(Protocol):
    """What is around the workers: the stores, and who looks after them."""

    names: TableNames
    zone: ZoneInfo
    login: Login
    """What the secret says now."""
    dynamodb: Any
    weather: dict[Place, Fault]
    """What happens to everybody, at each boundary before such a place."""
    late: list[Callable[[], object]]
    """Writes that are still on their way."""

    def cut(self, connection_id: int) -> None:
        """End a connection and whatever transaction it had."""

    def waits_for_lock(self, connection_id: int) -> bool:
        """Tell whether a connection's statement waits for somebody else's transaction."""

    def has_written(self) -> None:
        """Take note that DynamoDB may have changed."""

    def tell(self, line: str) -> None:
        """Write down what happened."""


class Process:
    """What lives as long as a worker's process: its connection, its secret."""

    def __init__(self, around: Surroundings) -> None:
        self.line: Line | None = None
        self.mysql = MySql(LoginSecret("CafeDevDBSM", _Secrets(around)), timeout=PATIENCE)
        tables = OrdersTables(around.names, around.zone, _DynamoDb(around), MAX_ACTIONS)
        self.ledger = Ledger(OrdersDatabase(self.mysql), tables)

    def end(self) -> None:
        """Let nothing of it be left."""
        if self.line is not None:
            self.line.cut()


class Run:
    """One batch in one process."""

    def __init__(self, name: str, around: Surroundings, process: Process, batch: Sequence[Message]) -> None:
        self.name = name
        self.batch = list(batch)
        self.process = process
        self.around = around
        self.position: Boundary | None = None
        """Where it stands; None while it moves."""
        self.waits = False
        """It hangs in the database, on a lock that somebody else holds."""
        self.response: order_processor.BatchResponse | None = None
        self.deletes_half = False
        self.gone = False
        self.error: BaseException | None = None
        self._stop: Boundary | None = None
        self._awaiting: Fault | None = None
        self._hit: Fault | None = None
        self._go = threading.Semaphore(0)
        self._still = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def ended(self) -> bool:
        """Tell whether it has come to its end, one way or another."""
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
        """Wait until it stands, has ended, or hangs on a lock."""
        while not self._still.wait(0.01):
            line = self.process.line
            if line is not None and line.asking and self.around.waits_for_lock(line.connection_id):
                if not self.waits:
                    self.around.tell(f"{self.name} waits for a lock")
                self.waits = True
                return
        if self.position is None:
            self._thread.join()

    def reach(self, boundary: Boundary) -> Fault | None:
        """Stand at a boundary as long as it takes, and tell what happens there."""
        self._leave_if_gone()
        hit = self._stand(boundary) if self.waits or boundary == self._stop else None
        if hit is None and not boundary.after:
            hit = self.around.weather.get(boundary.place)
        if hit is not None:
            self.around.tell(f"{self.name} {boundary}: {hit.name}")
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

    def _leave_if_gone(self) -> None:
        if self.gone:
            raise Gone

    def _stand(self, boundary: Boundary) -> Fault | None:
        if boundary != self._stop:
            self._awaiting = None
        self.waits = False
        self.around.tell(f"{self.name} stands {boundary}")
        self.position = boundary
        self._still.set()
        self._go.acquire()
        self._leave_if_gone()
        return self._hit

    def _work(self) -> None:
        _threads.run = self
        try:
            self.reach(before(Place.BATCH))
            event = {"Records": [message.record() for message in self.batch]}
            response = order_processor.handler(event, None)
            self.deletes_half = self.reach(before(Place.RESPONSE)) is Fault.HALF_DELETED
            self.response = response
        except (Gone, UnexpectedError):
            pass
        except BaseException as error:  # noqa: BLE001
            self.error = error
        finally:
            self._still.set()


def current() -> Run | None:
    """Tell whose code this thread runs."""
    return getattr(_threads, "run", None)


def current_ledger() -> Ledger:
    """Stand in for `order_processor.ledger`, of which there is one per process."""
    run = current()
    assert run is not None
    return run.process.ledger


def log(level: str, message: str, **fields: object) -> None:
    """Stand in for the worker's log: it belongs to the story."""
    run = current()
    if run is not None and level != "INFO":
        run.around.tell(f"{run.name} logs: {message} {fields}")


class Line(_Connection):
    """A connection of a process, with a boundary on each side of everything that goes over it."""

    def __init__(self, process: Process, around: Surroundings, **options: Any) -> None:
        self._process = process
        self._around = around
        self._open = False
        self.asking = False
        super().__init__(**options)
        self.connection_id: int = self.thread_id()  # type: ignore[no-untyped-call]
        # Only the model lets a lock's waiting end.
        with self.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 60")
        self._open = True

    def query(self, sql: str | bytes, unbuffered: bool = False) -> int:
        return self._bounded(Place.STATEMENT, lambda: super(Line, self).query(sql, unbuffered))

    def commit(self) -> None:
        self._bounded(Place.COMMIT, super().commit)

    def rollback(self) -> None:
        self._bounded(Place.ROLLBACK, super().rollback)

    def close(self) -> None:
        super().close()
        self._around.cut(self.connection_id)  # the server takes a moment to see it

    def cut(self) -> None:
        """End it as a broken network or a killed process does; the server rolls back."""
        self._open = False
        self._around.cut(self.connection_id)
        self._force_close()  # type: ignore[attr-defined]

    def _bounded(self, place: Place, act: Callable[[], T]) -> T:
        run = current()
        if run is None or not self._open:
            return act()
        self._fail(run.reach(before(place)))
        self.asking = True
        try:
            result = act()
        except pymysql.Error:
            run.came_back()
            raise
        finally:
            self.asking = False
        self._fail(run.reach(after(place)))
        return result

    def _fail(self, fault: Fault | None) -> None:
        if fault is None:
            return
        if fault is Fault.DEADLOCK:
            super().rollback()  # which is what the server does to its victim
        elif fault in LOST:
            self.cut()
        raise pymysql.OperationalError(fault.value, fault.name)


def connect(connect_really: Callable[..., Connection[Cursor]]) -> Callable[..., Connection[Cursor]]:
    """Stand in for `pymysql.connect` in the threads of runs."""

    def connect_or_fail(**options: Any) -> Connection[Cursor]:
        run = current()
        if run is None:
            return connect_really(**options)
        if fault := run.reach(before(Place.CONNECT)):
            raise pymysql.OperationalError(fault.value, fault.name)
        line = Line(run.process, run.around, **options)
        run.process.line = line
        line._fail(run.reach(after(Place.CONNECT)))
        return line

    return connect_or_fail


class _Secrets:
    """Secrets Manager with the one secret."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def get_secret_value(self, **_: str) -> dict[str, str]:
        run = current()
        if run is not None and run.reach(before(Place.SECRET)):
            raise EndpointConnectionError(endpoint_url="https://secretsmanager")
        login = self._around.login
        value = {
            "host": login.host,
            "port": login.port,
            "username": login.username,
            "password": login.password,
            "dbname": login.database,
        }
        return {"SecretString": json.dumps(value)}


class _DynamoDb:
    """DynamoDB with a boundary on each side of every write, whichever way of writing the code uses."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def __getattr__(self, name: str) -> Callable[..., Any]:
        act = getattr(self._around.dynamodb, name)
        if not any(word in name for word in ("write", "put", "update", "delete")):
            return act  # type: ignore[no-any-return]

        def write(**request: Any) -> Any:
            run = current()
            assert run is not None
            self._fail(run.reach(before(Place.WRITE)), lambda: act(**request), request)
            self._around.has_written()
            answer = act(**request)
            self._fail(run.reach(after(Place.WRITE)), None, request)
            return answer

        return write

    def _fail(
        self, fault: Fault | None, write: Callable[[], object] | None, request: Mapping[str, Any]
    ) -> None:
        if fault is None:
            return
        if fault is Fault.NO_ROUTE:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")
        if fault in {Fault.NO_ANSWER, Fault.LATE}:
            if fault is Fault.LATE and write:
                self._around.late.append(write)
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        code, reasons = str(fault.value), []
        if fault.name.startswith("CANCELLED"):
            # As DynamoDB does it: a reason per action, and "None" for those that were not the cause.
            reasons = [{"Code": self._reason(action)} for action in request.get("TransactItems", [{}])]
            reasons[-1] = {"Code": code}
            code = "TransactionCanceledException"
        response: Any = {"Error": {"Code": code, "Message": ""}, "CancellationReasons": reasons}
        raise ClientError(response, "TransactWriteItems")

    def _reason(self, action: Mapping[str, Any]) -> str:
        """Tell what DynamoDB would say of one action of a transaction that it cancels because of another."""
        put = action.get("Put", {})
        if "ConditionExpression" not in put:
            return "None"
        key = {"orderId": put["Item"]["orderId"]}
        there = self._around.dynamodb.get_item(TableName=put["TableName"], Key=key).get("Item")
        return "ConditionalCheckFailed" if there else "None"
