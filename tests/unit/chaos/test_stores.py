"""The audit of a chaos run on both stores and the queues, and the faults of the database."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest

from chaos.audit import Audit
from chaos.database import DatabaseFaults, connect
from chaos.plan import Plan
from cli import aws as cli_aws
from cli import queues
from cli.errors import SetUpError
from cli.stack import Database, Stack
from orders import change
from orders.message import parse_batch
from orders.order import Order
from orders.states import Role
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.order_items import OrderItems
from stores.mysql.changes import OrderChanges
from stores.mysql.connection import MySql
from tests.dynamodb import NAMES
from tests.stores import Server, moto_client
from tests.unit.both_stores import BothStores

SCAN = cli_aws.scan


@pytest.fixture
def both(mysql: MySql, moto_dynamodb: Any) -> BothStores:
    return BothStores(mysql, moto_dynamodb)


@pytest.fixture
def database(server: Server) -> Database:
    login = server.login
    return Database(
        host=login.host,
        port=login.port,
        user=login.username,
        password=login.password,
        name="cafe_db",
        ca=str(server.authority),
    )


class Run:
    """A run whose orders are recorded in both stores."""

    def __init__(self, both: BothStores, database: Database) -> None:
        self.both = both
        self.database = database
        self.sqs = moto_client("sqs")
        outputs = {"orders_table": NAMES.orders, "menu_table": NAMES.menu, "metrics_table": NAMES.metrics}
        for name in ("queue_url", "dead_letter_queue_url", "subscription_dead_letter_queue_url"):
            outputs[name] = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        stack = Stack(name="local", outputs=outputs, region="us-east-1", database=database)
        clients: Any = SimpleNamespace(dynamodb=both.dynamodb, sqs=self.sqs, stack=stack)
        self.dead_letters = outputs["dead_letter_queue_url"]
        self.plan = Plan(seed=7, run="r1", orders=100)
        self.audit = Audit(clients, self.plan)
        self.confirmed: dict[str, set[int]] = {}

    def record(self) -> None:
        """Record all orders, and dead-letter those that the worker would reject."""
        now = str(int(time.time() * 1000))
        orders: list[Order] = []
        for sending in self.plan.sendings():
            message = {
                "messageId": f"m-{sending.number}",
                "body": sending.body,
                "attributes": {"SentTimestamp": now},
            }
            received, _ = parse_batch([message])
            orders += [each.order for each in received]
            if self.plan.order(sending.number).fate == "malformed":
                self.sqs.send_message(QueueUrl=self.dead_letters, MessageBody=sending.body)
        self.both.record(orders)

    def damage(self, *statements: str) -> None:
        with connect(self.database) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def move(self, order_id: str) -> None:
        """Move an order in both stores, and confirm it to the staff."""
        body = json.dumps({"state": "preparing"})
        request = change.parse(order_id, body, '"1"', None, actor="ada", role=Role.MANAGER)
        moved = change.change(OrderChanges(self.both.mysql), request).order
        OrderItems(DynamoDb(client=self.both.dynamodb), NAMES.orders).put_unless_newer(moved)
        self.confirmed[order_id] = {moved.version}

    def failures(self) -> dict[str, str]:
        checks = self.audit.checks(self.plan.count(), self.confirmed, keep=False)
        return {check.name: check.detail for check in checks if not check.ok}


def exact_scan(*arguments: Any, **options: Any) -> Iterator[Any]:
    """Scan a table of moto's, which does not normalize numbers such as 1E+1."""
    for item in SCAN(*arguments, **options):
        if "number" in item:
            item["number"]["N"] = f"{Decimal(item['number']['N']):f}"
        yield item


@pytest.fixture
def run(aws: None, both: BothStores, database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("chaos.audit.DEAD_LETTER_TIMEOUT", 0)
    monkeypatch.setattr("chaos.audit.PAGE", 50)
    monkeypatch.setattr("cli.aws.scan", exact_scan)
    monkeypatch.setattr(queues, "LONG_POLL", 0)
    made = Run(both, database)
    made.record()
    made.move("chaos-r1-7")
    return made


def test_a_run_whose_orders_are_recorded_once_passes(run: Run) -> None:
    assert run.failures() == {}


def test_the_audit_finds_what_a_store_or_a_queue_lacks(run: Run) -> None:
    run.both.dynamodb.delete_item(TableName=NAMES.orders, Key={"orderId": {"S": "chaos-r1-8"}})
    run.damage(
        "DELETE FROM orders WHERE order_id = 'chaos-r1-9'",
        "UPDATE counters SET value = value + 1 WHERE name = 'ITEM#Tea'",
        "DELETE FROM order_events",
    )
    run.sqs.purge_queue(QueueUrl=run.dead_letters)
    failures = run.failures()
    assert failures.keys() >= {"rds", "dynamodb", "counters", "states", "dead_letters"}
    assert failures["rds"] == "1 missing; order 9 first"
    assert failures["dynamodb"] == "1 missing; order 8 first"
    assert failures["dead_letters"].startswith("0 dead letters with 0 of ")
    assert "chaos-r1-7: its moves end at received 1" in failures["states"]


def test_the_dead_letters_of_a_run_are_deleted_and_others_stay(run: Run) -> None:
    run.sqs.send_message(QueueUrl=run.dead_letters, MessageBody="{}")
    assert run.failures() == {}
    (left,) = run.sqs.receive_message(QueueUrl=run.dead_letters, MaxNumberOfMessages=10)["Messages"]
    assert left["Body"] == "{}"


@pytest.fixture
def faults(mysql: MySql, server: Server, database: Database, tmp_path: Path) -> DatabaseFaults:
    application = replace(database, user="cafe_user", password=server.set_up_worker().password)
    return DatabaseFaults(application, (database.user, database.password), tmp_path)


def can_connect(faults: DatabaseFaults) -> bool:
    try:
        connect(faults._database).close()
    except pymysql.OperationalError:
        return False
    return True


@pytest.mark.parametrize("fault", [DatabaseFaults.locked, DatabaseFaults.full])
def test_the_application_is_refused_while_the_database_is_locked_or_full(
    faults: DatabaseFaults, fault: Callable[[DatabaseFaults], AbstractContextManager[None]]
) -> None:
    with fault(faults):
        assert not can_connect(faults)
    assert can_connect(faults)


def test_faults_of_the_database_are_found_and_repaired(faults: DatabaseFaults) -> None:
    limit = faults.max_connections()
    with faults._as_master() as cursor:
        cursor.execute("ALTER USER cafe_user@'%' ACCOUNT LOCK")
        cursor.execute("SET GLOBAL read_only = 1")
        cursor.execute("SET GLOBAL max_connections = 50")
    assert faults.repair(limit) == [
        "the database refused the application's login",
        "the database was read-only",
    ]
    assert faults.repair() == []
    assert faults.max_connections() == limit
    assert can_connect(faults)


def test_a_database_that_does_not_respond_is_reported_with_the_repair(faults: DatabaseFaults) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    faults._database = replace(faults._database, port=port)  # where no server listens any more
    with pytest.raises(SetUpError, match=r"does not respond \(MySQL error 2003\).*--repair"):
        faults.max_connections()
