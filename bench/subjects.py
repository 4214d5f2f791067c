"""Run the functions of a revision, or of the earlier system, in separate processes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pymysql

from bench import database
from bench.database import APPLICATION, Server
from bench.shared_items import SharedItems
from local import process_groups

EARLIER = "earlier_db"
ROOT = Path(__file__).parent.parent
MENU = {"Latte": "5", "Tea": "2", "Coffee": "3", "Mocha": "4"}
TIMEOUTS = {"order_processor": 30.0, "get_order_status": 29.0, "reconcile_orders": 900.0}  # seconds
FUNCTION_NAME = "AWS_LAMBDA_FUNCTION_NAME"
ENVIRONMENT = {
    FUNCTION_NAME: "bench",
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "DATABASE_SECRET": "CafeDevDBSM",
    "MASTER_SECRET": "master",
    "STATUS_SECRET": "status",
    "IDEMPOTENCY_TABLE": "IdempotencyKeys",
    "OPEN_HOURS": "6",
    "ORDERS_TABLE": "Orders",
    "MENU_TABLE": "CafeMenu",
    "METRICS_TABLE": "CafeOrderMetrics",
    "QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/OrderQueue",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/OrderDLQ",
    "TIME_ZONE": "UTC",
    "CUSTOMER_NAMES": "full",
}


class MeasurementError(Exception):
    """A measurement failed, for the reason in the message."""


class Child:
    """A process that runs one function."""

    def __init__(self, settings: dict[str, Any], log: IO[bytes]) -> None:
        # Without the AWS settings of this shell.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.process", json.dumps(settings)],
            cwd=ROOT,
            env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        self._log = Path(log.name)

    @property
    def process_id(self) -> int:
        """Return the number of the process."""
        return self._process.pid

    def start(self, command: str, **parameters: Any) -> None:
        """Start a command of `bench.process.Process`."""
        assert self._process.stdin is not None
        try:
            print(json.dumps({"do": command, **parameters}), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            self._fail()

    def finish(self) -> dict[str, Any]:
        """Return the command's result."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._fail()
        return json.loads(line)  # type: ignore[no-any-return]

    def do(self, command: str, **parameters: Any) -> dict[str, Any]:
        """Run a command."""
        self.start(command, **parameters)
        return self.finish()

    def end(self) -> None:
        """End the process, in any state."""
        process_groups.kill([self._process.pid])
        # Waits for the process and closes its pipes.
        with contextlib.suppress(BrokenPipeError), self._process:
            pass

    def _fail(self) -> None:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
        raise MeasurementError("A measured process has ended:\n" + "\n".join(lines))


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Functions with their database, and the items that their processes share.

    Parameters
    ----------
    code
        The directory with the functions, as it is on Lambda.
    """

    name: str
    server: Server
    database: str
    code: Path
    directory: Path
    is_ours: bool = True

    @property
    def worker(self) -> str:
        """Return the module of the worker."""
        return "order_processor" if self.is_ours else "worker"

    @property
    def status(self) -> str:
        """Return the module of the order status."""
        return "get_order_status" if self.is_ours else "status"

    @property
    def shared(self) -> SharedItems:
        """Return the items that all processes share."""
        return SharedItems(self.directory / "items")

    @contextmanager
    def processes(self, function: str, count: int = 1) -> Iterator[list[Child]]:
        """Run processes of a function."""
        with ExitStack() as stack:
            children = []
            for _ in range(count):
                log = stack.enter_context((self.directory / "log").open("ab"))
                child = Child(self._settings(function), log)
                stack.callback(child.end)
                children.append(child)
            yield children

    def empty(self) -> None:
        """Remove all orders and counters from the stores."""
        database.empty(self.server, self.database)
        shared = self.shared
        with shared.locked():
            shared.clear()

    def _settings(self, function: str) -> dict[str, Any]:
        # Releases before schema 3 used the worker's login for the status.
        has_own_login = function == "get_order_status" and (self.code / "stores/mysql/users.py").exists()
        return {
            "code": str(self.code),
            "handler": function,
            "shared": str(self.directory / "items"),
            "environment": ENVIRONMENT | ({"DATABASE_SECRET": "status"} if has_own_login else {}),
            "envelope": self.is_ours,
            "timeout": TIMEOUTS.get(function, 300.0),
            "secrets": {
                "CafeDevDBSM": self.server.secret(self.database, *APPLICATION),
                "status": self.server.secret(self.database, "cafe_status", "bench-status-password"),
                "master": self.server.secret(self.database),
            },
        }


def earlier(server: Server, directory: Path, schema: str = EARLIER) -> Subject:
    """Set up the earlier system."""
    directory.mkdir()
    code = directory / "code"
    shutil.copytree(Path(__file__).parent / "earlier", code, ignore=shutil.ignore_patterns("__pycache__"))
    _add_driver(code)
    database.create_earlier(server, schema)
    return Subject(
        name="earlier", server=server, database=schema, code=code, directory=directory, is_ours=False
    )


def ours(server: Server, directory: Path, name: str = "ours", revision: str | None = None) -> Subject:
    """Set up the functions of the work tree, or of a revision."""
    directory.mkdir()
    code = directory / "code"
    if revision is None:
        shutil.copytree(ROOT / "functions", code, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        _extract(revision, directory)
        (directory / "functions").rename(code)
    _add_driver(code)
    shutil.copy(server.authority, code / "rds-ca.pem")
    schema = f"cafe_{name}"
    server.execute(f"CREATE DATABASE {schema}")
    subject = Subject(name=name, server=server, database=schema, code=code, directory=directory)
    with subject.processes("migrate_database") as (child,):
        child.do("invoke", events=[{"menu": MENU}])
    return subject


def _add_driver(code: Path) -> None:
    """Add PyMySQL without bytecode, as in an archive."""
    source = Path(pymysql.__file__).parent
    shutil.copytree(source, code / "pymysql", ignore=shutil.ignore_patterns("__pycache__"))


def _extract(revision: str, directory: Path) -> None:
    """Extract `functions/` of a revision."""
    found = subprocess.run(
        ["git", "archive", revision, "functions"], cwd=ROOT, capture_output=True, check=False
    )
    if found.returncode:
        raise MeasurementError(f"git has no functions/ of {revision!r}: {found.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(directory, filter="data")


def start_together(
    children: Sequence[Child], command: str, parameters: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Run a command in several processes in parallel."""
    for child, each in zip(children, parameters, strict=True):
        child.start(command, **each)
    return [child.finish() for child in children]
