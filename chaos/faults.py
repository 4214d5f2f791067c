"""Faults of the local stack: what is broken, for how long, and how all of it is repaired."""

import json
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import psutil
import pymysql
from botocore.exceptions import BotoCoreError, ClientError

from chaos.database import DatabaseFaults
from chaos.fault_proxy import CallerKiller, FaultProxy, LostResponses, Throttling
from chaos.worker_processes import WorkerProcesses
from cli import aws
from cli.errors import AnswerError, SetUpError
from cli.stack import Stack
from local.directory import CHAOS_FILE
from local.errors import LocalError

ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"
# Seconds, instead of minutes: time is compressed about a hundredfold.
VISIBILITY_TIMEOUT = 1
REFUSED_SHARE = 0.9
LOST_SHARE = 0.5
KILLED_AT_MOST = 3  # workers in one fault
KILL_INTERVAL = 0.3  # seconds


@dataclass(frozen=True, kw_only=True)
class Before:
    """The stack before a run: enough to repair it after a run that was killed.

    Attributes
    ----------
    process
        The run that changed it.
    visibility_timeout
        Of `OrderQueue`, in seconds.
    max_connections
        Of the database.
    """

    process: int
    visibility_timeout: int
    max_connections: int


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that can be broken for a while.

    Attributes
    ----------
    name
        For programs.
    sentence
        For people, while it lasts.
    broken
        Breaks it, and repairs it at the end of the `with` statement.
    harm
        Returns how often it did harm so far; None if that is not counted.
    """

    name: str
    sentence: str
    broken: Callable[[], AbstractContextManager[None]]
    harm: Callable[[], int] | None = None


class Faults:
    """The faults of one local stack.

    Parameters
    ----------
    directory
        Where the stack keeps its files.
    chance
        For random choices.

    Raises
    ------
    SetUpError
        Another run is using the same stack.
    """

    def __init__(self, stack: Stack, clients: aws.Clients, directory: Path, chance: random.Random) -> None:
        if stack.endpoint is None or stack.database is None:
            raise SetUpError("Only a local stack can be broken on purpose.")
        self._queue = stack.output("queue_url")
        self._clients = clients
        self._state = directory / CHAOS_FILE
        worker, staff = self._worker_name(), stack.output("staff_function")
        self._writers = (worker, stack.output("reconcile_function"), staff)  # to DynamoDB
        self._worker, self._staff = WorkerProcesses(directory, worker), WorkerProcesses(directory, staff)
        self._chance = chance
        self._lock = threading.Lock()
        self.database = DatabaseFaults(stack.database, self._master(), directory)
        self.proxy = FaultProxy(stack.endpoint)
        self.workers_killed = 0

    @property
    def faults(self) -> Sequence[Fault]:
        """All faults."""
        return (
            Fault(
                name="database_killed",
                sentence="the database is killed (SIGKILL) and stopped",
                broken=self.database.killed,
            ),
            Fault(
                name="database_locked",
                sentence="the database refuses the application's login",
                broken=self.database.locked,
            ),
            Fault(
                name="database_full",
                sentence="the database has no connection left",
                broken=self.database.full,
            ),
            Fault(
                name="workers_killed",
                sentence="all processes of the worker and of StaffOrders are killed, again and again",
                broken=lambda: repeating(self._kill_workers, every=KILL_INTERVAL),
                harm=lambda: self.workers_killed,
            ),
            Fault(
                name="worker_killed_between_stores",
                sentence="workers are killed with their batch in RDS and not in DynamoDB",
                broken=partial(self._callers_killed, after=False),
                harm=lambda: self.workers_killed,
            ),
            Fault(
                name="worker_killed_after_stores",
                sentence="workers are killed with their orders in both stores and still in the queue",
                broken=partial(self._callers_killed, after=True),
                harm=lambda: self.workers_killed,
            ),
            Fault(
                name="dynamodb_throttled",
                sentence="DynamoDB throttles most calls, or leaves items unprocessed",
                broken=partial(self.proxy.injecting, Throttling(self._chance, REFUSED_SHARE)),
                harm=lambda: self.proxy.refused,
            ),
            Fault(
                name="dynamodb_answers_lost",
                sentence="DynamoDB writes, and half of its responses get lost",
                broken=partial(self.proxy.injecting, LostResponses(self._chance, LOST_SHARE)),
                harm=lambda: self.proxy.lost,
            ),
        )

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Compress time and put the proxy before DynamoDB; restore everything at the end."""
        self.repair_killed_run()
        before = Before(
            process=os.getpid(),
            visibility_timeout=self._visibility_timeout(),
            max_connections=self.database.max_connections(),
        )
        self._state.touch(mode=0o600)
        self._state.write_text(json.dumps(asdict(before)), encoding="utf-8")
        with self.proxy.listening() as url:
            try:
                self._set_visibility_timeout(VISIBILITY_TIMEOUT)
                self._set_dynamodb(url)
                yield
            finally:
                self._repair(before)

    def repair_all(self) -> list[str]:
        """Repair what a killed run or anybody else broke, and return what that was.

        Raises
        ------
        AnswerError
            It cannot be repaired.
        """
        found = ["a killed run had left it broken"] if self.repair_killed_run() else []
        with _repairing():
            return [*found, *self.database.repair_found()]

    def repair_killed_run(self) -> bool:
        """Repair what a killed run left broken; return whether there was one."""
        try:
            before = Before(**json.loads(self._state.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return False
        except (ValueError, TypeError):
            raise SetUpError(f"{self._state} is not what `make chaos` writes: restart the stack.") from None
        if before.process != os.getpid() and psutil.pid_exists(before.process):
            raise SetUpError(f"`make chaos` is using this stack already (process {before.process}).")
        self._repair(before)
        return True

    def _repair(self, before: Before) -> None:
        """Repair everything, whether it is broken or not."""
        with _repairing():
            self.database.repair(before.max_connections)
            self._set_dynamodb(None)
            # Processes that use the proxy would fail without it. Their messages come again in a second, and
            # only then in minutes again.
            self._worker.kill()
            self._set_visibility_timeout(before.visibility_timeout)
        self._state.unlink(missing_ok=True)

    def _master(self) -> tuple[str, str]:
        """Read the master user's login, which RDS keeps in a secret of its own."""
        pages = self._clients.secrets.get_paginator("list_secrets").paginate()
        names = (entry["Name"] for page in pages for entry in page["SecretList"])
        name = next((name for name in names if name.startswith("rds!")), None)
        if name is None:
            raise SetUpError("The stack has no secret with the database's master user.")
        login = json.loads(self._clients.secrets.get_secret_value(SecretId=name)["SecretString"])
        return login["username"], login["password"]

    # The functions

    @contextmanager
    def _callers_killed(self, *, after: bool) -> Iterator[None]:
        def kill(port: int) -> bool:
            killed = self._worker.kill_caller(port)
            self._count_killed(killed)
            return killed

        with self.proxy.injecting(CallerKiller(kill, at_most=KILLED_AT_MOST, after=after)):
            yield

    def _kill_workers(self) -> None:
        self._count_killed(self._worker.kill() + self._staff.kill())

    def _count_killed(self, number: int) -> None:
        with self._lock:
            self.workers_killed += number

    def _worker_name(self) -> str:
        pages = self._clients.functions.get_paginator("list_functions").paginate()
        names = (entry["FunctionName"] for page in pages for entry in page["Functions"])
        name = next((name for name in names if name.startswith("OrderProcessor")), None)
        if name is None:
            raise SetUpError("The stack has no function OrderProcessor.")
        return name

    # DynamoDB and the queue

    def _set_dynamodb(self, url: str | None) -> None:
        """Have the writers reach DynamoDB at `url`, or as usual if None."""
        functions = self._clients.functions
        for writer in self._writers:
            configuration = functions.get_function_configuration(FunctionName=writer)
            variables = dict(configuration.get("Environment", {}).get("Variables", {}))
            wanted = {name: value for name, value in variables.items() if name != ENDPOINT}
            if url is not None:
                wanted[ENDPOINT] = url
            if wanted != variables:
                functions.update_function_configuration(
                    FunctionName=writer, Environment={"Variables": wanted}
                )

    def _visibility_timeout(self) -> int:
        attributes = self._clients.sqs.get_queue_attributes(
            QueueUrl=self._queue, AttributeNames=["VisibilityTimeout"]
        )["Attributes"]
        return int(attributes["VisibilityTimeout"])

    def _set_visibility_timeout(self, seconds: int) -> None:
        self._clients.sqs.set_queue_attributes(
            QueueUrl=self._queue, Attributes={"VisibilityTimeout": str(seconds)}
        )


@contextmanager
def _repairing() -> Iterator[None]:
    try:
        yield
    except (LocalError, BotoCoreError, ClientError, pymysql.Error) as error:
        raise AnswerError(
            f"What was broken could not be repaired ({error}): stop the stack with `cafe local stop`."
        ) from error


@contextmanager
def repeating(action: Callable[[], object], *, every: float) -> Iterator[None]:
    """Do something now and every few moments, in another thread."""
    stop = threading.Event()

    def repeat() -> None:
        action()
        while not stop.wait(every):
            action()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
