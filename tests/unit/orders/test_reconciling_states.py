"""States in DynamoDB compared with MySQL's, after crashes, late writes, other releases and restores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orders.counters import Counted
from orders.order import Order
from orders.reconciliation import Behind, Outcome
from orders.states import Progress, State, pickup_number
from orders.sync import RdsOrders
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from tests.dynamodb import NAMES
from tests.stores import BERLIN
from tests.unit.api import Api
from tests.unit.both_stores import BothStores, orders

MINUTE = timedelta(minutes=1)


def put_first_version(both: BothStores, order_id: str) -> None:
    """Put the first version, as a worker that froze after it recorded the order."""
    sent_at = datetime.now(UTC)
    progress = Progress(State.RECEIVED, 1, sent_at)
    both.projection.write([Order(order_id, sent_at, "Latte", 2, row_id=1, progress=progress)], {})


def test_a_late_write_of_the_first_version_is_repaired(api: Api) -> None:
    both = api.both
    both.record(orders(1))
    api.move("o1", "ready")
    put_first_version(both, "o1")
    assert both.states["o1"] == ("received", 1)
    found = both.recent()
    assert (found.repaired, found.drift, both.states) == (1, 1, both.states_in_mysql)
    assert both.recent().drift == 0


def test_a_change_is_found_after_the_mark_for_an_order_of_any_age(api: Api) -> None:
    both = api.both
    both.record(orders(1))
    api.move("o1", "ready")
    put_first_version(both, "o1")
    both.sql("UPDATE orders SET recorded_in = 1")
    # The mark, less the longest time for which a function runs.
    mark = both.now() + timedelta(minutes=16)
    assert both.recent(RdsOrders(compared_until=mark + MINUTE)).repaired == 0
    assert both.recent(RdsOrders(compared_until=mark - MINUTE)).repaired == 1
    assert both.states == both.states_in_mysql


def test_the_mark_stays_if_the_changes_were_not_all_compared(both: BothStores) -> None:
    both.left = 0
    found = both.recent()
    assert found.compared_until is None
    assert found.unchecked is not None


def test_a_row_that_the_previous_release_recorded_gets_its_state(api: Api) -> None:
    both = api.both
    sent_at = datetime.now(UTC).replace(microsecond=0) - MINUTE
    both.record(orders(1, 2, sent_at=sent_at))
    # As a release without states leaves them; o2 is from before the migration.
    both.sql("UPDATE orders SET state = NULL, state_at = NULL, state_version = IF(order_id = 'o1', 1, 0)")
    for order_id in ("o1", "o2"):
        both.dynamodb.put_item(TableName=NAMES.orders, Item={"orderId": {"S": order_id}})
    found = both.recent()
    assert (found.drift, found.unchecked) == (0, None)
    assert both.states_in_mysql == both.states == {"o1": ("received", 1)}
    assert both.sql("SELECT state_at FROM orders WHERE order_id = 'o1'") == [(sent_at.replace(tzinfo=None),)]
    assert [each["order_id"] for each in api.kitchen().body["orders"]] == ["o1"]
    assert both.recent().drift == 0


def test_an_uncounted_row_gets_its_state_when_it_is_counted(api: Api) -> None:
    both = api.both
    insert = "INSERT INTO orders (item, quantity, attributes, created_at) VALUES "
    both.sql(insert + "('Tea', 2, NULL, UTC_TIMESTAMP(3)), ('Tea', 2, '{\"test_order\": true}', NULL)")
    both.sql("INSERT INTO orders (item) VALUES ('Tea')")
    both.recent()
    assert both.states_in_mysql == both.states == {"row-1": ("received", 1), "row-2": ("received", 1)}
    assert [each["order_id"] for each in api.kitchen().body["orders"]] == ["row-1"]


@pytest.fixture
def restored(api: Api) -> BothStores:
    """The database as of before the orders were moved, and DynamoDB as it was at the end."""
    both = api.both
    both.record(orders(1, 2, sent_at=datetime.now(UTC).replace(microsecond=0) - 20 * MINUTE))
    api.move("o1", "collected")
    api.move("o2", "preparing")
    both.sql(
        "UPDATE orders SET state = 'received', state_version = 1, state_at = created_at, ready_at = NULL"
    )
    assert all(state == "received" for state, _ in both.states_in_mysql.values())
    api.master("DELETE FROM order_events")
    return both


def test_a_rebuild_takes_over_the_states_that_a_restored_database_lost(restored: BothStores) -> None:
    before = restored.states
    outcome = Outcome()
    restored.reconciler.write_all(0, outcome)
    assert restored.states_in_mysql == restored.states == before
    events = restored.sql("SELECT from_state, to_state, actor FROM order_events ORDER BY order_row")
    assert events == [("received", "collected", "restored"), ("received", "preparing", "restored")]
    restored.reconciler.write_all(0, outcome)
    assert len(restored.sql("SELECT 1 FROM order_events")) == 2


def test_states_return_to_a_database_restored_from_before_states_existed(restored: BothStores) -> None:
    """The migration follows the restore, and gives existing rows no state."""
    restored.record(orders(3, sent_at=datetime.now(UTC).replace(microsecond=0) - 20 * MINUTE))
    before = restored.states
    restored.sql("UPDATE orders SET state = NULL, state_version = 0, state_at = NULL")
    restored.reconciler.write_all(0, Outcome())
    assert restored.states_in_mysql == restored.states == before
    assert before["o3"] == ("received", 1)
    events = restored.sql("SELECT from_state, to_state, actor FROM order_events ORDER BY order_row")
    assert events == [("received", "collected", "restored"), ("received", "preparing", "restored")]


def test_orders_that_a_restored_database_lacks_are_found_however_old(restored: BothStores, api: Api) -> None:
    restored.record(orders(3))
    api.master("DELETE FROM orders WHERE order_id = 'o1'")
    versions = {order_id: version for order_id, (_, version) in restored.states.items()}
    found = restored.rows.behind(versions | {"Käse": 0})
    assert (found.missing, found.older) == (["o1", "Käse"], ["o2"])
    assert restored.rows.behind({}) == Behind([], [])


def test_counters_of_a_restored_database_replace_later_versions_in_dynamodb(
    both: BothStores, api: Api
) -> None:
    both.record(orders(1))
    counters = both.sql("SELECT name, value, version FROM counters")
    both.record(orders(2, item="Tea"))
    api.master("DELETE FROM orders WHERE order_id = 'o2'")
    api.master("DELETE FROM counters")
    for name, value, version in counters:
        both.sql("INSERT INTO counters (name, value, version) VALUES (%s, %s, %s)", name, value, version)
    assert both.projected["TOTAL_ORDERS"] == 2
    both.compare_all_counters()
    assert both.projected["TOTAL_ORDERS"] == 1
    assert both.projected == {name: value for name, value in both.counters.items() if name in both.projected}
    assert "ITEM#Tea" not in both.projected
    both.record(orders(3))
    assert both.projected["TOTAL_ORDERS"] == 2


def test_after_a_restore_and_a_replay_no_order_is_received_again(restored: BothStores, api: Api) -> None:
    before = restored.states
    (first, second) = orders(1, 2, sent_at=datetime.now(UTC).replace(microsecond=0) - 20 * MINUTE)
    api.master("DELETE FROM orders WHERE order_id = 'o1'")
    restored.record([first, second])
    assert restored.states_in_mysql == restored.states == before
    kitchen = api.kitchen().body
    assert {each["order_id"]: each["state"] for each in kitchen["orders"]} == {"o2": "preparing"}
    assert kitchen["delayed"] == []


def test_a_state_that_changed_since_is_not_taken_over(restored: BothStores, api: Api) -> None:
    newer = api.move("o1", "ready").body["version"]
    restored.reconciler.write_all(0, Outcome())
    assert restored.states_in_mysql["o1"] == restored.states["o1"] == ("ready", newer)
    restored.database.adopt({"o1": Progress(State.COLLECTED, newer - 1, datetime.now(UTC))})
    assert restored.states_in_mysql["o1"] == ("ready", newer)


def test_the_pickup_number_in_dynamodb_is_that_of_the_row_also_with_concurrent_inserts(
    both: BothStores, new_mysql: Callable[[], MySql]
) -> None:
    databases = [OrdersDatabase(new_mysql(), BERLIN) for _ in range(4)]

    def record(work: tuple[int, OrdersDatabase]) -> list[Order]:
        number, database = work
        kept: list[Order] = []
        for batch in range(6):
            mine = [f"w{number}-{batch}-{n}" for n in range(7)]
            # An order that others record, too, leaves a gap in the ids.
            ids = sorted([*mine, f"all-{batch}"] if batch % 2 else mine)
            now = datetime.now(UTC)
            found = database.record([Order(order_id, now, "Tea", 1) for order_id in ids])
            kept += [order for order in found.values() if order]
        return kept

    with ThreadPoolExecutor(4) as pool:
        kept = [order for some in pool.map(record, enumerate(databases)) for order in some]
    ids: dict[str, Any] = dict(both.sql("SELECT order_id, id FROM orders"))
    assert {order.order_id: order.row_id for order in kept} == ids
    both.projection.write(kept, {"TOTAL_ORDERS": Counted(1, 1)})
    items = both.dynamodb.scan(TableName=NAMES.orders)["Items"]
    assert {item["orderId"]["S"]: item["pickup_number"]["S"] for item in items} == {
        order_id: pickup_number(row_id) for order_id, row_id in ids.items()
    }
