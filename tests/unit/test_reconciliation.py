"""MySQL against DynamoDB: repaired once, counted right, at a cost that does not grow."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from orders.reconciliation import SETTLES_AFTER, Clock, NotNowError, RdsOrders, Reconciler
from tenacity import Retrying, retry_if_exception_type, stop_after_delay

from orders import reconciliation
from orders.errors import StoreUnavailableError
from orders.ledger import Ledger
from orders.order import Order
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.mysql.rows import OrderRows
from stores.mysql.secret import Login
from tests.stores import FixedLogin, Server
from tests.unit.books import BERLIN, Books, ids, orders
from tests.waiting import eventually


def test_an_order_that_dynamodb_lacks_is_recorded_and_counted_once(books: Books) -> None:
    books.ledger.record(orders("o1", "o2"))
    books.database.insert(orders("o3", item="Tea"))
    found = books.reconciler.window()
    assert (found.checked, found.repaired, found.drift, found.rds_orders) == (3, 1, 1, 3)
    assert books.counted() == books.expected()
    assert books.item("Orders", "orderId", "o3")["table"] == {"N": "4"}
    again = books.reconciler.window()
    assert (again.repaired, again.drift, again.rds_orders) == (0, 0, 3)
    # Its message comes again all the same.
    books.ledger.record(orders("o3", item="Tea"))
    assert books.counted() == books.expected()


def test_what_was_found_is_there_for_the_status(books: Books) -> None:
    books.database.insert(orders("o1"))
    books.reconciler.window()
    _, found, _ = books.tables.metrics_and_findings(["TOTAL_ORDERS"])
    assert (found.count, found.drift) == (1, 1)
    assert found.as_of is not None
    assert abs(found.as_of - books.time.now) < timedelta(minutes=1)


def test_an_order_on_its_way_from_one_store_to_the_other_is_no_drift(books: Books) -> None:
    (order,) = books.database.insert(orders("o1"))
    wait = books.time.sleep

    def worker_goes_on(seconds: float) -> None:
        wait(seconds)
        books.tables.count([order])

    books.time.sleep = worker_goes_on  # type: ignore[method-assign]
    found = books.reconciler.window()
    assert (found.repaired, found.drift, found.rds_orders) == (0, 0, 1)
    assert books.time.waits == [pytest.approx(5, abs=0.1)]


def test_what_is_missing_for_longer_is_repaired_without_waiting(books: Books) -> None:
    books.ledger.record(orders("o1"))
    books.reconciler.window()
    books.time.pass_by(timedelta(minutes=1))
    books.client.delete_item(TableName="Orders", Key={"orderId": {"S": "o1"}})
    assert books.reconciler.window().repaired == 1
    assert books.time.waits == []


def test_a_drift_is_told_since_the_first_of_the_runs_that_found_it(books: Books) -> None:
    books.ledger.record(orders("o1"))
    books.reconciler.window()
    assert books.counts.rds_orders().drift_since is None
    books.add("CafeOrderMetrics", "metric", "TOTAL_ORDERS", "count", 1)
    first = books.time.now.replace(microsecond=books.time.now.microsecond // 1000 * 1000)
    for _ in range(3):
        books.reconciler.window()
        assert books.counts.rds_orders().drift_since == first
        books.time.pass_by(timedelta(minutes=1))
    books.reconciler.rebuild()
    assert books.counts.rds_orders().drift_since is None


@pytest.mark.parametrize("wrong", [3, -2])
def test_a_wrong_total_is_a_drift_until_the_counters_are_rebuilt(books: Books, wrong: int) -> None:
    books.ledger.record(orders(*ids(4)))
    books.add("CafeOrderMetrics", "metric", "TOTAL_ORDERS", "count", wrong)
    assert [books.reconciler.window().drift for _ in range(2)] == [abs(wrong)] * 2
    rebuilt = books.reconciler.rebuild()
    assert rebuilt.corrected.metrics == {"TOTAL_ORDERS": -wrong}
    assert rebuilt.drift == abs(wrong)
    assert books.counts.rds_orders().drift == 0


def test_rows_settle_after_minutes_and_are_counted_on(books: Books) -> None:
    for minute in range(8):
        books.ledger.record(orders(*ids(3, 3 * minute)))
        found = books.reconciler.window()
        assert (found.rds_orders, found.drift) == (3 * minute + 3, 0)
        books.time.pass_by(timedelta(minutes=1))
    state = books.counts.rds_orders()
    assert state.settled_count == 9
    assert found.checked == 24 - 6  # the run before had settled two minutes' orders
    assert len(state.marks) == 5


def test_an_id_that_is_committed_late_is_not_overlooked(books: Books, empty_database: Server) -> None:
    with empty_database.connect("cafe_db") as slow:
        slow.autocommit(False)
        with slow.cursor() as cursor:
            cursor.execute("INSERT INTO orders (order_id, item, quantity) VALUES ('late', 'Tea', 1)")
            books.ledger.record(orders("early"))
            assert books.reconciler.window().rds_orders == 1
            books.time.pass_by(SETTLES_AFTER - timedelta(seconds=1))
            assert books.reconciler.window().rds_orders == 1
            slow.commit()
    found = books.reconciler.window()
    assert (found.rds_orders, found.repaired) == (2, 1)
    books.time.pass_by(SETTLES_AFTER)
    books.reconciler.window()
    state = books.counts.rds_orders()
    assert (state.settled_count, state.count, state.drift) == (2, 2, 0)
    assert books.counted() == books.expected()


def fill(books: Books, rows: int) -> None:
    """Add rows that were compared long ago."""
    sent_at, first = datetime(2026, 1, 1, tzinfo=UTC), books.rows.last_id()
    books.database.insert([Order(f"old-{first + n}", sent_at, "Tea", 1) for n in range(rows)])
    count, version = books.rows.count(0, books.rows.last_id()), books.counts.rds_orders().version
    books.add("CafeOrderMetrics", "metric", "TOTAL_ORDERS", "count", count - books.counts.total())
    books.counts.save(RdsOrders(count, books.time.now, 0, books.rows.last_id(), count, version=version))


def rows_read(books: Books, work: Callable[[], Any]) -> int:
    def read() -> int:
        return sum(int(n) for _, n in books.sql("SHOW SESSION STATUS LIKE 'Handler_read%%'"))

    before = read()
    work()
    return read() - before


def test_the_cost_of_a_run_does_not_grow_with_the_table(books: Books) -> None:
    costs = []
    for size in (500, 3000):
        fill(books, size)
        books.ledger.record(orders(*ids(5, size)))
        costs.append(rows_read(books, lambda: books.reconciler.window()))
        found = books.counts.rds_orders()
        assert (found.drift, found.count - found.settled_count) == (0, 5)
    assert costs[1] <= costs[0] < 60


def test_a_run_that_is_out_of_time_says_so_and_the_next_goes_on(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "PAGE", 4)
    books.database.insert(orders(*ids(10)))
    looks = iter([60.0, 60.0, -1.0])
    clock = dataclasses.replace(books.time.clock(), left=lambda: next(looks))
    found = Reconciler(books.rows, books.counts, books.ledger, BERLIN, clock).window()
    assert (found.repaired, found.rds_orders) == (8, 10)
    assert "Time was up" in (found.reason or "")
    assert books.reconciler.window().repaired == 2
    assert books.counted() == books.expected()


def test_runs_that_a_store_cuts_short_settle_what_they_got_through(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "PAGE", 4)
    books.ledger.record(orders(*ids(10)))

    def cut_short(pages: int) -> None:
        left = iter(range(pages))
        missing = books.counts.missing

        def fail_later(order_ids: Sequence[str]) -> set[str]:
            if next(left, None) is None:
                raise StoreUnavailableError("DynamoDB: throttled")
            return missing(order_ids)

        with monkeypatch.context() as patch:
            patch.setattr(books.counts, "missing", fail_later)
            with pytest.raises(StoreUnavailableError):
                books.reconciler.window()

    cut_short(pages=0)
    books.time.pass_by(SETTLES_AFTER)
    cut_short(pages=1)
    found = books.counts.rds_orders()
    assert (found.settled_count, found.as_of) == (4, None)
    assert books.reconciler.window().checked == 6
    assert books.counted() == books.expected()


def test_the_full_pass_finds_what_lies_before_the_window(books: Books) -> None:
    books.ledger.record(orders(*ids(5)))
    books.reconciler.window()
    books.time.pass_by(SETTLES_AFTER)
    books.reconciler.window()
    books.client.delete_item(TableName="Orders", Key={"orderId": {"S": "o2"}})
    books.add("CafeOrderMetrics", "metric", "TOTAL_ORDERS", "count", -1)
    assert books.reconciler.window().repaired == 0
    found = books.reconciler.full()
    assert (found.checked, found.repaired, found.drift) == (5, 1, 1)
    assert books.kept() == books.counts.total() == 5


def test_rows_that_were_deleted_are_no_longer_counted_after_a_full_pass(books: Books) -> None:
    fill(books, 20)
    # As near to deleting them as the application's user comes: now they are no orders.
    books.sql("UPDATE orders SET quantity = NULL ORDER BY id LIMIT 3")
    for row in books.rows.recent(0, 100):
        books.tables.count([row.order])
    books.add("CafeOrderMetrics", "metric", "TOTAL_ORDERS", "count", -20)
    assert books.reconciler.window().drift == 3
    assert books.reconciler.full().rds_orders == 17
    assert books.reconciler.window().drift == 0


def test_a_table_that_starts_again_is_compared_from_its_start(books: Books, empty_database: Server) -> None:
    fill(books, 20)
    # An older backup was restored, or everything was thrown away: the next ids were in use before.
    with empty_database.connect("cafe_db") as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE TABLE orders")
    books.reconciler.rebuild()
    books.ledger.record(orders("o1"))
    books.database.insert(orders("o2"))
    found = books.reconciler.window()
    assert (found.repaired, found.rds_orders) == (1, 2)
    books.time.pass_by(SETTLES_AFTER)
    books.reconciler.window()
    assert books.reconciler.window().drift == 0
    assert books.counted() == books.expected()


def test_a_full_pass_goes_on_where_it_stopped(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "PAGE", 4)
    fill(books, 10)
    looks = iter([60.0, -1.0])
    clock = dataclasses.replace(books.time.clock(), left=lambda: next(looks))
    first = Reconciler(books.rows, books.counts, books.ledger, BERLIN, clock).full()
    assert (first.checked, first.repaired, first.rds_orders) == (4, 4, None)
    assert first.next is not None
    rest = books.reconciler.full(first.next)
    assert (rest.checked, rest.repaired, rest.next, rest.rds_orders) == (6, 6, None, 10)
    assert books.kept() == 10


def test_the_table_of_before_is_taken_over(books: Books) -> None:
    books.sql(
        "INSERT INTO orders (order_id, created_at, customer_name, item, quantity) VALUES"
        " ('row-1', NULL, NULL, 'Latte', 2), (NULL, NULL, 'Bob', 'Tea', 1),"
        " ('row-3', '2025-05-03 12:00', 'Zoë', 'Tea', 4),"
        # These are no orders.
        " (NULL, NULL, 'Eve', NULL, 4), (NULL, NULL, 'Eve', 'Tea', NULL), (NULL, NULL, 'Eve', '', 4)"
    )
    found = books.reconciler.window()
    assert (found.checked, found.repaired, found.rds_orders, found.reason) == (3, 3, 3, None)
    metrics, menu = books.counted()
    assert metrics == {"TOTAL_ORDERS": 3, "ORDERS#2025-05-03": 1, "ORDERS#2025-05-03T14": 1}
    assert menu == {"Latte": 2, "Tea": 5}
    first = books.item("Orders", "orderId", "row-1")
    assert "created_at" not in first
    assert first["customer_name"] == {"S": "Guest"}
    assert books.sql("SELECT COUNT(*) FROM orders WHERE order_id IS NULL") == [(0,)]
    assert books.reconciler.rebuild().corrected.largest == 0


def test_a_row_whose_name_a_publisher_took_gets_another(books: Books) -> None:
    books.ledger.record(orders("row-2"))
    books.sql("INSERT INTO orders (item, quantity) VALUES ('Tea', 1)")
    books.rows.name()
    ((name,),) = books.sql("SELECT order_id FROM orders WHERE id = 2")
    assert name.startswith("row-2-")


@pytest.mark.parametrize(("item", "quantity"), [(None, 2), ("", 2), ("Tea", None)])
def test_an_order_under_the_id_of_a_row_that_is_no_order_does_not_take_its_neighbours_with_it(
    books: Books, item: str | None, quantity: int | None
) -> None:
    books.sql("INSERT INTO orders (item, quantity) VALUES (%s, %s)", item, quantity)
    books.rows.name()
    assert set(books.ledger.record(orders("o1", "row-1", "z9"))) == {"row-1"}
    assert books.counted() == books.expected()
    assert books.kept() == 2


@pytest.fixture
def wrong_books(books: Books) -> Books:
    """Books with every kind of wrong counter."""
    now = datetime.now(BERLIN).replace(microsecond=0)
    long_ago = now - timedelta(days=40)
    books.ledger.record(orders(*ids(12)))
    books.ledger.record(orders("old", item="Mocha", sent_at=long_ago.astimezone(UTC)))
    wrong = {"TOTAL_ORDERS": 5, f"ORDERS#{now:%Y-%m-%d}": -3, f"ORDERS#{now:%Y-%m-%dT%H}": 2}
    for key, number in {**wrong, "ORDERS#2020-01-01": 9, "TODAY_ORDERS": 8}.items():
        books.add("CafeOrderMetrics", "metric", key, "count", number)
    for item, number in {"Latte": -7, "Ghost": 4}.items():
        books.add("CafeMenu", "item", item, "orders", number)
    expired = {"metric": {"S": f"ORDERS#{long_ago:%Y-%m-%dT%H}"}}
    books.client.delete_item(TableName="CafeOrderMetrics", Key=expired)
    return books


def assert_exact(books: Books) -> None:
    """Every counter is what the table says, but for hours that are gone and what is no counter."""
    metrics, menu = books.counted()
    expected, expected_menu = books.expected()
    oldest = f"ORDERS#{datetime.now(UTC) - timedelta(days=14):%Y-%m-%dT%H}"
    gone = {key for key in expected if "T" in key.removeprefix("TOTAL") and key < oldest}
    metrics.pop("TODAY_ORDERS", None)
    assert metrics == {key: number for key, number in expected.items() if key not in gone}
    assert menu == expected_menu


def test_a_rebuild_makes_every_counter_right(wrong_books: Books) -> None:
    rebuilt = wrong_books.reconciler.rebuild()
    assert_exact(wrong_books)
    assert rebuilt.corrected.metrics["TOTAL_ORDERS"] == -5
    assert rebuilt.corrected.menu == {"Latte": 7, "Ghost": -4}
    assert wrong_books.item("CafeOrderMetrics", "metric", "TODAY_ORDERS")["count"] == {"N": "8"}
    assert wrong_books.reconciler.rebuild().corrected.largest == 0


def test_an_hours_counter_that_is_made_anew_expires(books: Books) -> None:
    now = datetime.now(BERLIN).replace(microsecond=0)
    books.ledger.record(orders("o1", sent_at=now.astimezone(UTC)))
    hour = f"ORDERS#{now:%Y-%m-%dT%H}"
    before = books.item("CafeOrderMetrics", "metric", hour)
    books.client.delete_item(TableName="CafeOrderMetrics", Key={"metric": {"S": hour}})
    books.reconciler.rebuild()
    assert books.item("CafeOrderMetrics", "metric", hour) == before


def test_a_rebuild_is_exact_while_orders_keep_coming(wrong_books: Books, empty_database: Server) -> None:
    books, stop = wrong_books, threading.Event()
    login = dataclasses.replace(empty_database.login, username="cafe_user", password="a password")
    own = MySql(FixedLogin(login))
    ledger = Ledger(OrdersDatabase(own), books.tables)
    recorded: list[str] = []

    def keep_coming() -> None:
        while not stop.is_set():
            order_id = f"new-{len(recorded)}"
            assert ledger.record(orders(order_id, item=("Tea", "Latte")[len(recorded) % 2])) == {}
            recorded.append(order_id)
            time.sleep(0.02)

    thread = threading.Thread(target=keep_coming)
    thread.start()
    try:
        eventually(lambda: recorded)
        clock = Clock(sleep=lambda seconds: time.sleep(min(seconds, 0.05)))
        reconciler = Reconciler(books.rows, books.counts, books.ledger, BERLIN, clock)
        # On a busy machine there may be no moment without a new order: the error says to try again.
        again = Retrying(retry=retry_if_exception_type(NotNowError), stop=stop_after_delay(120))
        for _ in range(3):
            again(reconciler.rebuild)
            books.add("CafeMenu", "item", "Tea", "orders", 11)
            books.add("CafeOrderMetrics", "metric", "TOTAL_ORDERS", "count", -11)
        again(reconciler.rebuild)
    finally:
        stop.set()
        thread.join()
        own.close()
    assert_exact(books)
    assert books.kept() == books.counts.total() == 13 + len(recorded)


def test_two_rebuilds_at_once_correct_once(wrong_books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    correct, others = wrong_books.counts.correct, [wrong_books.reconciler]

    def after_another(change: Any, version: int) -> None:
        if others:
            others.pop().rebuild()
        correct(change, version)

    monkeypatch.setattr(wrong_books.counts, "correct", after_another)
    wrong_books.reconciler.rebuild()
    assert_exact(wrong_books)


def test_without_a_still_moment_nothing_is_changed(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    books.ledger.record(orders("o1"))
    books.reconciler.window()
    totals = iter(range(1000))
    monkeypatch.setattr(books.counts, "total", lambda: next(totals))
    outcome = books.reconciler.window()
    assert outcome.drift == 0
    assert outcome.unchecked is not None
    assert outcome.unchecked.startswith("TOTAL_ORDERS: Orders are counted without a pause")
    with pytest.raises(NotNowError, match="without a pause"):
        books.reconciler.rebuild()


def test_a_database_that_is_away_is_reported(books: Books) -> None:
    away = MySql(FixedLogin(Login("127.0.0.1", 1, "cafe_user", "a password", "cafe_db")))
    ledger = Ledger(OrdersDatabase(away), books.tables)
    with pytest.raises(StoreUnavailableError, match="MySQL error"):
        Reconciler(OrderRows(away), books.counts, ledger, BERLIN, books.time.clock()).window()
    assert books.counts.rds_orders() == RdsOrders()


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "AccessDeniedException"])
def test_what_cannot_be_repaired_now_is_not_settled(
    books: Books, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "TransactWriteItems")

    monkeypatch.setattr("stores.dynamodb.tables.LONGEST_PAUSE", 0.0)
    books.database.insert(orders("o1"))
    client: Any = type("Refusing", (), {"transact_write_items": staticmethod(refuse)})()
    tables = type(books.tables)(books.tables._names, BERLIN, client)
    reconciler = Reconciler(
        books.rows, books.counts, Ledger(books.database, tables), BERLIN, books.time.clock()
    )
    for _ in range(3):
        found = reconciler.window()
        books.time.pass_by(SETTLES_AFTER)
    assert (found.repaired, found.drift, found.rds_orders, found.next) == (0, 1, 1, None)
    assert code in (found.reason or "")
    assert books.counts.rds_orders().settled_id == 0
    assert books.reconciler.window().repaired == 1


def test_a_long_outage_leaves_a_few_marks_behind(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(orders: Sequence[Order]) -> None:
        raise StoreUnavailableError("DynamoDB: throttled")

    with monkeypatch.context() as patch:
        patch.setattr(books.tables, "count", refuse)
        for order_id in ids(20):
            books.database.insert(orders(order_id))
            books.reconciler.window()
            books.time.pass_by(timedelta(minutes=1))
    state = books.counts.rds_orders()
    assert (state.settled_id, len(state.marks)) == (0, 6)
    assert books.reconciler.window().repaired == 20
    assert books.counts.rds_orders().settled_count == 16


def test_a_run_that_another_has_overtaken_leaves_the_others_figures(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.ledger.record(orders("o1"))
    save, others = books.counts.save, [books.reconciler]

    def after_another(found: RdsOrders) -> None:
        if others:
            other = others.pop()
            books.ledger.record(orders("o2"))
            other.window()
        save(found)

    monkeypatch.setattr(books.counts, "save", after_another)
    assert books.reconciler.window().rds_orders == 1
    assert books.counts.rds_orders().count == 2
