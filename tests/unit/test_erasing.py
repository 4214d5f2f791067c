"""Erasing names in both stores: for good, whatever is repeated, restored, or interrupted."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import environment
import erase_orders
from orders.erasure import Erased, Selector
from orders.failures import Conflict, StoreUnavailableError
from orders.ledger import Ledger
from orders.order import Order, OrderFields
from orders.replay import replay
from stores.dynamodb.order_items import OrderItems
from stores.mysql import erasure
from stores.mysql.connection import MySql
from stores.mysql.copies import OrderTable
from stores.mysql.orders import OrdersDatabase
from stores.mysql.status import StatusDatabase
from tests.dynamodb import ERASED, NAMES
from tests.stores import BERLIN
from tests.unit.api import Api
from tests.unit.both_stores import BothStores, orders

NOW = datetime.now(UTC).replace(microsecond=0)
WEEK = timedelta(days=7)
FIELDS: dict[str, Any] = {
    "customer_name": "Ada Lovelace",
    "attributes": {"note": "for Ada", "table_number": 4},
}


class Stores:
    """Both stores, and what is in them."""

    def __init__(self, both: BothStores) -> None:
        self.both = both

    def erase(self, *order_ids: str) -> None:
        for order_id in order_ids:
            done = self.both.eraser.erase(Selector(order_id=order_id), None)
            assert done.failed == []

    def record(self, *orders: Order) -> dict[str, str]:
        return self.both.ledger.record({str(number): order for number, order in enumerate(orders)})

    @property
    def rows(self) -> dict[str, tuple[str, str | None]]:
        """The name and the attributes of each recorded order in MySQL."""
        found = self.both.sql("SELECT order_id, customer_name, attributes FROM orders WHERE recorded_in > 0")
        return {order_id: (name, attributes) for order_id, name, attributes in found}

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        return {
            item["orderId"]["S"]: item for item in self.both.dynamodb.scan(TableName=NAMES.orders)["Items"]
        }

    @property
    def kept_ids(self) -> set[str]:
        return {item["orderId"]["S"] for item in self.both.dynamodb.scan(TableName=ERASED)["Items"]}

    def erased(self) -> set[str]:
        """Return the ids of the orders that are erased in both stores."""
        items = self.items
        in_mysql = {order_id for order_id, row in self.rows.items() if row == ("", None)}
        return {o for o in in_mysql if o in items and not {"customer_name", "note"} & items[o].keys()}


@pytest.fixture
def stores(both: BothStores) -> Stores:
    return Stores(both)


def old(*numbers: int, age: timedelta = WEEK, **fields: Any) -> list[Order]:
    return orders(*numbers, sent_at=NOW - age, **{**FIELDS, **fields})


def test_an_erased_order_keeps_its_id_item_quantity_times_state_and_counts(stores: Stores) -> None:
    stores.record(*orders(1, 2, **FIELDS))
    before, counters = stores.items["o1"], (stores.both.counters, stores.both.projected)
    stores.erase("o1")
    assert stores.erased() == {"o1"}
    assert stores.items["o1"] == {
        name: value for name, value in before.items() if name not in {"customer_name", "note", "table_number"}
    }
    assert (stores.both.counters, stores.both.projected) == counters
    assert stores.kept_ids == {"o1"}
    assert stores.rows["o2"][0] == "Ada Lovelace"


def test_a_duplicate_of_an_erased_order_is_neither_a_conflict_nor_a_new_order(stores: Stores) -> None:
    (order,) = orders(1, **FIELDS)
    stores.record(order)
    changed = dataclasses.replace(order, customer_name="Bob", attributes={"note": "again"})
    assert isinstance(stores.record(changed)["0"], Conflict)  # which waits in `OrderDLQ`
    stores.erase("o1")
    counters = stores.both.counters
    assert stores.record(order, changed) == {}
    assert stores.erased() == {"o1"}
    assert stores.both.counters == counters


def test_another_item_under_the_id_of_an_erased_order_is_a_conflict(stores: Stores) -> None:
    (order,) = orders(1, **FIELDS)
    stores.record(order)
    stores.erase("o1")
    ((_, reason),) = stores.record(dataclasses.replace(order, item="Tea")).items()
    assert isinstance(reason, Conflict)
    assert str(reason).endswith("with another item")
    assert stores.erased() == {"o1"}


def test_a_replay_sends_an_erased_order_without_a_name(stores: Stores) -> None:
    stores.record(*orders(1, sent_at=NOW, **FIELDS))
    stores.erase("o1")
    page = replay(stores.both.rows, {"from": NOW.isoformat(), "to": (NOW + WEEK).isoformat()})
    (document,) = map(json.loads, page["orders"])
    assert "customer_name" not in document
    sent = OrderFields.of(document)
    (order,) = orders(1, sent_at=NOW, customer_name=sent.customer_name, attributes=sent.attributes)
    assert stores.record(order) == {}
    assert stores.erased() == {"o1"}


def test_an_item_that_changes_while_it_is_erased_is_read_again(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.record(*orders(1, **FIELDS))
    moved = {**stores.items["o1"], "state_version": {"N": "7"}, "order_state": {"S": "ready"}}
    read, seen = OrderItems._get, []

    def read_and_move(self: OrderItems, *arguments: Any) -> Any:
        found = read(self, *arguments)
        seen.append(found)
        if len(seen) == 2:  # the first one lists the orders with names
            stores.both.dynamodb.put_item(TableName=NAMES.orders, Item=moved)
        return found

    monkeypatch.setattr(OrderItems, "_get", read_and_move)
    stores.erase("o1")
    assert stores.erased() == {"o1"}
    assert stores.both.states["o1"] == ("ready", 7)


def test_an_order_that_is_erased_before_it_is_recorded_is_counted_without_a_name(stores: Stores) -> None:
    stores.erase("o1", "o2")
    test, *others = orders(1, 2, 3, **FIELDS)
    assert stores.record(dataclasses.replace(test, attributes={"test_order": True}), *others) == {}
    assert stores.erased() == {"o1", "o2"}
    assert stores.both.counters["TOTAL_ORDERS"] == stores.both.projected["TOTAL_ORDERS"] == 3
    assert stores.both.audit().corrected == {}
    # A test order stays on no screen.
    assert stores.both.sql("SELECT order_id FROM orders WHERE state_at IS NULL") == [("o1",)]
    assert stores.record(*orders(1, 2, 3, **FIELDS)) == {}
    assert stores.both.counters["TOTAL_ORDERS"] == 3


def test_an_id_that_is_kept_for_later_is_no_order_anywhere(
    both: BothStores, stores: Stores, api: Api
) -> None:
    stores.erase("o1")
    assert both.audit().bad_rows == []
    assert both.rows.behind({"o1": 1}).missing == ["o1"]
    page = both.rows.by_id(0, 10)
    assert (page.orders, page.bad) == ([], {})
    table = OrderTable(both.mysql)
    assert table.days(NOW.date(), NOW.date()) == []
    assert StatusDatabase(both.mysql).recent(NOW + WEEK, 20) == []
    assert table.changed(NOW - WEEK) == {}
    assert api.order("o1").status == 404
    assert both.eraser.find(Selector(order_id="o1"), None).already_erased == 1


@pytest.mark.parametrize("when", ["before the ids", "before MySQL", "before DynamoDB"])
def test_what_a_crash_interrupts_is_erased_by_the_next_run(
    stores: Stores, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.record(*orders(1, **FIELDS))
    eraser = stores.both.eraser
    part, method = {
        "before the ids": (eraser.ids, "add"),
        "before MySQL": (eraser.database, "erase"),
        "before DynamoDB": (eraser.projection, "erase"),
    }[when]

    def crash(*_: object) -> None:
        raise StoreUnavailableError("crash")

    with monkeypatch.context() as broken:
        broken.setattr(part, method, crash)
        with pytest.raises(StoreUnavailableError):
            eraser.erase(Selector(customer="Ada Lovelace"), None)
    assert stores.erased() == set()
    if when == "before the ids":  # nothing has happened: the operator sees the error
        assert (stores.kept_ids, stores.rows["o1"][0]) == (set(), "Ada Lovelace")
    else:
        assert eraser.apply(None).failed == []
        assert stores.erased() == {"o1"}


def test_the_reconciler_erases_what_a_function_wrote_too_late_and_calls_it_no_drift(stores: Stores) -> None:
    stores.record(*orders(1, **FIELDS))
    item = stores.items["o1"]
    stores.erase("o1")
    stores.both.dynamodb.put_item(TableName=NAMES.orders, Item=item)
    outcome = stores.both.recent()
    assert (outcome.drift, outcome.unchecked) == (0, None)
    assert stores.erased() == {"o1"}


def test_an_order_that_is_moved_while_it_is_erased_stays_moved_and_erased(stores: Stores, api: Api) -> None:
    """The function reads the order before it is erased, and writes it to DynamoDB afterwards."""
    stores.record(*orders(1, **FIELDS))
    put = api.items.put_unless_newer

    def put_late(order: Order) -> Any:
        stores.erase("o1")
        return put(order)

    api.items.put_unless_newer = put_late  # type: ignore[method-assign]
    assert api.move("o1", "preparing").status == 200
    stores.both.recent()
    assert stores.erased() == {"o1"}
    assert stores.both.states["o1"][0] == stores.both.states_in_mysql["o1"][0] == "preparing"
    api.items.put_unless_newer = put  # type: ignore[method-assign]
    assert api.move("o1", "ready", version=stores.both.states["o1"][1]).status == 200
    assert api.order("o1").body["customer_name"] == ""


def test_actors_and_reasons_of_an_erased_order_are_erased(stores: Stores, api: Api) -> None:
    stores.record(*orders(1, 2, **FIELDS))
    for order_id in ("o1", "o2"):
        assert api.move(order_id, "preparing").status == 200
        version = stores.both.states[order_id][1]
        assert api.move(order_id, "cancelled", version=version, reason="Ada left").status == 200
    stores.erase("o1")
    history = {
        o: [(each["actor"], each["reason"]) for each in api.order(o).body["history"]] for o in ("o1", "o2")
    }
    assert history["o1"] == [("erased", None), ("erased", None)]
    assert history["o2"][1][1] == "Ada left"


def test_an_actor_is_erased_in_the_history_alone(stores: Stores, api: Api) -> None:
    stores.record(*orders(1, **FIELDS))
    assert api.move("o1", "preparing").status == 200
    ((actor,),) = stores.both.sql("SELECT actor FROM order_events")
    eraser, selector = stores.both.eraser, Selector(actor=actor)
    found = eraser.find(selector, None)
    assert (found.orders, found.fields["history"], found.order_ids) == (1, 1, ["o1"])
    assert eraser.erase(selector, None).erased == 1
    assert stores.both.sql("SELECT actor, reason FROM order_events") == [("erased", None)]
    assert stores.rows["o1"][0] == "Ada Lovelace"
    assert eraser.find(selector, None).orders == 0
    assert eraser.find(Selector(actor=actor.upper()), None).orders == 0


def test_a_restored_database_loses_the_names_again_before_and_after_orders_come_back(stores: Stores) -> None:
    in_backup, later = orders(1, **FIELDS), orders(2, **FIELDS)
    stores.record(*in_backup, *later)
    stores.erase("o1", "o2")
    # The backup has the first order with its name, and lacks the second.
    stores.both.sql("DELETE FROM counters")
    stores.both.sql("UPDATE orders SET customer_name = 'Ada Lovelace' WHERE order_id = 'o1'")
    stores.both.sql("UPDATE orders SET order_id = 'other' WHERE order_id = 'o2'")
    stores.both.eraser.apply(None)
    assert stores.rows["o1"] == ("", None)
    assert stores.record(*later) == {}
    assert stores.rows["o2"] == ("", None)


def test_kept_ids_are_applied_in_parts(stores: Stores) -> None:
    stores.both.left = 0
    stores.record(*orders(1, 2, **FIELDS))
    stores.both.erased_ids.add(["o1", "o2"])
    done = stores.both.eraser.apply("o1")
    assert (done.erased, done.cursor, stores.erased()) == (1, "o2", {"o2"})
    assert stores.both.eraser.apply("o2") == Erased()


def test_a_customer_is_matched_by_the_exact_name_in_both_forms_of_unicode(stores: Stores) -> None:
    names = ["Zo\u00e9", "Zoe\u0301", "zo\u00e9", "Zoe", "Zo\u00e9 B"]
    for number, name in enumerate(names):
        stores.record(*orders(number, customer_name=name))
    found = stores.both.eraser.find(Selector(customer="Zoe\u0301"), None)
    assert found.order_ids == ["o0", "o1"]
    assert stores.both.eraser.erase(Selector(customer="Zo\u00e9"), None).erased == 2
    assert stores.erased() == {"o0", "o1"}


def test_a_row_with_an_empty_id_is_erased_in_mysql_alone(stores: Stores) -> None:
    """DynamoDB would refuse the key, and with it all orders of the customer."""
    stores.record(*orders(1, **FIELDS))
    name = FIELDS["customer_name"]
    stores.both.sql("INSERT INTO orders (order_id, customer_name, recorded_in) VALUES ('', %s, 0)", name)
    assert stores.both.eraser.erase(Selector(customer="Ada Lovelace"), None).erased == 2
    assert stores.both.sql("SELECT DISTINCT customer_name FROM orders") == [("",)]
    assert (stores.erased(), stores.kept_ids) == ({"o1"}, {"o1"})


def test_a_search_reads_the_table_in_slices(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "STEP", 3)
    monkeypatch.setattr(erasure, "MAX_ROWS", 2)
    at = NOW - timedelta(hours=1)
    stores.record(*orders(*range(1, 6), sent_at=at, **FIELDS))
    stores.record(*orders(6, customer_name="Bob"), *orders(7, sent_at=NOW, customer_name="Ada Lovelace"))
    stores.both.left = 0
    selector, cursor, pages = Selector(customer="Ada Lovelace"), None, []
    while True:
        pages.append(stores.both.eraser.find(selector, cursor))
        cursor = pages[-1].cursor
        if cursor is None:
            break
    assert [order_id for page in pages for order_id in page.order_ids] == ["o1", "o2", "o3", "o4", "o5", "o7"]
    assert sum(page.fields["attributes"] for page in pages) == 5
    assert pages[0].document["first"] == f"{at:%Y-%m-%dT%H:%M:%S}.000Z"
    assert max(page.last for page in pages if page.last) == NOW


def test_recording_and_erasing_at_the_same_time_leave_no_name(
    stores: Stores, new_mysql: Callable[[], MySql]
) -> None:
    ledger = Ledger(OrdersDatabase(new_mysql(), BERLIN), stores.both.projection, BERLIN)
    start = threading.Barrier(2)

    def record(number: int) -> None:
        start.wait()
        assert ledger.record({"m": orders(number, **FIELDS)[0]}) == {}

    with ThreadPoolExecutor(1) as threads:
        for number in range(20):
            recording = threads.submit(record, number)
            start.wait()
            stores.erase(f"o{number}")
            recording.result()
    assert set(stores.rows.values()) == {("", None)}
    assert stores.both.counters["TOTAL_ORDERS"] == 20
    stores.both.recent()
    assert len(stores.erased()) == 20


@pytest.mark.parametrize("duplicate", [False, True])
def test_an_order_that_is_erased_at_any_step_of_recording_it_stays_erased(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, *, duplicate: bool
) -> None:
    """The worker puts into DynamoDB what it has read before; then the reconciler runs."""
    both = stores.both
    for number, (part, method) in enumerate(
        [(both.database, "record"), (both.database, "counted"), (both.projection, "write")], 1
    ):
        (order,) = orders(number, **FIELDS)
        if duplicate:
            stores.record(order)
        original = getattr(part, method)

        def erase_first(*arguments: Any, call: Any = original, order_id: str = order.order_id) -> Any:
            stores.erase(order_id)
            return call(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(part, method, erase_first)
            assert stores.record(order) == {}
        assert both.recent().drift == 0
    assert stores.erased() == {"o1", "o2", "o3"}
    assert both.counters["TOTAL_ORDERS"] == 3


# --- Retention ---


def erase_old(stores: Stores, cutoff: datetime = NOW - WEEK) -> int:
    return stores.both.eraser.erase_old(cutoff).erased


def test_orders_lose_their_names_at_the_age_and_not_a_millisecond_earlier(stores: Stores) -> None:
    midnight = (NOW - WEEK).replace(hour=0, minute=0, second=0)
    millisecond = timedelta(milliseconds=1)
    stores.record(
        *orders(1, sent_at=midnight - millisecond, **FIELDS), *orders(2, sent_at=midnight, **FIELDS)
    )
    assert erase_old(stores, midnight) == 1
    assert stores.erased() == {"o1"}
    assert erase_old(stores, midnight + millisecond) == 1
    assert (stores.erased(), stores.kept_ids) == ({"o1", "o2"}, set())
    assert stores.both.audit().corrected == {}


def test_retention_continues_where_the_last_run_stopped(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "MAX_ROWS", 2)
    for number in range(6):
        # Several at the same millisecond, and some without a time.
        stores.record(*old(number, age=timedelta(days=9 - number // 3)))
    stores.both.sql("UPDATE orders SET created_at = NULL WHERE order_id IN ('o1', 'o2', 'o4')")
    seconds = iter([1, 1, 1, 0, *[1] * 20])
    eraser = dataclasses.replace(stores.both.eraser, seconds_left=lambda: next(seconds))
    assert eraser.erase_old(NOW - WEEK).cursor is not None
    assert len(stores.erased()) < 6
    assert eraser.erase_old(NOW - WEEK).cursor is None
    assert len(stores.erased()) == 6
    # Only what fell due recently is read again.
    stores.both.sql("UPDATE orders SET recorded_in = 1, customer_name = 'Ada' WHERE order_id IN ('o0', 'o1')")
    erase_old(stores, NOW - timedelta(days=1))
    assert erase_old(stores, NOW) == 0


def test_a_run_with_nothing_to_erase_reads_no_old_orders(stores: Stores) -> None:
    stores.record(*old(*range(300), age=timedelta(days=30)))
    stores.both.sql("UPDATE orders SET recorded_in = 1")  # long ago
    erase_old(stores)
    assert stores.both.rows_read(lambda: erase_old(stores)) < 50


def test_a_crash_between_the_stores_is_repaired_by_the_next_run_of_retention(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.record(*old(1, age=timedelta(days=8)))
    stores.both.sql("UPDATE orders SET recorded_in = 1")  # long ago
    with monkeypatch.context() as broken:
        broken.setattr(stores.both.projection, "erase", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            erase_old(stores)
    item = stores.items["o1"]
    assert "customer_name" in item
    erase_old(stores)
    assert stores.erased() == {"o1"}
    # A worker writes what it read before.
    stores.both.dynamodb.put_item(TableName=NAMES.orders, Item=item)
    erase_old(stores)
    assert stores.erased() == {"o1"}


def test_old_orders_that_another_release_recorded_or_staff_moved_are_erased(stores: Stores, api: Api) -> None:
    erase_old(stores)
    stores.record(*old(1, age=timedelta(days=30)), *old(2, age=timedelta(days=30)))
    seconds = iter([1, 0])  # the last one is for the recent orders
    late = dataclasses.replace(stores.both.eraser, seconds_left=lambda: next(seconds)).erase_old(NOW - WEEK)
    assert (late.cursor is None, stores.erased()) == (False, set())
    erase_old(stores)
    assert stores.erased() == {"o1", "o2"}
    assert api.move("o1", "cancelled", reason="Ada left").status == 200
    erase_old(stores)
    assert stores.both.sql("SELECT actor, reason FROM order_events") == [("erased", None)]


def test_an_order_that_arrives_when_it_is_too_old_is_recorded_without_a_name(stores: Stores) -> None:
    both = stores.both
    ledger = Ledger(both.database, both.projection, BERLIN, WEEK)
    (first, recent) = *old(1, age=WEEK + timedelta(seconds=1)), *old(2, age=WEEK - timedelta(hours=5))
    other_name = dataclasses.replace(first, customer_name="Bob")
    assert ledger.record({"a": first, "b": recent, "c": other_name}) == {}
    assert stores.erased() == {"o1"}
    assert stores.rows["o2"][0] == "Ada Lovelace"
    assert both.counters["TOTAL_ORDERS"] == 2


# --- The function ---


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture
def call(both: BothStores, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    monkeypatch.setattr(erase_orders, "_eraser", lambda _: both.eraser)
    return lambda **event: erase_orders.handler(event, Context())


def test_the_function_finds_and_erases_and_logs_ids_without_names(
    stores: Stores, call: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    stores.record(*orders(1, sent_at=NOW, **FIELDS))
    found = call(action="find", customer="Ada Lovelace")
    at = f"{NOW:%Y-%m-%dT%H:%M:%S}.000Z"
    assert json.loads(json.dumps(found)) == {
        "orders": 1,
        "alreadyErased": 0,
        "first": at,
        "last": at,
        "fields": {"customer": 1, "attributes": 1, "history": 0},
        "orderIds": ["o1"],
        "cursor": None,
    }
    done = call(action="erase", customer="Ada Lovelace")
    assert done == {"erased": 1, "orderIds": ["o1"], "failed": [], "cursor": None}
    printed = capsys.readouterr().out
    assert "o1" in printed
    assert "Ada" not in printed
    assert call(action="find", orderId="o1")["alreadyErased"] == 1


def test_the_schedule_applies_kept_ids_and_the_retention_period(
    stores: Stores, call: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.record(*orders(1, **FIELDS), *old(2))
    stores.both.erased_ids.add(["o1"])
    monkeypatch.delenv("RETENTION_DAYS", raising=False)
    assert call(action="retention")["erased"] == 1
    monkeypatch.setenv("RETENTION_DAYS", "6")
    assert environment.retention() == timedelta(days=6)
    assert call(action="retention")["erased"] == 1
    assert stores.erased() == {"o1", "o2"}


def test_old_orders_that_were_recorded_while_names_were_kept_are_erased_when_the_setting_returns(
    stores: Stores, call: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in ("6", "0"):
        monkeypatch.setenv("RETENTION_DAYS", days)
        call(action="retention")
    stores.record(*old(1, age=timedelta(days=30)))
    stores.both.sql("UPDATE orders SET recorded_in = 1")  # long ago
    monkeypatch.setenv("RETENTION_DAYS", "6")
    assert call(action="retention")["erased"] == 1
    assert stores.erased() == {"o1"}


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"action": "find"},
        {"action": "find", "customer": " "},
        {"action": "erase", "customer": "Ada", "orderId": "o1"},
        {"action": "erase", "orderId": "\u00e9"},
        {"action": "erase", "customer": 7},
    ],
)
def test_an_event_without_exactly_one_selector_is_refused(
    call: Callable[..., dict[str, Any]], event: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="must be"):
        call(**event)
