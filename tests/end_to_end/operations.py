"""Operations on the running stack that several of these tests share: an outage, the log, the commands."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor
from typer.testing import Result

from tests.system import System
from tests.waiting import eventually

NewId = Callable[[], str]
Operator = Callable[..., Result]
CAFE_COMMAND = Path(sys.executable).parent / "cafe"


def master(cafe: System) -> dict[str, str]:
    """Return the master user's login from the secret that RDS created."""
    secrets = cafe.stack.client("secretsmanager")
    (name,) = (s["Name"] for s in secrets.list_secrets()["SecretList"] if s["Name"].startswith("rds!"))
    login: dict[str, str] = json.loads(secrets.get_secret_value(SecretId=name)["SecretString"])
    return login


def close_connections(cursor: Cursor, *users: str) -> None:
    """Kill all sessions of some users of the database."""
    cursor.execute("SELECT id FROM information_schema.processlist WHERE user IN %s", (users,))
    for (connection,) in cursor.fetchall():
        try:
            cursor.execute(f"KILL {connection}")
        except pymysql.OperationalError as error:
            if error.args[0] != ER.NO_SUCH_THREAD:  # closed meanwhile
                raise


@contextmanager
def database_outage(cafe: System) -> Iterator[None]:
    """Lock the functions' database users and close their connections."""
    login = master(cafe)
    users = "cafe_user@'%', cafe_status@'%'"
    try:
        with cafe.database(login["username"], login["password"]) as cursor:
            cursor.execute(f"ALTER USER {users} ACCOUNT LOCK")
            close_connections(cursor, "cafe_user", "cafe_status")
        yield
    finally:
        with cafe.database(login["username"], login["password"]) as cursor:
            cursor.execute(f"ALTER USER {users} ACCOUNT UNLOCK")


def logged(cafe: System, order_id: str, message: str) -> bool:
    """Return whether the worker logged a message about an order."""
    events = cafe.stack.client("logs").filter_log_events(
        logGroupName=cafe.outputs["worker_log_group"], filterPattern=f'"{order_id}"'
    )["events"]
    return any(message in event["message"] for event in events)


def wait_for_log(cafe: System, order: dict[str, Any], message: str) -> None:
    """Wait until the worker has logged a message about an order.

    On a busy machine MiniStack may deliver a line only with the worker's next invocation, so the same order
    is sent again, which counts nothing.
    """
    attempts = itertools.count(1)

    def is_logged() -> bool:
        if next(attempts) % 20 == 0:
            cafe.publish(json.dumps(order))
        return logged(cafe, order["orderId"], message)

    eventually(is_logged)


def reconcile(cafe: System, **event: Any) -> dict[str, Any]:
    """Invoke ReconcileOrders, and return its response."""
    response = cafe.stack.client("lambda").invoke(
        FunctionName=cafe.outputs["reconcile_function"], Payload=json.dumps(event)
    )
    assert "FunctionError" not in response
    report: dict[str, Any] = json.loads(response["Payload"].read())
    return report


def created_at(cafe: System, order_id: str) -> datetime:
    """Return when an order was created, by its row."""
    ((moment,),) = cafe.rows("SELECT created_at FROM orders WHERE order_id = %s", order_id)
    return moment.replace(tzinfo=UTC)  # type: ignore[no-any-return]


def run_command(cafe: System, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command, with `variables` added to the environment."""
    return subprocess.run(
        [str(CAFE_COMMAND), *words, "--directory", str(cafe.stack.directory)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1", **variables},
    )


def json_of(result: Result) -> dict[str, Any]:
    """Return the JSON document of a successful command."""
    assert result.exit_code == 0, result.output
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def listed(operator: Operator, message_id: str, *words: str) -> dict[str, Any]:
    """Return a message as `cafe dlq list` lists it, once it is visible."""

    def find() -> dict[str, Any] | None:
        messages = json_of(operator("dlq", "list", "--limit", "1000", "--json", *words))["messages"]
        return next((message for message in messages if message["message_id"] == message_id), None)

    found: dict[str, Any] = eventually(find)
    return found


def findings(operator: Operator) -> dict[str, dict[str, str]]:
    """Return the findings of `cafe doctor` by name."""
    report = json.loads(operator("doctor", "--json").stdout)
    return {finding["name"]: finding for finding in report["findings"]}
