"""Faults of the local stack, and their repair."""

import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import psutil
import pymysql
from botocore.exceptions import BotoCoreError, ClientError

from chaos.database import DatabaseFaults
from chaos.fault_proxy import FaultProxy, killing_callers, losing_responses, throttling
from chaos.worker_processes import WorkerProcesses
from cli import aws
from cli.errors import OperationError, SetUpError
from cli.stopping import repeating
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
    """The stack before a run, to be restored after it, even if the run (`process`) is killed."""

    process: int
    visibility_timeout: int  # of `OrderQueue`, in seconds
    max_connections: int  # of the database


@dataclass(frozen=True)
class Fault:
    """Something that can be broken for a while."""

    name: str  # for programs
    sentence: str  # for people, while it lasts
    broken: Callable[[], AbstractContextManager[None]]  # repairs at the end of the `with` statement
    harm: Callable[[], int] | None = None  # returns how often it did harm so far


class Faults:
    """The faults of one local stack; raises SetUpError if another run is using it."""

    def __init__(self, clients: aws.Clients, directory: Path, chance: random.Random) -> None:
        stack = clients.stack
        if stack.endpoint is None or stack.database is None:
            raise SetUpError("Only a local stack can be broken on purpose.")
        self._queue = stack.output("queue_url")
        self._clients = clients
        self._state = directory / CHAOS_FILE
        mapping = clients.functions.get_event_source_mapping(UUID=stack.output("worker_mapping"))
        worker, staff = mapping["FunctionArn"].rpartition(":")[2], stack.output("staff_function")
        self._writers = (worker, stack.output("reconcile_function"), staff)  # to DynamoDB
        self._chance = chance
        # The secret that RDS creates for the master user
        secret = clients.secrets.get_secret_value(SecretId=f"rds!{stack.output('database_identifier')}")
        master = json.loads(secret["SecretString"])
        self.database = DatabaseFaults(stack.database, (master["username"], master["password"]), directory)
        self.processes = WorkerProcesses(directory, worker, staff)
        self.proxy = FaultProxy(stack.endpoint)

    @property
    def faults(self) -> Sequence[Fault]:
        """Return all faults."""
        database, processes, proxy, chance = self.database, self.processes, self.proxy, self._chance
        kill_all = partial(repeating, processes.kill, every=KILL_INTERVAL)
        between, after = partial(self._callers_killed, after=False), partial(self._callers_killed, after=True)
        throttled = partial(proxy.injecting, throttling(chance, REFUSED_SHARE))
        lost = partial(proxy.injecting, losing_responses(chance, LOST_SHARE))
        all_killed = "all processes of the worker and of StaffOrders are killed, again and again"
        half_done = "workers are killed with their batch in RDS and not in DynamoDB"
        done = "workers are killed with their orders in both stores and still in the queue"
        busy = "DynamoDB throttles most calls, or leaves items unprocessed"
        silent = "DynamoDB writes, and half of its responses get lost"
        return (
            Fault("database_killed", "the database is killed (SIGKILL) and stopped", database.killed),
            Fault("database_locked", "the database refuses the application's login", database.locked),
            Fault("database_full", "the database has no connection left", database.full),
            Fault("workers_killed", all_killed, kill_all, lambda: processes.killed),
            Fault("worker_killed_between_stores", half_done, between, lambda: processes.killed),
            Fault("worker_killed_after_stores", done, after, lambda: processes.killed),
            Fault("dynamodb_throttled", busy, throttled, lambda: proxy.refused),
            Fault("dynamodb_answers_lost", silent, lost, lambda: proxy.lost),
        )

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Compress time and put the proxy before DynamoDB; restore everything at the end."""
        self.repair_killed_run()
        queue = self._clients.sqs.get_queue_attributes(
            QueueUrl=self._queue, AttributeNames=["VisibilityTimeout"]
        )
        before = Before(
            process=os.getpid(),
            visibility_timeout=int(queue["Attributes"]["VisibilityTimeout"]),
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
        """Repair all faults, of a killed run or others; return what they were, or raise OperationError."""
        found = ["a killed run had left it broken"] if self.repair_killed_run() else []
        with _repairing():
            return [*found, *self.database.repair()]

    def repair_killed_run(self) -> bool:
        """Repair what a killed run left broken; return whether there was one."""
        try:
            before = Before(**json.loads(self._state.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return False
        except (ValueError, TypeError):
            raise SetUpError(f"{self._state} is invalid: restart the stack.") from None
        if before.process != os.getpid() and psutil.pid_exists(before.process):
            raise SetUpError(f"`make chaos` is using this stack already (process {before.process}).")
        self._repair(before)
        return True

    def _repair(self, before: Before) -> None:
        """Repair all faults, whether they were made or not."""
        with _repairing():
            self.database.repair(before.max_connections)
            self._set_dynamodb(None)
            # Processes that use the proxy would fail without it.
            self.processes.kill()
            self._set_visibility_timeout(before.visibility_timeout)
        self._state.unlink(missing_ok=True)

    def _callers_killed(self, *, after: bool) -> AbstractContextManager[None]:
        kill = self.processes.kill_caller
        return self.proxy.injecting(killing_callers(kill, at_most=KILLED_AT_MOST, after=after))

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

    def _set_visibility_timeout(self, seconds: int) -> None:
        self._clients.sqs.set_queue_attributes(
            QueueUrl=self._queue, Attributes={"VisibilityTimeout": str(seconds)}
        )


@contextmanager
def _repairing() -> Iterator[None]:
    try:
        yield
    except (LocalError, BotoCoreError, ClientError, pymysql.Error) as error:
        raise OperationError(
            f"The repair failed ({error}): stop the stack with `cafe local stop`."
        ) from error
