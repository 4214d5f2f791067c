"""Upgrades from previous releases, both releases side by side, and rollbacks: every order is counted once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dynamodb import NAMES
from tests.upgrade.conftest import Stores
from tests.upgrade.releases import Release


def orders(*numbers: int, item: str = "Latte") -> list[dict[str, Any]]:
    return [{"orderId": f"o{number}", "item": item, "quantity": number} for number in numbers]


@pytest.fixture(params=["widened", "left as it is"])
def size(request: pytest.FixtureRequest, current: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a deploy widen the table, or not."""
    if request.param != "widened":
        monkeypatch.setattr(current._modules["stores.mysql.widening"], "AT_DEPLOY", -1.0)


def test_nothing_is_lost_or_counted_twice_by_the_upgrade(
    stores: Stores, previous: Release, current: Release, size: None
) -> None:
    previous.work(orders(1, 2, 3) + orders(4, item="Tea ") + orders(2))
    previous.record_in_mysql_alone(orders(5))
    stores.sql("INSERT INTO orders (customer_name, item, quantity) VALUES ('Ada', 'Tea', 2)")
    current.deploy()
    current.reconcile()
    current.reconcile("full")
    assert stores.sql("SELECT COUNT(*) FROM orders") == [(6,)]
    assert stores.rows["TOTAL_ORDERS"] == 6
    current.reconcile(
        "rebuild"
    )  # The order that only MySQL has was recorded long before the first comparison.
    stores.assert_exact()


def test_wrong_counters_are_corrected(stores: Stores, previous: Release, current: Release) -> None:
    previous.work(orders(1, 2, 3))
    stores.add(NAMES.metrics, "metric", "TOTAL_ORDERS", "count", 7)
    stores.add(NAMES.menu, "item", "Latte", "orders", -2)
    stores.add(NAMES.menu, "item", "Never ordered", "orders", 3)
    stores.add(NAMES.metrics, "metric", "ORDERS#2025-01-01", "count", 5)
    current.deploy()
    current.reconcile("full")
    stores.assert_exact()


def test_both_releases_record_side_by_side(
    stores: Stores, previous: Release, current: Release, size: None
) -> None:
    previous.work(orders(1, 2))
    current.deploy()
    for number in range(10, 40, 4):
        previous.work(orders(number, number + 1))
        current.work(orders(number + 1, number + 2))
        previous.work(orders(number + 2, number + 3))
        current.work(orders(number, number + 3))
    previous.reconcile()
    current.reconcile()
    assert stores.rows["TOTAL_ORDERS"] == 2 + 8 * 4
    current.reconcile("full")
    stores.assert_exact()


def test_rows_of_an_earlier_systems_worker_get_an_id_and_are_counted_once(
    stores: Stores, previous: Release, current: Release
) -> None:
    current.deploy()
    for _ in range(3):
        stores.sql("INSERT INTO orders (customer_name, item, quantity) VALUES ('Ada', 'Tea', 2)")
        current.reconcile()
    current.reconcile()
    assert stores.rows == {"ITEM#Tea": 6, "TOTAL_ORDERS": 3}
    stores.assert_exact()


def test_the_previous_release_works_after_a_rollback_and_nothing_is_miscounted(
    stores: Stores, previous: Release, current: Release, size: None
) -> None:
    current.deploy()
    current.work(orders(1, 2, 3))
    current.reconcile()
    previous.deploy()
    previous.work(orders(3, 4, 5))
    found = previous.reconcile()
    assert (found["reason"], found["drift"]) == (None, 0)
    assert stores.projected["TOTAL_ORDERS"] == stores.rows["TOTAL_ORDERS"] == 5
    assert stores.projected["ITEM#Latte"] == stores.rows["ITEM#Latte"]
    current.deploy()
    current.work(orders(5, 6))
    current.reconcile()
    current.reconcile("full")
    assert stores.rows["TOTAL_ORDERS"] == 6
    stores.assert_exact()


def test_a_crash_before_a_rollback_is_repaired_by_the_previous_release(
    stores: Stores, previous: Release, current: Release
) -> None:
    current.deploy()
    current.work(orders(1))
    current.record_in_mysql_alone(orders(2))
    previous.deploy()
    assert previous.reconcile()["repaired"] == 1
    assert stores.items == {"o1", "o2"}
    current.deploy()
    current.reconcile()
    current.reconcile("full")
    stores.assert_exact()


@pytest.mark.parametrize("command", [None, "full", "rebuild"])
def test_the_previous_releases_reconciler_causes_no_errors_beside_this_release(
    stores: Stores, previous: Release, current: Release, command: str | None
) -> None:
    current.deploy()
    current.work(orders(1, 2))
    previous.reconcile(command)
    current.work(orders(2, 3))
    previous.reconcile(command)
    current.reconcile()
    current.reconcile("full")
    assert stores.rows["TOTAL_ORDERS"] == 3
    stores.assert_exact()


def test_the_previous_releases_status_is_complete_on_the_new_schema(
    stores: Stores, previous: Release, current: Release, size: None
) -> None:
    current.deploy()
    current.work(orders(1, 2, 3))
    current.reconcile()
    status = previous.status()
    assert status["degraded"] == []
    assert [order["order_id"] for order in status["recent_orders"]] == ["o3", "o2", "o1"]
    assert {metric["metric"]: metric["count"] for metric in status["metrics"]}["TOTAL_ORDERS"] == 3
    assert status["sync"]["in_sync"] is True


def test_the_status_of_this_release_is_complete_right_after_the_upgrade(
    stores: Stores, previous: Release, current: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    previous.work(orders(1, 2, 3))
    current.deploy()
    current.reconcile()
    monkeypatch.setenv("DATABASE_SECRET", "CafeStatusDBSM")
    status = current.status()
    assert status["degraded"] == []
    assert {metric["metric"]: metric["count"] for metric in status["metrics"]}["TOTAL_ORDERS"] == 3
    assert status["top_items"] == [{"item": "Latte", "quantity": 6}]


def test_a_release_without_states_works_on_the_new_schema_and_its_orders_get_one(
    stores: Stores, without_states: Release, current: Release
) -> None:
    without_states.work(orders(1))
    current.deploy()
    without_states.work(orders(2))
    current.work(orders(3))
    without_states.work(orders(3, 4))
    assert without_states.status()["degraded"] == []
    assert current.move("o4", "ready") == 409, "in a minute"
    stores.let_seconds_pass()
    current.reconcile()
    assert current.move("o4", "ready") == 200
    states = {"o2": "received", "o3": "received", "o4": "ready"}
    assert stores.states == states
    rows = "SELECT order_id, state FROM orders ORDER BY order_id"
    assert stores.sql(rows) == [("o1", None), *states.items()]
    stores.assert_exact()


def test_states_return_after_a_rollback_to_a_release_without_states(
    stores: Stores, without_states: Release, current: Release
) -> None:
    current.deploy()
    current.work(orders(1, 2))
    assert current.move("o1", "preparing") == 200
    without_states.deploy()
    without_states.work(orders(1, 2, 3))
    without_states.reconcile("rebuild")
    assert stores.states == {}
    current.deploy()
    stores.let_seconds_pass()
    current.reconcile()
    assert stores.states == {"o1": "preparing", "o2": "received", "o3": "received"}
    stores.assert_exact()


def test_a_release_that_erases_no_names_brings_none_back(
    stores: Stores, without_states: Release, current: Release
) -> None:
    recorded, early = ({**order, "customer_name": "Ada"} for order in orders(1, 2))
    without_states.work([recorded])
    current.deploy()
    current.erase(customer="Ada")
    current.erase(orderId="o2")
    without_states.deploy()
    # It cannot know these ids, so it reports conflicts.
    without_states.refuse(recorded)
    without_states.refuse(early)
    without_states.reconcile("rebuild")
    assert "Ada" not in str(stores.names)
    current.deploy()
    current.work([recorded, early])
    current.erase()
    assert stores.names == {"o1": ("", None), "o2": ("", None)}
    stores.assert_exact()
