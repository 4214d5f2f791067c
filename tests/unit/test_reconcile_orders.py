"""The results of `ReconcileOrders`, for the schedule and for an operator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import reconcile_orders
from orders.counters import Counted
from orders.failures import StoreUnavailableError
from orders.ledger import Written
from orders.sync import RdsOrders
from stores.mysql.connection import MySql
from stores.mysql.login import Login
from tests.stores import FixedLogin, Server
from tests.unit.both_stores import BothStores, orders
from tests.unit.dead_letter_queue import Queue, order
from tests.unit.reconcile_function import call, use


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, both: BothStores, queue: Queue) -> BothStores:
    """The function, on the test's stores."""
    use(monkeypatch, both, both.mysql, queue)
    return both


@pytest.fixture
def without_database(monkeypatch: pytest.MonkeyPatch, both: BothStores, queue: Queue) -> BothStores:
    """The function, while the database is unreachable."""
    unreachable = MySql(FixedLogin(Login("127.0.0.1", 1, "cafe_user", "a password", "cafe_db")))
    use(monkeypatch, both, unreachable, queue)
    return both


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_scheduled_run_compares_sweeps_and_publishes_the_drift(
    function: BothStores, queue: Queue, lines: Any
) -> None:
    function.insert(orders(1))
    queue.send(order("o2"), order("o1", item="Water"), "poison")
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    assert call(**event) == {
        "compared": True,
        "checked": 1,
        "repaired": 1,
        "counted": 0,
        "drift": 2,
        "rds_orders": 1,
        "corrected": {"metrics": {}, "menu": {}},
        "bad_rows": {},
        "unchecked": None,
        "swept": 1,
        "left": 2,
        "rejected": 1,
        "rejected_reason": "The order must be a JSON object; this is not JSON.",
        "conflicting": 1,
        "conflicting_reason": "orderId o1 belongs to another order, with another item, quantity",
        "waiting": 0,
        "waiting_reason": None,
        "next": None,
        "reason": None,
    }
    recorded, swept, metric = lines()
    (definition,) = metric["_aws"]["CloudWatchMetrics"]
    assert definition["Namespace"] == "CafeOrders"
    assert definition["Dimensions"] == [["FunctionName"]]
    assert metric["FunctionName"] == "ReconcileOrders-dev"
    assert {m["Name"]: metric[m["Name"]] for m in definition["Metrics"]} == {"Drift": 2}
    assert recorded["orderId"] == "o2"
    (definition,) = swept["_aws"]["CloudWatchMetrics"]
    assert (definition["Namespace"], definition["Dimensions"]) == ("CafeOrders", [["FunctionName"]])
    assert swept["FunctionName"] == "ReconcileOrders-dev"
    assert {m["Name"]: swept[m["Name"]] for m in definition["Metrics"]} == {
        "RejectedDeadLetters": 1,
        "ConflictingDeadLetters": 1,
        "WaitingDeadLetters": 0,
    }
    assert function.items == {"o1", "o2"}
    assert function.projected["TOTAL_ORDERS"] == 2
    _, _, noted = function.metrics.read([])
    assert noted is not None
    assert (noted.rejected, noted.conflicting, noted.waiting) == (1, 1, 0)


def test_the_metrics_of_dead_letters_are_published_even_when_there_are_none(
    function: BothStores, lines: Any
) -> None:
    call()
    (swept,) = [line for line in lines() if line["message"] == "Swept"]
    names = ("RejectedDeadLetters", "ConflictingDeadLetters", "WaitingDeadLetters")
    assert [swept[name] for name in names] == [0, 0, 0]


def test_an_outage_does_not_end_the_alarm_of_conflicts_that_it_hides(
    without_database: BothStores, queue: Queue, lines: Any
) -> None:
    queue.send(order("o1"), "poison")
    call()
    (swept,) = [line for line in lines() if line["message"] == "Swept"]
    assert swept["WaitingDeadLetters"] == 1  # which may be a conflict
    assert "ConflictingDeadLetters" not in swept
    names = {metric["Name"] for metric in swept["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert names == {"RejectedDeadLetters", "WaitingDeadLetters"}


def test_conflicts_are_published_although_other_orders_wait(
    function: BothStores, queue: Queue, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: object) -> dict[str, str]:
        raise StoreUnavailableError("DynamoDB: throttled")

    function.record(orders(1))
    monkeypatch.setattr(function.projection, "write", throttled)
    queue.send(order("o1", item="Water"), order("o2"))
    call()
    (swept,) = [line for line in lines() if line["message"] == "Swept"]
    assert (swept["ConflictingDeadLetters"], swept["WaitingDeadLetters"]) == (1, 1)


def test_an_unavailable_dead_letter_queue_keeps_its_last_known_figures(
    function: BothStores, queue: Queue, lines: Any
) -> None:
    queue.client.delete_queue(QueueUrl=queue.url)
    assert call()["reason"].startswith("SQS: ")
    # No metric at all: the other alarms ignore missing data, and ReconcilerSilent counts it.
    assert [line["message"] for line in lines()] == ["Not all was reconciled"]
    assert function.metrics.read([])[2] is None


def test_an_unforeseen_failure_of_a_sweep_publishes_no_metrics(
    function: BothStores, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(reconcile_orders, "sweep", crash)
    with pytest.raises(KeyError):
        call()
    assert not any("_aws" in line for line in lines())


def test_metrics_are_published_even_if_the_page_cannot_be_updated(
    function: BothStores, queue: Queue, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(found: object) -> None:
        raise StoreUnavailableError("DynamoDB: throttled")

    monkeypatch.setattr(function.metrics, "save_dead_letters", throttled)
    queue.send("poison")
    assert call()["rejected"] == 1
    assert [line["message"] for line in lines()] == ["Swept", "Dead letters not counted", "Reconciled"]


def test_dead_letters_are_swept_when_there_are_too_many_orders_to_compare(
    function: BothStores, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_orders, "SCHEDULED", reconcile_orders.SWEEP)  # no time but for the sweep
    function.insert(orders(1))
    queue.send(order("o2"))
    found = call()
    assert (found["checked"], found["swept"]) == (0, 1)
    assert found["reason"] == "Time was up; the next run continues."


def test_dead_letters_are_swept_between_outages_too_short_for_a_comparison(
    function: BothStores, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(order_ids: Sequence[str]) -> set[str]:
        raise StoreUnavailableError("DynamoDB: throttled")

    monkeypatch.setattr(function.projection, "behind", throttled)
    function.insert(orders(1))
    queue.send(order("o2"))
    found = call()
    assert (found["swept"], found["reason"]) == (1, "DynamoDB: throttled")


@pytest.mark.parametrize("command", [None, "full", "rebuild"])
def test_a_run_without_the_database_has_the_reason_and_no_figures(
    without_database: BothStores, queue: Queue, lines: Any, command: str | None
) -> None:
    queue.send(order("o1"))
    found = call(command=command)
    assert found["reason"] == found["waiting_reason"] == "MySQL error 2003"
    assert (found["rejected"], found["waiting"], found["left"]) == (0, 1, 1)
    assert (found["checked"], found["rds_orders"], found["next"]) == (0, None, None)
    swept, failed = lines()
    assert (swept["message"], swept["WaitingDeadLetters"]) == ("Swept", 1)
    assert failed["message"] == "Not all was reconciled"
    assert queue.visible() == 1


def test_a_check_returns_the_state_of_the_database_and_the_last_figures(function: BothStores) -> None:
    assert call(command="check") == {
        "database": {
            "reachable": True,
            "reason": None,
            "schema": 4,
            "narrow_for": 0.0,
            "refuses_writes": None,
        },
        "dynamodb": {"reachable": True, "reason": None},
        "rds_orders": None,
        "drift": None,
        "as_of": None,
        "last_order_at": None,
        "future_orders": 0,
        "unknown_since": None,
        "unknown_reason": None,
    }
    function.record(orders(1, 2, 3))
    call()
    found = call(command="check")
    assert (found["rds_orders"], found["drift"]) == (3, 0)
    assert found["as_of"].endswith("Z")
    assert found["last_order_at"].endswith("Z")


def test_a_check_of_an_unavailable_database_has_its_reason(without_database: BothStores) -> None:
    assert call(command="check")["database"] == {
        "reachable": False,
        "reason": "MySQL error 2003",
        "schema": None,
        "narrow_for": None,
        "refuses_writes": None,
    }


def test_a_check_of_a_database_without_a_schema_returns_none(function: BothStores, server: Server) -> None:
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE schema_migrations")
    database = call(command="check")["database"]
    assert (database["reachable"], database["reason"], database["schema"]) == (True, None, None)


@contextmanager
def read_only(server: Server) -> Iterator[None]:
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        try:
            yield
        finally:
            cursor.execute("SET GLOBAL read_only = 0")


@contextmanager
def locked(server: Server) -> Iterator[None]:
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES orders READ")
        yield


@contextmanager
def rows_locked(server: Server) -> Iterator[None]:
    with server.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM orders FOR UPDATE")
        yield


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(read_only, "MySQL error 1290"), (locked, "MySQL error 1205"), (rows_locked, "MySQL error 1205")],
)
def test_a_check_of_a_database_that_refuses_writes_has_the_reason(
    function: BothStores, server: Server, fault: Any, reason: str
) -> None:
    with fault(server):
        database = call(command="check")["database"]
    assert (database["reachable"], database["refuses_writes"]) == (True, reason)


def test_a_check_writes_nothing(function: BothStores) -> None:
    call(command="check")
    assert function.sql("SELECT COUNT(*) FROM orders") == [(0,)]


def test_a_check_without_dynamodb_has_the_reason(
    function: BothStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled() -> RdsOrders:
        raise StoreUnavailableError("DynamoDB: throttled")

    monkeypatch.setattr(function.metrics, "rds_orders", throttled)
    assert call(command="check")["dynamodb"] == {"reachable": False, "reason": "DynamoDB: throttled"}


def test_a_check_separates_the_last_order_from_orders_dated_in_the_future(function: BothStores) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    function.insert([*orders(1, sent_at=now), *orders(2, sent_at=now + timedelta(days=3650))])
    found = call(command="check")
    assert datetime.fromisoformat(found["last_order_at"]) == now
    assert found["future_orders"] == 1


@pytest.mark.parametrize("command", ["full", "rebuild"])
def test_an_audit_returns_what_it_corrected(function: BothStores, command: str) -> None:
    function.record(orders(1))
    function.sql("UPDATE counters SET value = 9 WHERE name IN ('TOTAL_ORDERS', 'ITEM#Latte')")
    function.projection.set_counter("ITEM#Ghost", Counted(2, 0))
    found = call(command=command)
    assert found["corrected"] == {"metrics": {"TOTAL_ORDERS": -8}, "menu": {"Latte": -7}}
    assert (found["drift"], found["rds_orders"]) == (8, 1)
    assert (function.projected["TOTAL_ORDERS"], function.projected["ITEM#Latte"]) == (1, 2)
    assert "ITEM#Ghost" not in function.projected
    assert call(command=command)["drift"] == 0


def test_corrections_of_an_audit_are_returned_without_dynamodb(
    function: BothStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    function.record(orders(1))
    function.sql("UPDATE orders SET recorded_in = 0")  # not lately
    function.sql("UPDATE counters SET value = 9 WHERE name = 'ITEM#Latte'")

    def write(orders: Sequence[object], counted: dict[str, Counted]) -> Written:
        if counted:
            raise StoreUnavailableError("DynamoDB: throttled")
        return Written()

    with monkeypatch.context() as patch:
        patch.setattr(function.projection, "write", write)
        found = call(command="full")
    assert (found["compared"], found["drift"]) == (False, 7)
    assert found["corrected"]["menu"] == {"Latte": -7}


def test_the_scheduled_audit_does_not_sweep(function: BothStores, queue: Queue, lines: Any) -> None:
    queue.send("poison")
    found = call(command="full", source="aws.events")
    assert (found["compared"], found["left"]) == (True, 0)
    published = {metric for line in lines() for metric in line if metric.endswith("DeadLetters")}
    assert published == set()
    assert call(command="full")["rejected"] == 1


def test_a_rebuild_writes_every_order_again(function: BothStores) -> None:
    function.insert(orders(1, 2))
    function.sql("UPDATE orders SET recorded_in = 0")
    found = call(command="rebuild")
    assert (found["checked"], found["next"]) == (2, None)
    assert function.items == {"o1", "o2"}


def test_a_failed_comparison_neither_clears_nor_publishes_drift(
    function: BothStores, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    function.insert(orders(1))
    call()
    found = function.metrics.rds_orders()
    lines()

    def throttled(names: object) -> None:
        raise StoreUnavailableError("DynamoDB: throttled")

    with monkeypatch.context() as patch:
        patch.setattr(function.projection, "read", throttled)
        failed = call()
    assert (failed["compared"], failed["unchecked"]) == (False, "DynamoDB: throttled")
    assert not any("Drift" in line for line in lines())
    unknown = function.metrics.rds_orders()
    assert (unknown.drift, unknown.drift_since, unknown.as_of) == (2, found.drift_since, found.as_of)
    assert unknown.unknown_since is not None
    assert unknown.unknown_reason == "DynamoDB: throttled"
    assert call(command="check")["unknown_reason"] == "DynamoDB: throttled"
    call()
    known = function.metrics.rds_orders()
    assert (known.drift, known.drift_since, known.unknown_since) == (0, None, None)


def test_a_comparison_whose_result_cannot_be_stored_counts_as_failed(
    function: BothStores, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(found: object) -> None:
        raise StoreUnavailableError("DynamoDB: throttled")

    monkeypatch.setattr(function.metrics, "save", throttled)
    found = call()
    assert (found["compared"], found["unchecked"]) == (False, "DynamoDB: throttled")
    assert not any("Drift" in line for line in lines())


def test_dead_letters_are_swept_after_an_unforeseen_failure_of_the_comparison(
    function: BothStores, queue: Queue, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(names: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(function.projection, "read", crash)
    queue.send(order("o1"))
    found = call()
    assert (found["compared"], found["swept"]) == (False, 1)
    assert found["unchecked"].startswith("KeyError in test_reconcile_orders.py, line ")
    assert not any("Drift" in line for line in lines())


def test_a_drift_is_reported_since_the_first_run_that_found_it(function: BothStores) -> None:
    function.insert(orders(1))
    call()
    first = function.metrics.rds_orders().drift_since
    function.insert(orders(2))
    call()
    assert function.metrics.rds_orders().drift_since == first is not None
    call()
    assert function.metrics.rds_orders().drift_since is None


def test_an_audit_that_runs_out_of_time_is_reported(
    function: BothStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    function.record(orders(1))
    monkeypatch.setattr(reconcile_orders, "RESERVE", 900.0)
    found = call(command="full")
    assert not found["compared"]
    assert "Time was up" in found["unchecked"]


def test_orders_of_a_period_are_read(function: BothStores) -> None:
    function.record(orders(1))
    found = call(command="read", **{"from": "2020-01-01", "to": "2035-01-01", "after": 0, "limit": 5})
    assert [json.loads(found)["orderId"] for found in found["orders"]] == ["o1"]


def test_orders_that_the_database_lacks_are_found(function: BothStores) -> None:
    function.insert(orders(1, 2))
    versions = {"o1": 1, "o2": 1_764_000_000_000_000, "o3": 1}
    assert call(command="behind", versions=versions) == {"missing": ["o3"], "older": ["o2"]}


def test_an_unknown_command_is_refused() -> None:
    with pytest.raises(ValueError, match="full, rebuild, check, read or behind"):
        call(command="everything")


def test_the_age_of_the_oldest_order_is_published_where_an_alarm_watches_it(
    function: BothStores, monkeypatch: pytest.MonkeyPatch, lines: Any
) -> None:
    def published() -> list[int]:
        call()
        return [line["OldestWaiting"] for line in lines() if "OldestWaiting" in line]

    assert published() == []
    monkeypatch.setenv("PUBLISH_OLDEST_WAITING", "true")
    monkeypatch.setenv("OPEN_HOURS", "6")
    assert published() == [0]
    now = datetime.now(UTC)
    for minutes in (1, 9, 40):
        function.record(orders(minutes, sent_at=now - timedelta(minutes=minutes)))
    (seconds,) = published()
    assert 9 * 60 <= seconds < 40 * 60, "a delayed order is on no list of what is to be made"
