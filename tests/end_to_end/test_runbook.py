"""Procedures of the runbook and commands of the README, on the whole system."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from infra.recording import ROOT
from tests.end_to_end.operations import (
    NewId,
    close_connections,
    database_outage,
    master,
    run_command,
    wait_for_log,
)
from tests.system import System
from tests.waiting import eventually


def run_json(cafe: System, *words: str) -> dict[str, Any]:
    process = run_command(cafe, *words, "--json")
    document: dict[str, Any] = json.loads(process.stdout)
    assert "error" not in document, document
    return {**document, "exit_code": process.returncode}


def test_the_readme_reads_the_topic_of_the_local_stack(cafe: System) -> None:
    command = re.search(r"\$\((sed .*) \.local/stack\.json\)", (ROOT / "README.md").read_text("utf-8"))
    assert command is not None
    topic = subprocess.check_output(f"{command[1]} {cafe.stack.directory}/stack.json", shell=True, text=True)  # noqa: S602
    assert topic.strip() == cafe.outputs["topic_arn"]


def test_the_doctor_reports_a_database_outage_which_needs_no_repair_afterwards(
    cafe: System, new_id: NewId
) -> None:
    order_id = new_id()
    with cafe.quick_redelivery():
        with database_outage(cafe):
            order = {"orderId": order_id, "item": "Tea", "quantity": 1}
            cafe.publish(json.dumps(order))
            wait_for_log(cafe, order, "Order not processed")
            found = {finding["name"]: finding for finding in run_json(cafe, "doctor")["findings"]}
            assert found["database"]["state"] == "bad"
            assert run_json(cafe, "status")["degraded"] == ["rds"]
        eventually(lambda: run_json(cafe, "reconcile")["exit_code"] == 0 and cafe.is_recorded(order_id))


def test_a_rotated_secret_needs_no_repair(cafe: System, new_id: NewId) -> None:
    between = new_id()
    with cafe.quick_redelivery(), rotated(cafe) as put_secret:
        order = {"orderId": between, "item": "Tea", "quantity": 1}
        cafe.publish(json.dumps(order))
        wait_for_log(cafe, order, "MySQL error 1045")
        put_secret()
        after = cafe.post({"item": "Tea", "quantity": 1}).json()["orderId"]
        eventually(lambda: cafe.is_recorded(after))
        eventually(lambda: run_json(cafe, "reconcile")["exit_code"] == 0 and cafe.is_recorded(between))


@contextmanager
def rotated(cafe: System) -> Iterator[Callable[[], None]]:
    """Change the password in the database; the yielded function changes it in the secret, too."""
    client = cafe.stack.client("secretsmanager")
    name = next(s["Name"] for s in client.list_secrets()["SecretList"] if s["Name"].startswith("CafeDev"))
    before = json.loads(client.get_secret_value(SecretId=name)["SecretString"])

    def set_database(password: str) -> None:
        login = master(cafe)
        with cafe.database(login["username"], login["password"]) as cursor:
            cursor.execute("ALTER USER cafe_user@'%%' IDENTIFIED BY %s", (password,))
            close_connections(cursor, "cafe_user")

    def set_secret(password: str) -> None:
        value = json.dumps({**before, "password": password})
        client.put_secret_value(SecretId=name, SecretString=value)

    password = secrets.token_hex(16)
    try:
        set_database(password)
        yield lambda: set_secret(password)
    finally:
        set_secret(before["password"])
        set_database(before["password"])
