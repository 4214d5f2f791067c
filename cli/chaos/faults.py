"""What `cafe chaos` breaks on the local stack, and how each of it is mended."""

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import pymysql
from botocore.exceptions import BotoCoreError, ClientError
from pymysql.cursors import Cursor

from cli import aws
from cli.database import connect
from cli.errors import AnswerError, SetUpError
from cli.stack import Database, Stack
from local import control
from local.directory import CHAOS_FILE
from local.errors import LocalError
from local.interposer import PUT, Answer, Call, Interposer, LosingAnswers, Meddler, Throttling
from local.workers import Workers

# Seconds: for the database to be gone, or back. It takes a tenth of one on an idle machine.
PATIENCE = 120.0
READ_TIMEOUT = 120  # seconds for a statement
# The smallest that the server takes.
FEWEST_CONNECTIONS = 10
ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"
APPLICATION_USER = "cafe_user"
# Instead of minutes: time is compressed about a hundredfold.
VISIBILITY_TIMEOUT = 1
MOST_REFUSED = 0.9
HALF = 0.5


@dataclass(frozen=True, kw_only=True)
class Before:
    """How things were before anything was changed: enough to mend everything after a run that was killed.

    Attributes
    ----------
    process
        The run that changed them.
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
        What a person is told while it lasts.
    broken
        Breaks it, and mends it at the end of the `with` statement.
    harm
        Counts what it has done so far; `None` where nobody counts.
    """

    name: str
    sentence: str
    broken: Callable[[], AbstractContextManager[None]]
    harm: Callable[[], int] | None = None


class KillingCallers(Meddler):
    """Kills workers in the middle of a batch: right before they write orders to DynamoDB, or right after."""

    def __init__(self, workers: Workers, *, at_most: int, after: bool, killed: Callable[[int], None]) -> None:
        self._workers = workers
        self._left = at_most
        self._after = after
        self._killed = killed
        self._lock = threading.Lock()

    def before(self, call: Call) -> Answer | None:
        """Kill the caller; its orders never reach DynamoDB."""
        if not self._after and self._kills(call):
            # Nobody is left to read it.
            return Answer(status=500, body={})
        return None

    def loses_answer(self, call: Call) -> bool:
        """Kill the caller; its orders are written."""
        return self._after and self._kills(call)

    def _kills(self, call: Call) -> bool:
        with self._lock:
            if call.operation != PUT or self._left == 0:
                return False
            if not self._workers.kill_caller(call.caller_port):
                return False
            self._left -= 1
        self._killed(1)
        return True


class Breakables:
    """The parts of one local stack that can be broken.

    Parameters
    ----------
    directory
        Where the stack keeps its files.
    numbers
        What is left to chance is taken from here.

    Raises
    ------
    SetUpError
        Another run is at work on the same stack.
    """

    def __init__(self, stack: Stack, clients: aws.Clients, directory: Path, numbers: random.Random) -> None:
        if stack.endpoint is None or stack.database is None:
            raise SetUpError("Only a local stack can be broken on purpose.")
        self._stack = stack
        self._clients = clients
        self._directory = directory
        self._numbers = numbers
        self._database: Database = stack.database
        self._master = self._read_master()
        self._notes = directory / CHAOS_FILE
        self._worker = self._function("OrderProcessor")
        staff = stack.output("staff_function")
        # They write to DynamoDB.
        self._writers = (self._worker, stack.output("reconcile_function"), staff)
        self._workers, self._staff = Workers(directory, self._worker), Workers(directory, staff)
        self._interposer: Interposer | None = None
        self._lock = threading.Lock()
        self.killed_workers = 0
        self.killed_databases = 0

    @property
    def refused_calls(self) -> int:
        """How many calls were refused in DynamoDB's place."""
        return self._interposer.refused if self._interposer else 0

    @property
    def lost_answers(self) -> int:
        """How many writes were done without their callers' learning it."""
        return self._interposer.lost if self._interposer else 0

    @property
    def faults(self) -> Sequence[Fault]:
        """Everything that can be broken."""
        return (
            Fault(
                name="database_killed",
                sentence="the database is killed (SIGKILL) and away",
                broken=self.database_killed,
            ),
            Fault(
                name="database_locked",
                sentence="the database refuses the application's login",
                broken=self._locked,
            ),
            Fault(name="database_full", sentence="the database has no connection left", broken=self._full),
            Fault(
                name="workers_killed",
                sentence="all processes of the worker and of StaffOrders are killed, again and again",
                broken=self._workers_killed,
                harm=lambda: self.killed_workers,
            ),
            Fault(
                name="worker_killed_between_stores",
                sentence="workers are killed with their batch in RDS and not in DynamoDB",
                broken=lambda: self._killing_callers(after=False),
                harm=lambda: self.killed_workers,
            ),
            Fault(
                name="worker_killed_after_stores",
                sentence="workers are killed with their orders in both stores and still on the queue",
                broken=lambda: self._killing_callers(after=True),
                harm=lambda: self.killed_workers,
            ),
            Fault(
                name="dynamodb_throttled",
                sentence="DynamoDB throttles most calls, or leaves items unprocessed",
                broken=lambda: self._meddled(Throttling(self._numbers, MOST_REFUSED)),
                harm=lambda: self.refused_calls,
            ),
            Fault(
                name="dynamodb_answers_lost",
                sentence="DynamoDB writes, and half of its answers get lost",
                broken=lambda: self._meddled(LosingAnswers(self._numbers, HALF)),
                harm=lambda: self.lost_answers,
            ),
        )

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Compress time and stand in for DynamoDB; at the end everything is as it was before."""
        self.mend_after_killed_run()
        before = Before(
            process=os.getpid(),
            visibility_timeout=self._visibility_timeout(),
            max_connections=self._max_connections(),
        )
        self._notes.touch(mode=0o600)
        self._notes.write_text(json.dumps(asdict(before)), encoding="utf-8")
        try:
            self._set_visibility_timeout(VISIBILITY_TIMEOUT)
            self._interposer = Interposer(str(self._stack.endpoint))
            self._set_dynamodb(self._interposer.url)
            yield
        finally:
            self._mend(before)
            if self._interposer is not None:
                self._interposer.close()

    def mend_after_killed_run(self) -> bool:
        """Mend what a run has left broken that could not do so itself; return whether there was one."""
        try:
            before = Before(**json.loads(self._notes.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return False
        except (ValueError, TypeError):
            raise SetUpError(f"{self._notes} is not what `cafe chaos` writes: restart the stack.") from None
        if before.process != os.getpid() and psutil.pid_exists(before.process):
            raise SetUpError(f"`cafe chaos` is at work on this stack already (process {before.process}).")
        self._mend(before)
        return True

    def mend_by_hand(self) -> list[str]:
        """Repair what somebody else broke, whatever the notes say, and return what that was.

        Raises
        ------
        AnswerError
            If it cannot be repaired.
        """
        found = []
        try:
            if not self._database_answers():
                self.start_database()
                found.append("the database did not answer")
            with self._as_master() as cursor:
                found += _unlocked(cursor)
        except (LocalError, pymysql.Error) as error:
            raise _not_mended(error) from error
        return found

    def _mend(self, before: Before) -> None:
        """Mend everything, whether it is broken or not."""
        try:
            self.start_database()
            with self._as_master() as cursor:
                cursor.execute(f"ALTER USER {APPLICATION_USER}@'%' ACCOUNT UNLOCK")
                cursor.execute("SET GLOBAL max_connections = %s", (before.max_connections,))
            self._set_dynamodb(None)
            # Whoever still knows the stand-in would fail without it. What they hold comes again in a second,
            # and only then in minutes again.
            self._workers.kill()
            self._set_visibility_timeout(before.visibility_timeout)
        except (LocalError, BotoCoreError, ClientError, pymysql.Error) as error:
            raise _not_mended(error) from error
        self._notes.unlink(missing_ok=True)

    # The database

    @contextmanager
    def database_killed(self) -> Iterator[None]:
        """Kill the server, and start it again on what it left."""
        control.ask(self._directory, control.Request.KILL_DATABASE)
        self._until(lambda: not self._database_answers(), "The database does not end.")
        self.killed_databases += 1
        try:
            yield
        finally:
            self.start_database()

    def start_database(self) -> None:
        """Start the server unless it runs, and wait until it answers."""
        control.ask(self._directory, control.Request.START_DATABASE)
        self._until(self._database_answers, "The database does not come back.")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._as_master() as cursor:
            cursor.execute(f"ALTER USER {APPLICATION_USER}@'%' ACCOUNT LOCK")
            self._cut_connections(cursor)
        try:
            yield
        finally:
            with self._as_master() as cursor:
                cursor.execute(f"ALTER USER {APPLICATION_USER}@'%' ACCOUNT UNLOCK")

    @contextmanager
    def _full(self) -> Iterator[None]:
        before = self._max_connections()
        with ExitStack() as taken:
            # One more than there may be: the server keeps a last one for who may mend it.
            cursor = taken.enter_context(self._as_master())
            cursor.execute("SET GLOBAL max_connections = %s", (FEWEST_CONNECTIONS,))
            try:
                self._cut_connections(cursor)
                for _ in range(FEWEST_CONNECTIONS):
                    self._take_connection(taken)
                yield
            finally:
                cursor.execute("SET GLOBAL max_connections = %s", (before,))

    def _take_connection(self, taken: ExitStack) -> None:
        # If somebody else has the last one, that is just as good.
        with suppress(pymysql.OperationalError):
            taken.enter_context(self._connect(self._database.user, self._database.password))

    def _cut_connections(self, cursor: Cursor) -> None:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", (APPLICATION_USER,))
        for (connection,) in cursor.fetchall():
            # Or it has ended by itself.
            with suppress(pymysql.OperationalError):
                cursor.execute("KILL %s", (connection,))

    def _max_connections(self) -> int:
        with self._as_master() as cursor:
            cursor.execute("SELECT @@GLOBAL.max_connections")
            return int((cursor.fetchone() or (0,))[0])

    def _database_answers(self) -> bool:
        try:
            self._connect(*self._master).close()
        except pymysql.OperationalError:
            return False
        return True

    @contextmanager
    def _as_master(self) -> Iterator[Cursor]:
        with self._connect(*self._master) as connection, connection.cursor() as cursor:
            yield cursor

    def _connect(self, user: str, password: str) -> "pymysql.Connection[Cursor]":
        return connect(self._database, user=user, password=password, read_timeout=READ_TIMEOUT)

    def _read_master(self) -> tuple[str, str]:
        """Read the master user's login, which RDS keeps in a secret of its own."""
        pages = self._clients.secrets.get_paginator("list_secrets").paginate()
        names = [entry["Name"] for page in pages for entry in page["SecretList"]]
        name = next((name for name in names if name.startswith("rds!")), None)
        if name is None:
            raise SetUpError("The stack has no secret with the database's master user.")
        login = json.loads(self._clients.secrets.get_secret_value(SecretId=name)["SecretString"])
        return login["username"], login["password"]

    # The functions

    @contextmanager
    def _workers_killed(self) -> Iterator[None]:
        with repeating(lambda: self._count_killed(self._workers.kill() + self._staff.kill()), every=0.3):
            yield

    @contextmanager
    def _killing_callers(self, *, after: bool) -> Iterator[None]:
        meddler = KillingCallers(self._workers, at_most=3, after=after, killed=self._count_killed)
        with self._meddled(meddler):
            yield

    def _count_killed(self, number: int) -> None:
        with self._lock:
            self.killed_workers += number

    def _function(self, logical_name: str) -> str:
        """Find a function's physical name."""
        pages = self._clients.functions.get_paginator("list_functions").paginate()
        names = [entry["FunctionName"] for page in pages for entry in page["Functions"]]
        name = next((name for name in names if name.startswith(logical_name)), None)
        if name is None:
            raise SetUpError(f"The stack has no function {logical_name}.")
        return name

    # DynamoDB and the queue

    @contextmanager
    def _meddled(self, meddler: Meddler) -> Iterator[None]:
        if self._interposer is None:
            raise RuntimeError("nothing is prepared")
        self._interposer.meddler = meddler
        try:
            yield
        finally:
            self._interposer.meddler = Meddler()

    def _set_dynamodb(self, url: str | None) -> None:
        """Have the writers reach DynamoDB at `url`; at its usual place for `None`."""
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
        answer = self._clients.sqs.get_queue_attributes(
            QueueUrl=self._stack.output("queue_url"), AttributeNames=["VisibilityTimeout"]
        )
        return int(answer["Attributes"]["VisibilityTimeout"])

    def _set_visibility_timeout(self, seconds: int) -> None:
        self._clients.sqs.set_queue_attributes(
            QueueUrl=self._stack.output("queue_url"), Attributes={"VisibilityTimeout": str(seconds)}
        )

    @staticmethod
    def _until(condition: Callable[[], bool], sentence: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise LocalError(sentence)
            time.sleep(0.02)


def _unlocked(cursor: Cursor) -> list[str]:
    """Let the application's user log in and write again; return what kept it from that."""
    found = []
    cursor.execute(f"SHOW CREATE USER {APPLICATION_USER}@'%'")
    if "ACCOUNT LOCK" in str((cursor.fetchone() or ("",))[0]):
        cursor.execute(f"ALTER USER {APPLICATION_USER}@'%' ACCOUNT UNLOCK")
        found.append("the database refused the application's login")
    cursor.execute("SELECT @@GLOBAL.read_only")
    if (cursor.fetchone() or (0,))[0]:
        cursor.execute("SET GLOBAL read_only = 0")
        found.append("the database was read-only")
    return found


def _not_mended(error: Exception) -> AnswerError:
    return AnswerError(
        f"What was broken could not be mended ({error}): stop the stack with `cafe local stop`."
    )


@contextmanager
def repeating(action: Callable[[], object], *, every: float) -> Iterator[None]:
    """Do something now and every few moments, in a thread of its own."""
    stop = threading.Event()

    def repeat() -> None:
        while True:
            action()
            if stop.wait(every):
                return

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
