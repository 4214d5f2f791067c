"""Record, count and replay the statements and AWS calls of a handler; the replay alone is the limit."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import botocore.client
import pymysql.connections
from botocore.exceptions import ClientError

MAX_THREADS = 32


@dataclass(slots=True)
class Call:
    """A statement, or a call of an AWS client."""

    is_sql: bool
    again: Callable[..., object]
    """Repeats it; a statement takes the connection."""
    began: float
    ended: float


class Trace:
    """Record of the statements and calls of this process.

    A statement is a round trip to the server, including logins, settings of a new connection and COMMIT.
    """

    def __init__(self) -> None:
        self.statements = 0
        self.connections = 0
        self.freeze_at_commit = False
        """Stop this process once before a commit."""
        self._lock = threading.Lock()
        self._batches: list[list[Call]] = []
        self._connection_options: dict[str, Any] = {}

    def install(self) -> None:
        """Record every connection and client of this process."""
        self._watch_sql()
        self._watch_aws()

    def start_batch(self) -> None:
        """Begin a new batch."""
        self._batches.append([])

    def reset(self) -> None:
        """Clear the record."""
        self.statements = self.connections = 0
        self._batches.clear()

    def replay(self) -> list[float]:
        """Repeat all calls in the same order and parallelism; return the seconds of each batch."""
        connection = pymysql.connect(**self._connection_options)
        seconds = []
        with ThreadPoolExecutor(max(1, min(MAX_THREADS, max(map(_max_parallel, self._batches))))) as pool:
            for steps in [list(_steps(batch)) for batch in self._batches]:
                began = time.perf_counter()
                for step in steps:
                    _make(step, connection, pool)
                seconds.append(time.perf_counter() - began)
        connection.close()
        return seconds

    def _note(self, call: Call) -> None:
        with self._lock:
            if self._batches:
                self._batches[-1].append(call)

    def _watch_sql(self) -> None:
        connection_class = pymysql.connections.Connection
        send, connect = connection_class._execute_command, connection_class.connect  # type: ignore[attr-defined]
        query, commit = connection_class.query, connection_class.commit

        def counted(connection: Any, command: int, sql: Any) -> None:
            self.statements += 1
            send(connection, command, sql)

        def connected(connection: Any, sock: Any = None) -> None:
            self.statements += 1
            self.connections += 1
            connect(connection, sock)
            self._connection_options = _options(connection)

        def queried(connection: Any, sql: Any, unbuffered: bool = False) -> int:
            began = time.perf_counter()
            rows = query(connection, sql, unbuffered)
            self._note(Call(True, partial(_query, sql=sql), began, time.perf_counter()))
            return rows

        def committed(connection: Any) -> None:
            if self.freeze_at_commit:
                self.freeze_at_commit = False
                os.kill(os.getpid(), signal.SIGSTOP)
            began = time.perf_counter()
            commit(connection)
            self._note(Call(True, partial(_query, sql="COMMIT"), began, time.perf_counter()))

        for name, method in (
            ("_execute_command", counted),
            ("connect", connected),
            ("query", queried),
            ("commit", committed),
        ):
            setattr(connection_class, name, method)

    def _watch_aws(self) -> None:
        call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

        def called(client: Any, operation: str, parameters: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(client, operation, parameters)
            finally:
                again = partial(_call, call, client, operation, parameters)
                self._note(Call(False, again, began, time.perf_counter()))

        botocore.client.BaseClient._make_api_call = called  # type: ignore[attr-defined]


def _steps(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """Group calls that overlapped: a step begins when all calls of the previous one have ended."""
    step: list[Call] = []
    for call in sorted(calls, key=lambda call: call.began):
        if step and call.began >= max(each.ended for each in step):
            yield step
            step = []
        step.append(call)
    if step:
        yield step


def _make(step: Sequence[Call], connection: Any, pool: ThreadPoolExecutor) -> None:
    """Make the calls of a step in parallel; a single call needs no thread."""
    calls = [call for call in step if not call.is_sql]
    is_single = len(step) == 1
    futures = [] if is_single else [pool.submit(call.again) for call in calls]
    for call in step:
        if call.is_sql:
            call.again(connection)
        elif is_single:
            call.again()
    for future in futures:
        future.result()


def _max_parallel(calls: Sequence[Call]) -> int:
    """Return the maximum number of parallel AWS calls."""
    moments = sorted(
        moment for call in calls if not call.is_sql for moment in ((call.began, 1), (call.ended, -1))
    )
    running = most = 0
    for _, change in moments:
        running += change
        most = max(most, running)
    return most


def _query(connection: Any, sql: Any) -> None:
    connection.query(sql)


def _call(call: Callable[..., object], client: Any, operation: str, parameters: Any) -> None:
    with suppress(ClientError):
        call(client, operation, parameters)


def _options(connection: Any) -> dict[str, Any]:
    """Return the options of a connection."""
    return {
        "host": connection.host,
        "port": connection.port,
        "user": connection.user.decode(),
        "password": connection.password.decode("latin1"),
        "database": connection.db.decode() if isinstance(connection.db, bytes) else connection.db,
        "charset": connection.charset,
        "init_command": connection.init_command,
        "ssl": connection.ctx if connection.ssl else None,
    }
