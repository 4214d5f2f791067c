"""`cafe restore` on both stores: the database as of a copy, later orders and states from DynamoDB."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import erase_orders
from cli import worker
from cli.queues import Outgoing, Sent
from cli.reconciler import Reconciler
from cli.restore import steps
from cli.restore.backups import Backups
from cli.restore.deploys import Deploys
from cli.restore.lost import Lost
from cli.restore.record import Record, Records
from cli.restore.steps import Restore
from cli.schedule import Schedule
from cli.stack import Stack
from orders.erasure import Selector
from orders.message import parse_batch
from tests.cli.fake_rds import RUNNING, FakeRds
from tests.dynamodb import NAMES
from tests.stores import TABLES, moto_client
from tests.unit.api import Api
from tests.unit.both_stores import orders
from tests.unit.dead_letter_queue import Queue
from tests.unit.reconcile_function import Context, call, use

SNAPSHOT = "cafe-2026-11-01"
TOPIC = "arn:aws:sns:us-east-1:123456789012:OrderTopic"
RULE = "ReconcileOrders"


class Shop(Deploys):
    """A stack in this process, whose deploy restores the database from the copy."""

    def __init__(self, api: Api) -> None:
        outputs = {
            "topic_arn": TOPIC,
            "reconcile_function": "ReconcileOrders-dev",
            "erase_function": "EraseOrders-dev",
            "worker_mapping": "mapping",
            "metrics_table": NAMES.metrics,
            "deployed_settings": json.dumps({"databaseSnapshot": "", "deletionProtection": False}),
        }
        super().__init__(Stack(name="dev", outputs=outputs, region="us-east-1"), yes=True, quiet=False)
        self._api = api
        self.both = api.both
        self.state = worker.ENABLED
        self.messages: list[str] = []  # in the queue
        self.shown_while_paused: list[int] = []

    # The deploys

    def settings(self) -> dict[str, str]:
        return {"databaseStorage": "20"}

    def refuse(self, changed: object) -> None:
        """Accept every deploy."""

    def deploy(self, changed: Any) -> None:
        for table in TABLES:
            self._api.master(f"TRUNCATE TABLE {table}")
            self._api.master(f"INSERT INTO {table} SELECT * FROM backup.{table}")  # noqa: S608
        deployed = json.dumps(self.deployed | changed)
        outputs = {**self.stack.outputs, "deployed_settings": deployed}
        self.stack = Stack(name="dev", outputs=outputs, region="us-east-1")
        self.work()
        self.shown_while_paused.append(self.both.projected["TOTAL_ORDERS"])

    # Lambda

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803
        event = json.loads(Payload)
        if FunctionName == "EraseOrders-dev":
            assert self.state == worker.DISABLED
            return {"Payload": io.BytesIO(json.dumps(erase_orders.handler(event, Context())).encode())}
        return {"Payload": io.BytesIO(json.dumps(call(**event)).encode())}

    def get_event_source_mapping(self, *, UUID: str) -> dict[str, str]:  # noqa: N803
        return {"State": self.state}

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803
        self.state = worker.ENABLED if Enabled else worker.DISABLED

    # The queue and the worker

    def send(self, messages: Sequence[Outgoing]) -> list[Sent]:
        self.messages += [message.body for message in messages]
        return [Sent(problem=None) for _ in messages]

    def work(self, _seconds: float = 0) -> None:
        """Record what is in the queue, unless the worker is paused."""
        if self.state == worker.DISABLED:
            return
        attributes = {"SentTimestamp": str(int(datetime.now(UTC).timestamp() * 1000))}
        received, rejected = parse_batch(
            [
                {"messageId": str(number), "body": body, "attributes": attributes}
                for number, body in enumerate(self.messages)
            ]
        )
        assert not rejected
        failures = self.both.ledger.record({each.message_id: each.order for each in received})
        assert failures == {}
        self.messages.clear()


@pytest.fixture
def dynamodb(moto_dynamodb: Any) -> Any:
    """DynamoDB by moto, which the command's client calls."""
    return moto_dynamodb


@pytest.fixture
def shop(api: Api, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop with a copy of its database, and with orders and changes of states since then."""
    use(monkeypatch, api.both, api.both.mysql, queue)
    monkeypatch.setattr(erase_orders, "_eraser", lambda _: api.both.eraser)
    events = moto_client("events")
    events.put_rule(Name=RULE, ScheduleExpression="rate(1 minute)")
    arn = "arn:aws:lambda:us-east-1:123456789012:function:ReconcileOrders-dev"
    events.put_targets(Rule=RULE, Targets=[{"Id": "1", "Arn": arn}])
    monkeypatch.setattr(steps, "LATE_AFTER", timedelta(0))
    long_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
    api.both.record(orders(*range(1, 9), sent_at=long_ago))
    api.move("o1", "collected")
    api.master("CREATE DATABASE backup")
    for table in TABLES:
        api.master(f"CREATE TABLE backup.{table} AS SELECT * FROM {table}")  # noqa: S608
    api.both.record(orders(*range(9, 13), sent_at=long_ago + timedelta(minutes=5), item="Tea"))
    api.both.record(orders(13, sent_at=long_ago - timedelta(days=3)))  # it was recorded late
    for order_id, state in {"o2": "preparing", "o3": "ready", "o9": "collected", "o10": "cancelled"}.items():
        api.move(order_id, state)
    yield Shop(api)
    api.master("DROP DATABASE backup")


def test_no_item_of_dynamodb_is_lost(shop: Shop, api: Api, dynamodb: Any) -> None:
    both = shop.both
    # One order is in the backup with its name, one is not.
    for order_id in ("o4", "o11"):
        both.eraser.erase(Selector(order_id=order_id), None)
    before = both.states
    shop.messages = [json.dumps({"orderId": "waiting", "item": "Latte", "quantity": 1})]
    records, events = Records(dynamodb, shop.stack), moto_client("events")
    record = Record(snapshot=SNAPSHOT, source=RUNNING, protected=False, started_at=datetime.now(UTC))
    function = Reconciler(functions=shop, name="ReconcileOrders-dev")  # type: ignore[arg-type]
    said: list[str] = []

    problem = Restore(
        functions=shop,  # type: ignore[arg-type]
        deploys=shop,
        backups=Backups(FakeRds(), RUNNING),
        records=records,
        schedule=Schedule(events, shop.stack),
        lost=Lost(
            dynamodb=dynamodb, table=NAMES.orders, reconciler=function, send=shop.send, sleep=shop.work
        ),
        reconciler=function,
        record=record,
        say=said.append,
    ).run()

    assert problem is None
    assert (record.lost, record.orders, record.states) == ([], 5, 2)
    assert len(before) == 13
    assert both.states_in_mysql == both.states == before | {"waiting": ("received", 1)}
    assert both.sql("SELECT order_id FROM orders WHERE customer_name = '' ORDER BY id") == [("o4",), ("o11",)]
    assert "1 order erased again, whose names the backup had." in said
    assert shop.shown_while_paused == [13]  # nothing compared the stores meanwhile
    assert both.counters["TOTAL_ORDERS"] == 14
    assert both.projected == {name: both.counters[name] for name in both.projected}
    assert both.audit().corrected == {}
    assert both.recent().drift == both.compare_all_counters().drift == 0
    listed = {each["order_id"]: each["state"] for each in api.kitchen().body["orders"]}
    assert (listed["o2"], listed["o3"], "o9" in listed) == ("preparing", "ready", False)
    assert (shop.state, events.describe_rule(Name=RULE)["State"]) == (worker.ENABLED, "ENABLED")
    assert records.load() is None
    assert said[-1] == "The database has 14 orders; 0 counters corrected in it."
