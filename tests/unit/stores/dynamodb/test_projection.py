"""The projection: orders and counters in DynamoDB as MySQL has them, whoever writes them and how often."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orders.counters import Counted, item_name
from orders.failures import Defect, Refused, StoreUnavailableError, is_final
from orders.ledger import Written
from orders.order import OWN_ATTRIBUTES, Order
from orders.states import Progress, State
from stores.aws import CONNECTIONS
from stores.dynamodb import client as dynamodb_client
from stores.dynamodb.client import ATTEMPTS, DynamoDb
from stores.dynamodb.projection import Projection
from tests.dynamodb import NAMES
from tests.stores import BERLIN

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
ITEM = "ITEM#Latte"


def orders(number: int, **fields: Any) -> list[Order]:
    order = Order("", NOW, "Latte", 2, "Ann")
    return [dataclasses.replace(order, order_id=f"o{n}", **fields) for n in range(number)]


def moved(number: int, version: int, state: State = State.READY, row_id: int = 42) -> Order:
    """Make an order that somebody has moved."""
    progress = Progress(state, version, NOW + timedelta(minutes=2))
    return Order(f"o{number}", NOW, "Latte", 2, "Ann", row_id=row_id, progress=progress)


def items(dynamodb: Any) -> set[str]:
    return {item["orderId"]["S"] for item in dynamodb.scan(TableName=NAMES.orders)["Items"]}


class Watched:
    """A client that fails the calls that a test wants to fail, before or after they are done."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.calls: list[str] = []
        self.fail: Callable[[str, dict[str, Any]], str | None] = lambda operation, request: None

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            self.calls.append(operation)
            if code := self.fail(operation, request):
                raise ClientError({"Error": {"Code": code, "Message": ""}}, operation)
            return getattr(self.client, operation)(**request)

        return call


@pytest.fixture
def watched(dynamodb: Any) -> Watched:
    return Watched(dynamodb)


@pytest.fixture
def projection(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Projection:
    """The projection, which makes no pauses."""
    monkeypatch.setattr(dynamodb_client, "LONGEST_PAUSE", 0.0)
    return Projection(DynamoDb(client=watched), NAMES, BERLIN)


# Orders.


def test_an_order_is_stored_with_all_its_attributes(projection: Projection, dynamodb: Any) -> None:
    attributes = {"table_number": 4, "tip": Decimal("0.5"), "notes": [{"a": None, "b": True}]}
    assert projection.write(orders(1, attributes=attributes), {}) == Written()
    assert dynamodb.get_item(TableName="Orders", Key={"orderId": {"S": "o0"}})["Item"] == {
        "orderId": {"S": "o0"},
        "item": {"S": "Latte"},
        "quantity": {"N": "2"},
        "customer_name": {"S": "Ann"},
        "created_at": {"S": "2026-11-22T23:30:00.000+00:00"},
        "table_number": {"N": "4"},
        "tip": {"N": "0.5"},
        "notes": {"L": [{"M": {"a": {"NULL": True}, "b": {"BOOL": True}}}]},
    }


def test_attributes_never_replace_an_orders_own_fields(projection: Projection, dynamodb: Any) -> None:
    names = ("orderId", "item", "quantity", "customer_name", "created_at")
    projection.write(orders(1, created_at=None, attributes=dict.fromkeys(names, "other")), {})
    (item,) = dynamodb.scan(TableName="Orders")["Items"]
    assert item == {
        "orderId": {"S": "o0"},
        "item": {"S": "Latte"},
        "quantity": {"N": "2"},
        "customer_name": {"S": "Ann"},
    }


def test_an_orders_item_has_its_state_version_and_number(projection: Projection, dynamodb: Any) -> None:
    others = dict.fromkeys(OWN_ATTRIBUTES, "a publisher's")
    order = dataclasses.replace(moved(0, 7, row_id=442), attributes=others)
    assert projection.write([order], {}) == Written()
    (item,) = dynamodb.scan(TableName="Orders")["Items"]
    attributes = {name: item[name] for name in OWN_ATTRIBUTES}
    assert attributes == {
        "created_at": {"S": "2026-11-22T23:30:00.000+00:00"},
        "order_state": {"S": "ready"},
        "state_version": {"N": "7"},
        "state_at": {"S": "2026-11-22T23:32:00.000+00:00"},
        "pickup_number": {"S": "E42"},
    }


@pytest.mark.parametrize("name", OWN_ATTRIBUTES)
def test_a_publishers_attribute_never_sets_a_state(projection: Projection, dynamodb: Any, name: str) -> None:
    projection.write(orders(1, created_at=None, attributes={name: "ready", "status": "new"}), {})
    (item,) = dynamodb.scan(TableName="Orders")["Items"]
    assert name not in item
    assert item["status"] == {"S": "new"}


@pytest.mark.parametrize("first", [6, 7, 8])
def test_no_older_version_replaces_a_newer_one(projection: Projection, dynamodb: Any, first: int) -> None:
    projection.write([moved(0, first, State.COLLECTED)], {})
    written = projection.write([moved(0, 7)], {})
    (item,) = dynamodb.scan(TableName="Orders")["Items"]
    assert item["state_version"]["N"] == str(max(first, 7))
    newer = Progress(State.COLLECTED, first, NOW + timedelta(minutes=2))
    assert written == Written(newer={"o0": newer} if first > 7 else {})


def test_an_order_sent_long_ago_does_not_replace_a_moved_one(
    projection: Projection, watched: Watched, dynamodb: Any
) -> None:
    now = datetime.now(UTC)
    projection.write([moved(0, 7)], {})
    watched.calls.clear()
    old = Order(
        "o0", NOW - timedelta(days=9), "Latte", 2, row_id=1, progress=Progress(State.RECEIVED, 1, NOW)
    )
    fresh = Order("o1", now, "Latte", 2, row_id=2, progress=Progress(State.RECEIVED, 1, now))
    assert projection.write([old, fresh], {}).newer == {
        "o0": Progress(State.READY, 7, NOW + timedelta(minutes=2), NOW + timedelta(minutes=2))
    }
    states = {
        item["orderId"]["S"]: item["order_state"]["S"] for item in dynamodb.scan(TableName="Orders")["Items"]
    }
    assert states == {"o0": "ready", "o1": "received"}
    assert watched.calls == ["batch_get_item", "batch_write_item"]


@pytest.mark.parametrize("code", ["ValidationException", "KeyError"])
def test_a_refused_order_that_was_moved_does_not_affect_the_others(
    projection: Projection, watched: Watched, dynamodb: Any, code: str
) -> None:
    def fail(operation: str, request: dict[str, Any]) -> str | None:
        bad = request.get("Item", {}).get("orderId") == {"S": "o1"}
        if bad and code == "KeyError":
            raise KeyError("Ann")
        return code if bad else None

    watched.fail = fail
    refused = projection.write([moved(0, 7), moved(1, 7), moved(2, 7)], {}).refused
    assert list(refused) == ["o1"]
    assert isinstance(refused["o1"], Refused)
    assert items(dynamodb) == {"o0", "o2"}


@pytest.mark.parametrize("number", [0, 1, 25, 26])
def test_orders_are_put_in_batches_of_the_size_that_dynamodb_accepts(
    projection: Projection, watched: Watched, dynamodb: Any, number: int
) -> None:
    assert projection.write(orders(number), {}) == Written()
    assert items(dynamodb) == {order.order_id for order in orders(number)}
    assert watched.calls.count("batch_write_item") == -(-number // 25)


def test_orders_may_be_written_again(projection: Projection, dynamodb: Any) -> None:
    first = Progress(State.RECEIVED, 1, NOW)
    projection.write(orders(2, progress=first), {})
    assert projection.write(orders(3, progress=first), {}) == Written()
    assert items(dynamodb) == {"o0", "o1", "o2"}


@pytest.mark.parametrize("refused", [{0}, {3}, {7}, {0, 7}, {2, 3, 4}, set(range(8))])
def test_only_the_orders_that_dynamodb_refuses_fail(
    projection: Projection, watched: Watched, dynamodb: Any, refused: set[int]
) -> None:
    ids = {f"o{number}" for number in refused}

    def fail(operation: str, request: dict[str, Any]) -> str | None:
        puts = request["RequestItems"][NAMES.orders] if operation == "batch_write_item" else []
        requested = {put["PutRequest"]["Item"]["orderId"]["S"] for put in puts}
        return "ValidationException" if requested & ids else None

    watched.fail = fail
    reasons = projection.write(orders(8), {"TOTAL_ORDERS": Counted(8, 1)}).refused
    assert reasons == dict.fromkeys(ids, "DynamoDB: ValidationException")
    assert all(isinstance(reason, Refused) for reason in reasons.values())
    assert items(dynamodb) == {f"o{number}" for number in range(8)} - ids
    assert projection.read(["TOTAL_ORDERS"]) == {"TOTAL_ORDERS": Counted(8, 1)}


def test_a_defect_in_one_order_does_not_affect_the_others(projection: Projection, dynamodb: Any) -> None:
    bad = dataclasses.replace(orders(1)[0], order_id="bad", attributes={"set": {1, 2}})
    reasons = projection.write([*orders(3), bad], {}).refused
    assert list(reasons) == ["bad"]
    assert isinstance(reasons["bad"], Defect)
    assert not is_final(reasons["bad"])
    assert "TypeError in client.py" in reasons["bad"]
    assert items(dynamodb) == {"o0", "o1", "o2"}


def test_orders_that_are_missing_or_have_an_older_version_are_found(projection: Projection) -> None:
    projection.write(orders(1), {})
    projection.write([moved(1, 7), moved(2, 7)], {})
    assert projection.behind({"o0": 0, "o1": 7, "o2": 8, "o3": 0}) == {"o2", "o3"}
    assert projection.behind({}) == set()


# Counters.


@pytest.mark.parametrize(
    ("name", "table", "key", "attribute"),
    [
        ("TOTAL_ORDERS", NAMES.metrics, {"metric": {"S": "TOTAL_ORDERS"}}, "count"),
        ("ORDERS#2026-11-23", NAMES.metrics, {"metric": {"S": "ORDERS#2026-11-23"}}, "count"),
        (ITEM, NAMES.menu, {"item": {"S": "Latte"}}, "orders"),
        (item_name("Tea "), NAMES.menu, {"item": {"S": "Tea "}}, "orders"),
        (item_name("TOTAL_ORDERS"), NAMES.menu, {"item": {"S": "TOTAL_ORDERS"}}, "orders"),
    ],
)
def test_a_counter_is_stored_in_the_item_that_the_pages_read(
    projection: Projection, dynamodb: Any, name: str, table: str, key: Any, attribute: str
) -> None:
    assert projection.set_counter(name, Counted(7, 100))
    item = dynamodb.get_item(TableName=table, Key=key)["Item"]
    assert item == {**key, attribute: {"N": "7"}, "version": {"N": "100"}}
    assert projection.read([name]) == {name: Counted(7, 100)}


def test_the_counter_of_an_hour_expires(projection: Projection, dynamodb: Any) -> None:
    projection.set_counter("ORDERS#2026-11-23T00", Counted(1, 1))
    key = {"metric": {"S": "ORDERS#2026-11-23T00"}}
    item = dynamodb.get_item(TableName=NAMES.metrics, Key=key)["Item"]
    assert datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC) == datetime(2026, 12, 6, 23, tzinfo=UTC)


@pytest.mark.parametrize(("version", "is_set"), [(99, False), (100, False), (101, True)])
def test_a_counter_replaces_only_an_older_version(
    projection: Projection, version: int, *, is_set: bool
) -> None:
    projection.set_counter(ITEM, Counted(7, 100))
    assert projection.set_counter(ITEM, Counted(8, version)) == is_set
    assert projection.read([ITEM])[ITEM] == (Counted(8, version) if is_set else Counted(7, 100))


def test_a_counter_of_the_previous_release_has_no_version_and_is_the_oldest(
    projection: Projection, dynamodb: Any
) -> None:
    dynamodb.put_item(TableName=NAMES.metrics, Item={"metric": {"S": "TOTAL_ORDERS"}, "count": {"N": "9"}})
    assert projection.read(["TOTAL_ORDERS"]) == {"TOTAL_ORDERS": Counted(9, 0)}
    assert projection.set_counter("TOTAL_ORDERS", Counted(7, 1))
    assert projection.read(["TOTAL_ORDERS"]) == {"TOTAL_ORDERS": Counted(7, 1)}


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
def test_the_latest_version_stays_in_any_order_of_writes(
    projection: Projection, order: tuple[int, ...]
) -> None:
    for version in order:
        projection.write([], {ITEM: Counted(10 * version, version)})
    assert projection.read([ITEM]) == {ITEM: Counted(30, 3)}


# Counters of a batch of orders.


def test_existing_counters_are_set_in_one_call(projection: Projection, watched: Watched) -> None:
    hour = "ORDERS#2026-11-23T00"
    projection.write([], dict.fromkeys(["TOTAL_ORDERS", ITEM, hour], Counted(1, 1)))
    watched.calls.clear()
    later = {"TOTAL_ORDERS": Counted(2, 2), ITEM: Counted(3, 2), hour: Counted(4, 2)}
    projection.write([], later)
    assert watched.calls == ["batch_execute_statement"]
    assert projection.read(later) == later


def test_the_counter_of_an_hour_expires_whichever_call_sets_it(projection: Projection, dynamodb: Any) -> None:
    hour = "ORDERS#2026-11-23T00"
    dynamodb.put_item(TableName=NAMES.metrics, Item={"metric": {"S": hour}, "version": {"N": "1"}})
    projection.write([], {hour: Counted(1, 2)})
    item = dynamodb.get_item(TableName=NAMES.metrics, Key={"metric": {"S": hour}})["Item"]
    assert datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC) == datetime(2026, 12, 6, 23, tzinfo=UTC)


def test_a_new_counter_is_created_by_its_own_call(projection: Projection, watched: Watched) -> None:
    projection.write([], {ITEM: Counted(1, 1)})
    assert watched.calls == ["batch_execute_statement", "update_item"]
    assert projection.read([ITEM]) == {ITEM: Counted(1, 1)}


@pytest.mark.parametrize("version", [100, 101])
def test_a_counter_that_is_already_projected_needs_no_further_call(
    projection: Projection, watched: Watched, version: int
) -> None:
    projection.set_counter(ITEM, Counted(9, version))
    watched.calls.clear()
    projection.write([], {ITEM: Counted(8, 100)})
    assert watched.calls == ["batch_execute_statement"]
    assert projection.read([ITEM]) == {ITEM: Counted(9, version)}


def test_a_counter_of_the_previous_release_is_set_with_the_others(
    projection: Projection, dynamodb: Any
) -> None:
    dynamodb.put_item(TableName=NAMES.metrics, Item={"metric": {"S": "TOTAL_ORDERS"}, "count": {"N": "9"}})
    projection.write([], {"TOTAL_ORDERS": Counted(7, 1)})
    assert projection.read(["TOTAL_ORDERS"]) == {"TOTAL_ORDERS": Counted(7, 1)}


@pytest.mark.parametrize(
    "code", ["ThrottlingError", "TransactionConflict", "AccessDenied", "ValidationError"]
)
def test_a_counter_whose_statement_fails_is_set_by_its_own_call(
    projection: Projection, dynamodb: Any, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    projection.write([], {ITEM: Counted(1, 1)})
    response = {"Responses": [{"Error": {"Code": code}}]}
    monkeypatch.setattr(dynamodb, "batch_execute_statement", lambda **_: response)
    projection.write([], {ITEM: Counted(2, 2)})
    assert projection.read([ITEM]) == {ITEM: Counted(2, 2)}


@pytest.mark.parametrize("number", [25, 26])
def test_counters_are_set_in_batches_of_the_size_that_dynamodb_accepts(
    projection: Projection, watched: Watched, number: int
) -> None:
    counted = {item_name(str(n)): Counted(n, 1) for n in range(number)}
    projection.write([], counted)
    assert projection.read(counted) == counted
    assert watched.calls.count("batch_execute_statement") == -(-number // 25)


def test_a_wrong_counter_is_corrected_if_it_has_not_changed_since_it_was_read(projection: Projection) -> None:
    projection.set_counter(ITEM, Counted(99, 100))
    assert projection.set_counter(ITEM, Counted(7, 100), Counted(99, 100))
    assert projection.read([ITEM]) == {ITEM: Counted(7, 100)}


def test_a_counter_that_has_changed_since_it_was_read_is_kept(projection: Projection) -> None:
    projection.set_counter(ITEM, Counted(99, 100))
    assert not projection.set_counter(ITEM, Counted(7, 50), Counted(98, 99))
    assert projection.read([ITEM]) == {ITEM: Counted(99, 100)}


def test_counters_are_read_consistently_in_a_call_for_each_table(
    projection: Projection, watched: Watched
) -> None:
    consistent: list[bool] = []

    def look(operation: str, request: dict[str, Any]) -> None:
        consistent.extend(read["ConsistentRead"] for read in request["RequestItems"].values())

    watched.fail = look
    names = ["TOTAL_ORDERS", ITEM, *(f"ORDERS#2026-11-22T{hour:02}" for hour in range(24))]
    assert projection.read(names) == {}
    assert watched.calls == ["batch_get_item"] * 2
    assert consistent == [True, True]


def test_the_names_of_all_counters_that_are_not_zero_are_found(projection: Projection, dynamodb: Any) -> None:
    projection.set_up({"Water": Decimal(1)})
    projection.write([], {"ORDERS#2026-11-23": Counted(1, 1), ITEM: Counted(0, 1), "ITEM#Tea": Counted(2, 1)})
    dynamodb.put_item(TableName=NAMES.metrics, Item={"metric": {"S": "RDS_ORDERS"}, "count": {"N": "9"}})
    assert projection.names() == {"ORDERS#2026-11-23", "ITEM#Tea"}


def test_set_up_writes_the_menu_and_resets_no_counter(projection: Projection, dynamodb: Any) -> None:
    projection.set_up({"Latte": Decimal(5)})
    assert projection.read(["TOTAL_ORDERS", ITEM]) == {"TOTAL_ORDERS": Counted(0, 0), ITEM: Counted(0, 0)}
    projection.write([], {"TOTAL_ORDERS": Counted(1, 10), ITEM: Counted(2, 10)})
    projection.set_up({"Latte": Decimal("5.50")})
    assert projection.read(["TOTAL_ORDERS"]) == {"TOTAL_ORDERS": Counted(1, 10)}
    item = dynamodb.get_item(TableName=NAMES.menu, Key={"item": {"S": "Latte"}})["Item"]
    assert item == {
        "item": {"S": "Latte"},
        "price": {"N": "5.50"},
        "orders": {"N": "2"},
        "version": {"N": "10"},
    }


# While DynamoDB is unavailable.


def test_while_dynamodb_is_unavailable_no_further_call_begins(
    projection: Projection, watched: Watched
) -> None:
    watched.fail = lambda operation, request: "ThrottlingException"
    counted = {item_name(str(number)): Counted(1, 1) for number in range(500)}
    with pytest.raises(StoreUnavailableError, match="ThrottlingException"):
        projection.write(orders(500), counted)
    # Calls that were begun at the same time end; the other ones of the 40 are not begun.
    assert len(watched.calls) <= CONNECTIONS * ATTEMPTS


def test_after_an_outage_the_same_items_are_written(
    projection: Projection, watched: Watched, dynamodb: Any
) -> None:
    attempts = itertools.count()
    watched.fail = lambda operation, request: "AccessDeniedException" if next(attempts) == 1 else None
    counted = {"TOTAL_ORDERS": Counted(60, 1), ITEM: Counted(120, 1)}
    with pytest.raises(StoreUnavailableError):
        projection.write(orders(60), counted)
    assert projection.write(orders(60), counted) == Written()
    assert len(items(dynamodb)) == 60
    assert projection.read(counted) == counted
