"""The audit: every counter against the rows, in one snapshot, corrected once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymysql.cursors import Cursor

from orders.audit import AuditResult, OutOfTimeError, Snapshot, State, audit, differences
from orders.counters import QUARTER, day_name, hour_name, item_name, quarter_name, tally
from orders.order import Order
from stores.mysql import audit as mysql_audit
from stores.mysql.audit import AuditDatabase
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from tests.stores import BERLIN
from tests.unit.both_stores import BothStores, orders


def expected(found: list[Order]) -> Mapping[str, int]:
    return tally(found, BERLIN, datetime.now(UTC))


def test_correct_counters_are_not_changed(both: BothStores) -> None:
    both.record(orders(1, 2, 3))
    found = both.audit()
    assert (found.rows, found.drift, found.corrected) == (3, 0, {})


def test_existing_rows_are_counted_by_the_first_audit(both: BothStores) -> None:
    made = [*orders(1, 2), *orders(3, item="Tea")]
    both.insert(made)
    both.sql("DELETE FROM counters")
    assert both.audit().corrected == expected(made)
    assert both.counters == expected(made)


@pytest.mark.parametrize(
    "names",
    ["TOTAL_ORDERS", "ORDERS#____-__-__", "ORDERS#____-__-__T__", "ITEM#%", "ITEM_HOUR#%", "QUARTER#%"],
)
@pytest.mark.parametrize("wrong", [-1, 0, 5])
def test_every_kind_of_counter_is_corrected(both: BothStores, names: str, wrong: int) -> None:
    both.record(orders(1, 2))
    forget_time_zone(both)
    right = both.counters
    both.sql("UPDATE counters SET value = %s WHERE name LIKE %s", wrong, names)
    found = both.audit()
    assert len(found.corrected) == 1
    assert both.counters == right
    assert both.audit().corrected == {}


def forget_time_zone(both: BothStores) -> None:
    """Let the time zone be an old one."""
    both.audit()
    both.sql("UPDATE counters SET value = 0 WHERE name LIKE 'TIME_ZONE%%'")


def test_rows_edited_or_deleted_by_sql_are_counted_as_they_are(both: BothStores) -> None:
    both.record(orders(1, 2, 3))
    both.sql("UPDATE orders SET item = 'Tea', quantity = 5 WHERE order_id = 'o1'")
    both.insert(orders(4))
    both.sql("UPDATE orders SET quantity = 0 WHERE order_id = 'o4'")
    found = both.audit()
    assert found.corrected[item_name("Tea")] == 5
    assert both.counters[item_name("Latte")] == 4
    assert both.audit().corrected == {}


def test_uncounted_rows_are_not_a_difference(both: BothStores) -> None:
    both.record(orders(1))
    both.sql("INSERT INTO orders (order_id, item, quantity) VALUES ('x', 'Tea', 1)")
    assert both.audit().corrected == {}


def test_items_that_differ_in_trailing_spaces_are_two(both: BothStores) -> None:
    made = [*orders(1, item="Tea"), *orders(2, item="Tea ")]
    both.record(made)
    assert both.audit().corrected == {}
    assert both.counters == expected(made)


def test_the_first_five_invalid_rows_are_named(both: BothStores) -> None:
    both.record(orders(*range(7)))
    both.sql("UPDATE orders SET quantity = NULL WHERE id > 1")
    found = both.audit()
    assert list(found.bad_rows) == [2, 3, 4, 5, 6]
    assert both.counters["TOTAL_ORDERS"] == 1


def test_no_statement_of_an_audit_reads_the_whole_table(
    both: BothStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a large table it would take longer than a statement may."""
    both.record(orders(1))
    statements: list[str] = []
    execute = Cursor.execute

    def note(self: Cursor, statement: str, values: Any = None) -> int:
        statements.append(statement)
        return execute(self, statement, values)

    monkeypatch.setattr(Cursor, "execute", note)
    both.audit()
    reads = [each for each in statements if " FROM orders" in each and "MAX(id)" not in each]
    assert len(reads) > 1
    assert all("id > %s" in each for each in reads)


def test_an_audit_without_enough_time_changes_nothing_and_reports_its_progress(
    both: BothStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_audit, "STEP", 2)
    both.record(orders(1, 2, 3, 4))
    both.sql("UPDATE counters SET value = 9 WHERE name = 'TOTAL_ORDERS'")
    time = iter([1, 0])
    with pytest.raises(OutOfTimeError, match="after 2 rows"):
        audit(AuditDatabase(both.mysql), BERLIN, time.__next__)
    assert both.counters["TOTAL_ORDERS"] == 9


def test_gaps_in_the_ids_are_skipped(both: BothStores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_audit, "STEP", 2)
    both.record(orders(1, 2, 3))
    both.sql("UPDATE orders SET id = id + 2000000000 WHERE order_id = 'o3'")
    assert both.audit().rows == 3


def test_orders_recorded_during_the_audit_are_counted_once(
    both: BothStores, new_mysql: Callable[[], MySql]
) -> None:
    both.record(orders(1, 2, 3))
    both.sql("UPDATE counters SET value = value + 7")
    database = OrdersDatabase(new_mysql(), BERLIN)

    class Busy(AuditDatabase):
        def snapshot(self, *arguments: Any) -> Snapshot:
            found = super().snapshot(*arguments)
            database.record(orders(4, 5))
            return found

    audit(Busy(both.mysql), BERLIN, lambda: 99)
    assert both.counters == expected(orders(1, 2, 3, 4, 5))


def test_the_snapshot_does_not_see_later_commits(
    both: BothStores, new_mysql: Callable[[], MySql], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_audit, "STEP", 1)
    both.record(orders(1, 2, 3))
    database, numbers = OrdersDatabase(new_mysql(), BERLIN), iter(range(4, 99))

    def left() -> float:
        database.record(orders(next(numbers)))
        return 99

    assert audit(AuditDatabase(both.mysql), BERLIN, left).corrected == {}


def test_two_concurrent_audits_correct_once(both: BothStores, new_mysql: Callable[[], MySql]) -> None:
    both.record(orders(1, 2, 3))
    both.sql("UPDATE counters SET value = value + 7")
    meeting = threading.Barrier(2)

    class Meeting(AuditDatabase):
        def snapshot(self, *arguments: Any) -> Snapshot:
            found = super().snapshot(*arguments)
            meeting.wait(60)
            return found

    def run() -> None:
        audit(Meeting(new_mysql()), BERLIN, lambda: 99)

    audits = [threading.Thread(target=run) for _ in range(2)]
    for thread in audits:
        thread.start()
    for thread in audits:
        thread.join()
    assert both.counters == expected(orders(1, 2, 3))


def test_a_correction_whose_response_was_lost_is_made_once(both: BothStores) -> None:
    both.record(orders(1, 2, 3))
    both.sql("DELETE FROM counters WHERE name = 'ITEM#Latte'")
    both.sql("UPDATE counters SET value = value + 7")
    store = AuditDatabase(both.mysql)
    now = datetime.now(UTC)
    found = differences(
        store.snapshot(lambda groups: mysql_tally(groups), now - timedelta(days=1), lambda: 99), BERLIN, now
    )
    store.correct(found)
    store.correct(found)
    assert both.counters == expected(orders(1, 2, 3))


def mysql_tally(groups: Any) -> Mapping[str, int]:
    from orders.counters import tally_groups

    return tally_groups(groups, BERLIN, datetime.now(UTC))


def test_a_corrected_counter_has_a_later_version(both: BothStores) -> None:
    both.record(orders(1))
    before = both.rows.counted(["TOTAL_ORDERS"])["TOTAL_ORDERS"].version
    both.sql("UPDATE counters SET value = 9 WHERE name = 'TOTAL_ORDERS'")
    both.audit()
    assert both.rows.counted(["TOTAL_ORDERS"])["TOTAL_ORDERS"].version > before
    both.compare_all_counters()
    assert both.projected["TOTAL_ORDERS"] == 1


def test_another_time_zone_recounts_the_days_and_is_not_drift(both: BothStores) -> None:
    sent_at = datetime.now(UTC).replace(hour=23, minute=30) - timedelta(days=2)
    both.record(orders(1, sent_at=sent_at))
    forget_time_zone(both)
    tokyo = ZoneInfo("Asia/Tokyo")
    found = audit(AuditDatabase(both.mysql), tokyo, lambda: 99)
    assert found.drift == 0
    assert found.recounted
    assert both.counters[day_name(sent_at, tokyo)] == 1
    assert day_name(sent_at, ZoneInfo("UTC")) not in both.counters
    both.sql("UPDATE counters SET value = 0 WHERE name LIKE 'TIME_ZONE%%'")
    assert not audit(AuditDatabase(both.mysql), tokyo, lambda: 99).recounted
    # There and back: each change recounts.
    assert both.audit().recounted
    assert audit(AuditDatabase(both.mysql), tokyo, lambda: 99).recounted


def test_a_wrong_total_is_drift_even_when_the_time_zone_has_changed() -> None:
    assert AuditResult(1, {"TOTAL_ORDERS": -3, "ORDERS#2026-01-01": 9}, recounted=True).drift == 3


def test_expired_hours_are_neither_counted_nor_compared_and_deleted_a_day_later(both: BothStores) -> None:
    now = datetime.now(UTC)
    gone, expired = now - timedelta(days=15, hours=3), now - timedelta(days=14, hours=3)
    both.record([*orders(1, sent_at=gone), *orders(2, sent_at=expired), *orders(3)])
    for moment in (gone, expired):
        both.sql(
            "INSERT INTO counters (name, value, version) VALUES (%s, 9, 1), (%s, 9, 1)",
            hour_name(moment, BERLIN).encode(),
            quarter_name(moment).encode(),
        )
    assert both.audit().corrected == {}
    assert hour_name(gone, BERLIN) not in both.counters
    assert quarter_name(gone) not in both.counters
    assert both.counters[hour_name(expired, BERLIN)] == 9
    assert len([name for name in both.counters if name.startswith(QUARTER)]) == 2


@settings(max_examples=50)
@given(
    st.dictionaries(st.sampled_from(["TOTAL_ORDERS", "ITEM#a", "ITEM#b"]), st.integers(-9, 9)),
    st.dictionaries(st.sampled_from(["TOTAL_ORDERS", "ITEM#a", "ITEM#b"]), st.integers(1, 9)),
)
def test_differences_turn_counters_into_the_expected_ones(have: dict[str, int], want: dict[str, int]) -> None:
    snapshot = Snapshot({name: State(value, 2) for name, value in have.items()}, want, 1)
    found = differences(snapshot, BERLIN, datetime.now(UTC))
    for each in found:
        have[each.name] = have.get(each.name, 0) + each.value
    assert {name: value for name, value in have.items() if value} == want
