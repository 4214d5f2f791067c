"""The projection compared with MySQL: findings, repairs and the reads of a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders.counters import Counted, day_name, hour_name, item_name
from orders.order import Order
from orders.reconciliation import Outcome
from orders.sync import DeadLetterCounts, RdsOrders
from stores.mysql import reconciliation, widening
from stores.mysql.connection import MySql
from stores.mysql.status import StatusDatabase
from tests.dynamodb import NAMES
from tests.stores import BERLIN
from tests.unit.both_stores import BothStores, orders

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)


def total(value: int, version: int) -> dict[str, Counted]:
    return {"TOTAL_ORDERS": Counted(value, version)}


def test_stores_that_agree_are_in_sync_without_waiting(both: BothStores) -> None:
    both.record(orders(1, 2, 3))
    found = both.recent()
    assert (found.checked, found.drift, found.rds_orders, found.unchecked) == (3, 0, 3, None)
    assert both.slept == timedelta(0)


def test_an_order_that_dynamodb_lacks_is_written_with_its_counters(both: BothStores) -> None:
    both.record(orders(1))
    both.insert(orders(2, 3))
    found = both.recent()
    assert (found.drift, found.repaired, found.rds_orders) == (4, 2, 3)  # two orders of two Lattes
    assert both.items == {"o1", "o2", "o3"}
    assert both.projected["TOTAL_ORDERS"] == 3
    assert both.projected["ITEM#Latte"] == 6
    assert both.recent().drift == 0


def test_an_order_between_the_two_stores_is_not_drift(both: BothStores) -> None:
    both.insert(orders(1))

    def arrive(seconds: float) -> None:
        both.slept += timedelta(seconds=seconds)
        both.record(orders(1))

    both.clock.sleep = arrive
    assert both.recent().drift == 0


def test_an_order_that_was_deleted_in_dynamodb_is_written_again(both: BothStores) -> None:
    both.record(orders(1, 2))
    both.dynamodb.delete_item(TableName=NAMES.orders, Key={"orderId": {"S": "o1"}})
    assert both.recent().repaired == 1
    assert both.items == {"o1", "o2"}


@pytest.mark.parametrize("wrong", [-5, 0, 7])
def test_a_counter_with_another_value_under_the_same_version_is_corrected(
    both: BothStores, wrong: int
) -> None:
    both.record(orders(1))
    both.dynamodb.update_item(
        TableName=NAMES.metrics,
        Key={"metric": {"S": "TOTAL_ORDERS"}},
        UpdateExpression="SET #count = :wrong",
        ExpressionAttributeNames={"#count": "count"},
        ExpressionAttributeValues={":wrong": {"N": str(wrong)}},
    )
    assert both.recent().drift == abs(1 - wrong)
    assert both.projected["TOTAL_ORDERS"] == 1
    assert both.recent().drift == 0


def test_a_counter_with_a_later_version_than_mysql_ever_had_is_corrected(both: BothStores) -> None:
    both.record(orders(1))
    both.projection.set_counter("TOTAL_ORDERS", Counted(9, 2**60))
    assert both.recent().drift == 8
    assert both.projected["TOTAL_ORDERS"] == 1


def test_a_counter_that_grows_while_it_is_compared_is_not_drift(both: BothStores) -> None:
    both.record(orders(1))
    read = both.projection.read

    def read_after_another_order(names: object) -> dict[str, Counted]:
        both.record(orders(2))
        return read(list(names))  # type: ignore[call-overload]

    both.projection.read = read_after_another_order  # type: ignore[method-assign]
    assert both.recent().drift == 0


def test_a_correction_does_not_overwrite_a_counter_that_has_changed_since_it_was_read(
    both: BothStores,
) -> None:
    both.record(orders(1))
    seen = both.projection.read(["TOTAL_ORDERS"])["TOTAL_ORDERS"]
    both.record(orders(2))
    assert not both.projection.set_counter("TOTAL_ORDERS", Counted(1, seen.version), seen)
    assert both.projected["TOTAL_ORDERS"] == 2


def test_uncounted_rows_get_an_id_are_counted_and_projected(both: BothStores) -> None:
    both.sql("INSERT INTO orders (customer_name, item, quantity) VALUES ('Ann', 'Tea', 3), (NULL, 'Tea', 1)")
    both.sql("INSERT INTO orders (order_id, item, quantity, created_at) VALUES ('x', 'Tea', 1, NOW(3))")
    found = both.recent()
    assert (found.counted, found.drift, found.rds_orders) == (3, 0, 3)
    assert both.items == {"row-1", "row-2", "x"}
    assert both.projected["TOTAL_ORDERS"] == 3
    assert both.projected["ITEM#Tea"] == 5
    assert both.projected[day_name(datetime.now(UTC), BERLIN)] == 3
    again = both.recent()
    assert (again.counted, again.drift) == (0, 0)
    assert both.counters["TOTAL_ORDERS"] == 3


def test_many_uncounted_rows_are_counted_in_several_transactions(
    both: BothStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "MAX_ROWS", 2)
    for number in range(5):
        both.sql("INSERT INTO orders (order_id, item, quantity) VALUES (%s, 'Tea', 1)", f"x{number}")
    assert both.recent().counted == 5
    assert both.counters["TOTAL_ORDERS"] == 5


def test_a_row_whose_id_a_publisher_took_gets_another(both: BothStores) -> None:
    both.record([Order("row-2", None, "Tea", 1)])
    both.sql("INSERT INTO orders (id, item, quantity) VALUES (2, 'Latte', 1)")
    both.recent()
    ((name,),) = both.sql("SELECT order_id FROM orders WHERE item = 'Latte'")
    assert name.startswith("row-2-")
    assert both.items == {"row-2", name}


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ("item = NULL", "no item, or no quantity"),
        ("item = ''", "no item, or no quantity"),
        ("item = '  '", "no item, or no quantity"),
        ("quantity = NULL", "no item, or no quantity"),
        ("attributes = '{\"a'", "its attributes are not JSON"),
        ("attributes = '[1]'", "its attributes are not a JSON object"),
        ("order_id = ''", "no order_id"),
    ],
)
def test_an_invalid_row_is_named_and_stops_nothing_else(both: BothStores, columns: str, reason: str) -> None:
    both.insert(orders(1, 3))
    both.sql("INSERT INTO orders (order_id, item, quantity) VALUES ('o2', 'Tea', 1)")
    both.sql(f"UPDATE orders SET {columns} WHERE order_id = 'o2'")  # noqa: S608
    assert both.recent().bad_rows == {3: reason}
    assert both.items == {"o1", "o3"}
    assert both.recent().unchecked is None
    # The audit decides alike whether the row counts.
    assert both.audit().drift == 0


@pytest.mark.parametrize(
    "moment", ["0000-00-00", "0001-01-01", "1969-12-31 23:59", "9999-12-31 23:59:59.999"]
)
def test_a_row_with_an_invalid_time_counts_on_no_day(
    both: BothStores, administrator: MySql, moment: str
) -> None:
    administrator.read(lambda cursor: cursor.execute(widening.WIDEN))
    both.sql("SET SESSION sql_mode = ''")
    both.sql("INSERT INTO orders (order_id, item, quantity, created_at) VALUES ('x', 'Tea', 3, %s)", moment)
    assert both.recent().counted == 1
    assert both.items == {"x"}
    assert both.counters == {"TOTAL_ORDERS": 1, "ITEM#Tea": 3}
    assert both.audit().drift == 0
    (found,) = StatusDatabase(both.mysql).recent(datetime.now(UTC), 1) or [{"created_at": None}]
    assert found["created_at"] is None or found["created_at"].year < 1970


def test_findings_are_stored_where_every_release_reads_them(both: BothStores) -> None:
    both.metrics.save(RdsOrders(count=3, as_of=NOW))
    both.metrics.save_dead_letters(DeadLetterCounts(1, 2, 4, NOW))
    found = {item["metric"]["S"]: item for item in both.dynamodb.scan(TableName=NAMES.metrics)["Items"]}
    assert found.keys() == {"RDS_ORDERS", "DEAD_LETTERS"}
    assert found["RDS_ORDERS"]["count"] == {"N": "3"}
    assert found["DEAD_LETTERS"]["waiting"] == {"N": "4"}


def test_the_progress_of_a_comparison_is_stored_with_the_reason_for_its_end(both: BothStores) -> None:
    both.metrics.save_unknown("time was up", NOW, NOW - timedelta(minutes=3))
    both.metrics.save_unknown("no response", NOW)
    found = both.metrics.rds_orders()
    assert found.compared_until == NOW - timedelta(minutes=3)
    assert (found.unknown_since, found.unknown_reason) == (NOW, "no response")


def test_orders_compared_before_are_not_compared_again(both: BothStores) -> None:
    both.record(orders(1, 2))
    both.sql("UPDATE orders SET recorded_in = recorded_in - (3600 << 31) WHERE order_id = 'o1'")
    found = both.recent(RdsOrders(compared_until=both.now() - timedelta(minutes=1)))
    assert found.checked == 1


def test_orders_recorded_just_before_the_last_run_are_compared_again(both: BothStores) -> None:
    """Its transaction may have committed after that run."""
    both.insert(orders(1))
    both.sql("UPDATE orders SET recorded_in = recorded_in - (100 << 31)")
    assert both.recent(RdsOrders(compared_until=both.now())).repaired == 1


def test_a_run_that_runs_out_of_time_is_reported_and_the_next_one_continues(
    both: BothStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.reconciliation.PAGE", 2)
    both.insert(orders(1, 2, 3, 4, 5))
    for number in range(1, 6):
        both.sql("UPDATE orders SET recorded_in = recorded_in - %s WHERE id = %s", 900 - number << 31, number)
    pages = 0

    def left() -> float:
        nonlocal pages
        pages += 1
        return 4 - pages

    both.clock.seconds_left = left
    found = both.recent(RdsOrders(compared_until=both.now() - timedelta(hours=1)))
    assert found.unchecked is not None
    assert 0 < found.repaired < 5
    both.clock.seconds_left = lambda: 99
    monkeypatch.setattr("orders.reconciliation.OVERLAP", timedelta(0))
    rest = both.recent(RdsOrders(compared_until=found.compared_until))
    assert rest.unchecked is None
    assert both.items == {"o1", "o2", "o3", "o4", "o5"}
    assert rest.checked < 5


def test_only_the_order_that_dynamodb_refuses_fails_and_is_named(both: BothStores) -> None:
    both.insert(orders(1, 2, 3))
    both.sql("UPDATE orders SET attributes = '{\"n\": 1e999}' WHERE order_id = 'o2'")
    found = both.recent()
    assert both.items == {"o1", "o3"}
    assert found.reason is not None
    assert found.reason.startswith("Order o2: ")


def test_large_orders_are_read_in_small_pages(both: BothStores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "MAX_BYTES", 120)
    both.insert(orders(1, 2, 3, 4, 5, attributes={"note": "x" * 40}))
    sizes = [len(page.orders) for page in both.rows.orders({"o1", "o2", "o3", "o4", "o5", "gone"})]
    assert sizes == [2, 2, 1]
    assert len(both.rows.by_id(0, 10).orders) == 2


def test_a_page_has_four_megabytes_or_one_larger_order() -> None:
    most = 4 * 1024 * 1024
    assert list(reconciliation._chunks([(1, most), (2, None), (3, 1)])) == [[1, 2], [3]]
    assert list(reconciliation._chunks([(1, most + 1), (2, 1)])) == [[1], [2]]


def test_a_rebuild_writes_everything_again_and_continues_after_an_interruption(
    both: BothStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.reconciliation.PAGE", 2)
    both.insert(orders(1, 2, 3))
    both.clock.seconds_left = iter([1, 0]).__next__
    outcome = Outcome()
    both.reconciler.write_all(0, outcome)
    assert (outcome.checked, outcome.next, len(both.items)) == (2, 2, 2)
    both.clock.seconds_left = lambda: 1
    rest = Outcome()
    both.reconciler.write_all(outcome.next or 0, rest)
    assert (rest.checked, rest.next, len(both.items)) == (1, None, 3)


def test_a_counter_that_mysql_lacks_is_shown_as_0(both: BothStores) -> None:
    both.projection.set_counter(item_name("Ghost"), Counted(3, 0))
    both.dynamodb.update_item(
        TableName=NAMES.menu,
        Key={"item": {"S": "Ghost"}},
        UpdateExpression="REMOVE version",
    )
    assert both.compare_all_counters().drift == 3
    assert item_name("Ghost") not in both.projected
    assert both.compare_all_counters().drift == 0


def test_a_counter_created_during_the_comparison_is_not_drift(both: BothStores) -> None:
    read = both.rows.names

    def read_before_another_order() -> set[str]:
        found = read()
        both.record(orders(1, item="New"))
        return found

    both.rows.names = read_before_another_order  # type: ignore[method-assign]
    assert both.compare_all_counters().drift == 0


@pytest.mark.parametrize("number", [{"N": "1.5"}, {"S": "many"}, {"NULL": True}])
def test_a_foreign_number_in_dynamodb_stops_no_comparison(both: BothStores, number: dict[str, Any]) -> None:
    both.record(orders(1))
    both.dynamodb.put_item(TableName=NAMES.metrics, Item={"metric": {"S": "AVERAGE"}, "count": number})
    both.dynamodb.update_item(
        TableName=NAMES.menu,
        Key={"item": {"S": "Latte"}},
        UpdateExpression="SET orders = :number",
        ExpressionAttributeValues={":number": number},
    )
    assert both.compare_all_counters().drift == 2
    assert both.projected["ITEM#Latte"] == 2
    assert both.compare_all_counters().drift == 0


def test_an_hour_that_has_expired_is_not_compared(both: BothStores) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=14, hours=2)
    both.record(orders(1, sent_at=long_ago))
    both.projection.set_counter(hour_name(long_ago, BERLIN), Counted(9, 1))
    assert both.compare_all_counters().drift == 0
    assert hour_name(long_ago, BERLIN) not in both.rows.names()


def test_the_reads_of_a_run_do_not_grow_with_the_table(both: BothStores) -> None:
    def cost(number: int) -> int:
        """Count the rows that are read for one new order."""
        both.record(orders(number))
        return both.rows_read(both.recent)

    first = cost(1)
    both.record(orders(*range(2, 60)))
    both.sql("UPDATE orders SET recorded_in = 0")
    assert cost(61) <= first < 50
