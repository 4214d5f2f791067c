"""What the runbook says of a database that is away, and of a rotated secret, tried on the whole system."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.cafe import Cafe
from tests.end_to_end.test_failures import cut_connections, database_away, master, wait_for_line
from tests.end_to_end.test_page_and_command import command
from tests.waiting import eventually

NewId = Callable[[], str]


def typed(cafe: Cafe, *words: str) -> dict[str, Any]:
    process = command(cafe, *words, "--json")
    document: dict[str, Any] = json.loads(process.stdout)
    assert "error" not in document, document
    return {**document, "exit_code": process.returncode}


def test_the_doctor_says_that_the_database_is_away_and_afterwards_nothing_has_to_be_done(
    cafe: Cafe, new_id: NewId
) -> None:
    order_id = new_id()
    with cafe.quick_redelivery():
        with database_away(cafe):
            order = {"orderId": order_id, "item": "Tea", "quantity": 1}
            cafe.publish(json.dumps(order))
            wait_for_line(cafe, order, "Order not processed")
            found = {finding["name"]: finding for finding in typed(cafe, "doctor")["findings"]}
            assert found["database"]["state"] == "bad"
            assert typed(cafe, "status")["degraded"] == ["rds"]
        eventually(lambda: typed(cafe, "reconcile")["exit_code"] == 0 and cafe.is_recorded(order_id))


def test_a_rotated_secret_needs_nobody(cafe: Cafe, new_id: NewId) -> None:
    between = new_id()
    with cafe.quick_redelivery(), rotated(cafe) as put_secret:
        order = {"orderId": between, "item": "Tea", "quantity": 1}
        cafe.publish(json.dumps(order))
        wait_for_line(cafe, order, "MySQL error 1045")
        put_secret()
        after = cafe.post({"item": "Tea", "quantity": 1}).json()["orderId"]
        eventually(lambda: cafe.is_recorded(after))
        eventually(lambda: typed(cafe, "reconcile")["exit_code"] == 0 and cafe.is_recorded(between))


@contextmanager
def rotated(cafe: Cafe) -> Iterator[Callable[[], None]]:
    """Change the password in the database; the yielded function changes it in the secret, too."""
    client = cafe.stack.client("secretsmanager")
    name = next(s["Name"] for s in client.list_secrets()["SecretList"] if s["Name"].startswith("CafeDev"))
    before = json.loads(client.get_secret_value(SecretId=name)["SecretString"])

    def set_database(password: str) -> None:
        login = master(cafe)
        with cafe.database(login["username"], login["password"]) as cursor:
            cursor.execute("ALTER USER cafe_user@'%%' IDENTIFIED BY %s", (password,))
            cut_connections(cursor, "cafe_user")

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
