"""One id, one order: a later order under a used id is the same order, or is reported."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import order_processor
from orders.failures import Conflict
from orders.ledger import Ledger
from orders.order import Order
from stores.dynamodb.projection import Projection
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.sqs import OrderQueue
from tests.stores import BERLIN, Server

Body = dict[str, Any]


def order(order_id: str = "17", item: str = "Tea", quantity: object = 1, **fields: Any) -> Body:
    return {"orderId": order_id, "item": item, "quantity": quantity, **fields}


class Sqs:
    """A client that records the visibility timeouts that it sets, by message."""

    def __init__(self) -> None:
        self.visibility: dict[str, int] = {}

    def change_message_visibility_batch(self, *, Entries: Sequence[Mapping[str, Any]], **_: Any) -> Any:  # noqa: N803
        self.visibility |= {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in Entries}
        return {}


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 30_000


Worker = Callable[[Mapping[str, Body]], set[str]]


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Sqs:
    sqs = Sqs()
    monkeypatch.setattr(order_processor, "order_queue", lambda: OrderQueue("url", client=sqs))
    return sqs


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, ledger: Ledger, sqs: Sqs) -> Worker:
    """Return a function that processes orders by message id and returns the failed messages."""
    monkeypatch.setattr(order_processor, "ledger", lambda: ledger)

    def process(batch: Mapping[str, Body]) -> set[str]:
        attributes = {"SentTimestamp": "1790000000000", "ApproximateReceiveCount": "1"}
        records = [
            {"messageId": name, "receiptHandle": name, "body": json.dumps(body), "attributes": attributes}
            for name, body in batch.items()
        ]
        response = order_processor.handler({"Records": records}, Context())
        return {failure["itemIdentifier"] for failure in response["batchItemFailures"]}

    return process


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that reads the new lines about messages."""
    return lambda: messages(capsys.readouterr().out)


def messages(output: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, output.splitlines()) if "messageId" in line]


@pytest.fixture
def rows(server: Server) -> Callable[[], dict[str, tuple[str, int, str]]]:
    """Return a function that reads the orders in the database by id."""

    def read() -> dict[str, tuple[str, int, str]]:
        with server.connect("cafe_db") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT order_id, item, quantity, customer_name FROM orders")
            return {order_id: tuple(contents) for order_id, *contents in cursor.fetchall()}

    return read


@pytest.mark.parametrize(
    "later",
    [
        order(item="Latte"),
        order(quantity=2),
        order(customer_name="Ada"),
        order(item="tea"),
        order(item="Te\u0301a"),
    ],
)
def test_another_order_under_a_used_id_is_a_conflict(
    worker: Worker, rows: Any, log: Any, sqs: Sqs, later: Body
) -> None:
    assert worker({"m1": order()}) == set()
    assert worker({"m2": later}) == {"m2"}
    assert rows() == {"17": ("Tea", 1, "Guest")}
    first, second = log()
    assert first["message"] == "Order processed successfully"
    assert (second["message"], second["orderId"], second["messageId"]) == ("Order not processed", "17", "m2")
    assert second["reason"].startswith("orderId 17 belongs to another order, with another ")
    assert second["conflict"] is second["refused"] is True
    # Visible again at once, so that SQS moves it to `OrderDLQ` within seconds.
    assert sqs.visibility == {"m2": 0}


@pytest.mark.parametrize(
    "later",
    [order(), order(quantity="1"), order(customer_name="Guest"), order(table_number=4), order(item=" Tea ")],
)
def test_the_same_order_under_a_used_id_is_the_same_order(
    worker: Worker, projection: Projection, later: Any
) -> None:
    assert worker({"m1": order()}) == set()
    assert worker({"m2": later}) == set()
    assert projection.read(["TOTAL_ORDERS"])["TOTAL_ORDERS"].value == 1


def test_a_conflict_names_what_differs_and_no_customer(worker: Worker, log: Any) -> None:
    worker({"m1": order(customer_name="Ada"), "m2": order(item="Latte", quantity=2, customer_name="Bob")})
    lines = log()
    reason = "orderId 17 belongs to another order, with another item, quantity, customer_name"
    assert [line["reason"] for line in lines if "reason" in line] == [reason]
    assert not {"Ada", "Bob"} & set(json.dumps(lines).replace('"', " ").split())


@pytest.mark.parametrize(
    ("items", "failed"),
    [
        (["Tea", "Latte"], {1}),
        (["Tea", "Tea", "Latte"], {2}),
        (["Tea", "Latte", "Tea"], {1}),
        (["Tea", "Latte", "Latte", "Mocha", "Tea"], {1, 2, 3}),
    ],
)
def test_a_conflict_inside_a_batch_fails_only_the_later_messages(
    worker: Worker, rows: Any, items: list[str], failed: set[int]
) -> None:
    batch = {f"m{number}": order(item=item) for number, item in enumerate(items)}
    assert worker(batch | {"m99": order("18")}) == {f"m{number}" for number in failed}
    assert rows() == {"17": ("Tea", 1, "Guest"), "18": ("Tea", 1, "Guest")}


def test_both_messages_keep_their_result_when_delivered_again(worker: Worker, rows: Any) -> None:
    batch = {"m1": order(), "m2": order(item="Latte")}
    for again in (batch, {"m2": batch["m2"]}, {"m1": batch["m1"]}, dict(reversed(batch.items()))):
        assert worker(again) == again.keys() & {"m2"}
    assert rows() == {"17": ("Tea", 1, "Guest")}


def test_a_legacy_order_without_a_name_is_a_guests(worker: Worker, mysql: MySql, server: Server) -> None:
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders (order_id, item, quantity) VALUES ('17', 'Tea', 1)")
    assert worker({"m1": order(), "m2": order(customer_name="Ada")}) == {"m2"}


def test_an_id_with_trailing_spaces_in_a_legacy_row_is_the_same_id(
    worker: Worker, mysql: MySql, server: Server
) -> None:
    """The unique index ignores trailing spaces, too."""
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders (order_id, item, quantity) VALUES ('17  ', 'Tea', 1)")
    batch = {"m1": order(), "m2": order(item="Latte"), "m3": order("18")}
    assert worker(batch) == {"m2"}


@pytest.mark.parametrize("attributes", ["{", "[1]"])
def test_an_id_of_a_row_with_broken_attributes_is_a_conflict(
    ledger: Ledger, server: Server, attributes: str
) -> None:
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders (order_id, item, quantity, attributes) VALUES ('17', 'Tea', 1, %s)",
            (attributes,),
        )
    failures = ledger.record({"m1": Order("17", None, "Tea", 1), "m2": Order("18", None, "Tea", 1)})
    assert failures == {"m1": "orderId 17 belongs to a row that holds no order"}
    assert isinstance(failures["m1"], Conflict)


def test_one_of_several_concurrent_orders_under_one_id_is_recorded(
    mysql: MySql, projection: Projection, rows: Any
) -> None:
    def record(item: str) -> str | None:
        connection = MySql(mysql._login)
        try:
            ledger = Ledger(OrdersDatabase(connection, BERLIN), projection, BERLIN)
            return ledger.record({"m": Order("17", None, item, 1)}).get("m")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        reasons = list(threads.map(record, map(str, range(1, 13))))
    (winner,) = [number for number, reason in enumerate(reasons, 1) if reason is None]
    assert rows() == {"17": (str(winner), 1, "Guest")}
    assert all(isinstance(reason, Conflict) for reason in reasons if reason is not None)
    assert projection.read(["TOTAL_ORDERS"])["TOTAL_ORDERS"].value == 1


# Any sequence


@dataclasses.dataclass
class Expected:
    """The expected orders: the first one of each id."""

    recorded: dict[str, Body] = dataclasses.field(default_factory=dict)

    def failed(self, batch: Mapping[str, Body]) -> Iterator[str]:
        """Record a batch, and yield the messages that must be reported."""
        for name, body in batch.items():
            if self.recorded.setdefault(body["orderId"], body) != body:
                yield name


ORDERS = st.builds(
    order,
    st.sampled_from(["1", "2", "3", "a", "A"]),
    st.sampled_from(["Tea", "Latte"]),
    st.integers(1, 2),
    customer_name=st.sampled_from(["Guest", "Ada"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(ORDERS, min_size=1, max_size=6), min_size=1, max_size=4), again=st.booleans()
)
def test_every_id_has_one_order_and_all_others_are_reported(
    worker: Worker,
    capsys: pytest.CaptureFixture[str],
    rows: Any,
    server: Server,
    batches: list[list[Body]],
    again: bool,
) -> None:
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM orders")
        cursor.execute("DELETE FROM counters")
    capsys.readouterr()
    expected = Expected()
    named = [{f"m{n}-{place}": body for place, body in enumerate(batch)} for n, batch in enumerate(batches)]
    for batch in named * (2 if again else 1):
        assert worker(batch) == set(expected.failed(batch))
        # Each message has its log line.
        lines = messages(capsys.readouterr().out)
        assert sorted(line["messageId"] for line in lines) == sorted(batch)
        reported = {line["messageId"] for line in lines if line["message"] == "Order not processed"}
        assert reported == {line["messageId"] for line in lines if line.get("conflict")}
    assert rows() == {
        order_id: (body["item"], body["quantity"], body["customer_name"])
        for order_id, body in expected.recorded.items()
    }
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT value FROM counters WHERE name = 'TOTAL_ORDERS'")
        assert cursor.fetchall() == ((len(expected.recorded),),)
