"""Orders and counters in DynamoDB: counted once, whatever a transaction runs into."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

import stores.dynamodb.tables
from orders.errors import OrderRefusedError, StoreUnavailableError
from orders.order import Order
from stores.dynamodb.tables import OrdersTables
from tests.stores import NAMES

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


def orders(*ids: str, item: str = "Latte", quantity: int = 2, **attributes: Any) -> list[Order]:
    return [Order(order_id, NOW, item, quantity, "Ann", attributes) for order_id in ids]


def counter(dynamodb: Any, table: str, key: str, value: str, attribute: str) -> int:
    item = dynamodb.get_item(TableName=table, Key={key: {"S": value}}).get("Item", {})
    return int(item.get(attribute, {"N": "-1"})["N"])


def total(dynamodb: Any) -> int:
    return counter(dynamodb, "CafeOrderMetrics", "metric", "TOTAL_ORDERS", "count")


def refusal(code: str, *reasons: str) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": ""},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(response, "TransactWriteItems")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores.dynamodb.tables, "LONGEST_PAUSE", 0.0)


class Faulty:
    """DynamoDB, after some errors."""

    def __init__(self, client: Any, *errors: Exception, write_first: bool = False) -> None:
        self.client = client
        self.errors = list(errors)
        self.write_first = write_first
        self.calls = 0

    def transact_write_items(self, **request: Any) -> None:
        self.calls += 1
        if self.errors:
            if self.write_first:
                self.client.transact_write_items(**request)
            raise self.errors.pop(0)
        self.client.transact_write_items(**request)


@pytest.fixture
def faulty(dynamodb: Any) -> Callable[..., tuple[OrdersTables, Faulty]]:
    def make(*errors: Exception, write_first: bool = False) -> tuple[OrdersTables, Faulty]:
        client = Faulty(dynamodb, *errors, write_first=write_first)
        return OrdersTables(NAMES, ZoneInfo("UTC"), client), client

    return make


def test_an_order_is_kept_and_every_counter_grows(tables: OrdersTables, dynamodb: Any) -> None:
    tables.count(orders("o1", "o2", table_number=4, tip=Decimal("0.5")))
    assert total(dynamodb) == 2
    assert counter(dynamodb, "CafeMenu", "item", "Latte", "orders") == 4
    assert tables.metrics(["ORDERS#2026-11-23", "ORDERS#2026-11-23T00", "ORDERS#2026-11-22"]) == {
        "ORDERS#2026-11-23": 2,
        "ORDERS#2026-11-23T00": 2,
        "ORDERS#2026-11-22": 0,
    }
    assert dynamodb.get_item(TableName="Orders", Key={"orderId": {"S": "o1"}})["Item"] == {
        "orderId": {"S": "o1"},
        "item": {"S": "Latte"},
        "quantity": {"N": "2"},
        "customer_name": {"S": "Ann"},
        "created_at": {"S": "2026-11-22T23:30:00.000+00:00"},
        "table_number": {"N": "4"},
        "tip": {"N": "0.5"},
    }


def test_an_hours_counter_expires(tables: OrdersTables, dynamodb: Any) -> None:
    tables.count(orders("o1"))
    key = {"metric": {"S": "ORDERS#2026-11-23T00"}}
    item = dynamodb.get_item(TableName="CafeOrderMetrics", Key=key)["Item"]
    assert datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC) == datetime(2026, 12, 6, 23, tzinfo=UTC)


def test_orders_that_are_counted_already_are_left_out(tables: OrdersTables, dynamodb: Any) -> None:
    tables.count(orders("o1", "o2"))
    tables.count(orders("o2", "o3"))
    tables.count(orders("o1", "o2", "o3"))
    assert total(dynamodb) == 3
    assert counter(dynamodb, "CafeMenu", "item", "Latte", "orders") == 6


@pytest.mark.parametrize("fields", [{"item": "Mocha"}, {"quantity": 9}])
def test_the_first_of_two_orders_of_one_name_stands(
    tables: OrdersTables, dynamodb: Any, fields: dict[str, Any]
) -> None:
    tables.count(orders("o1"))
    tables.count(orders("o1", **fields))
    assert counter(dynamodb, "CafeMenu", "item", "Latte", "orders") == 2
    assert counter(dynamodb, "CafeMenu", "item", "Mocha", "orders") == -1


@pytest.mark.parametrize(
    "error",
    [
        refusal("TransactionCanceledException", "None", "TransactionConflict"),
        refusal("TransactionCanceledException", "ThrottlingError", "ProvisionedThroughputExceeded"),
        refusal("ProvisionedThroughputExceededException"),
        refusal("TransactionInProgressException"),
        refusal("ThrottlingException"),
    ],
)
def test_what_passes_is_tried_again(faulty: Any, dynamodb: Any, error: ClientError) -> None:
    store, client = faulty(error, error)
    store.count(orders("o1"))
    assert (total(dynamodb), client.calls) == (1, 3)


def test_a_conflict_that_does_not_end_is_reported(faulty: Any, dynamodb: Any) -> None:
    store, _ = faulty(*[refusal("TransactionCanceledException", "TransactionConflict")] * 99)
    with pytest.raises(StoreUnavailableError, match="TransactionConflict"):
        store.count(orders("o1"))
    assert total(dynamodb) == -1


def test_throttling_that_does_not_end_leaves_a_worker_of_the_shortest_timeout_time_to_say_so() -> None:
    config: Any = stores.dynamodb.tables.QUICK
    # At the longest: boto3 waits a second before its second attempt, two before its third.
    boto3s = sum(2**retry for retry in range(config.retries["total_max_attempts"] - 1))
    ours = sum(min(1.0, 0.02 * 2**attempt) for attempt in range(stores.dynamodb.tables.ATTEMPTS))
    assert stores.dynamodb.tables.ATTEMPTS * boto3s + ours < 15  # seconds


def test_an_answer_that_got_lost_does_not_count_twice(faulty: Any, dynamodb: Any) -> None:
    store, _ = faulty(ReadTimeoutError(endpoint_url="http://dynamodb"), write_first=True)
    with pytest.raises(StoreUnavailableError):
        store.count(orders("o1"))
    store.count(orders("o1"))
    assert total(dynamodb) == 1


def test_what_dynamodb_cannot_hold_is_refused(faulty: Any) -> None:
    store, _ = faulty(refusal("ValidationException"))
    with pytest.raises(OrderRefusedError):
        store.count(orders("o1"))


def test_a_missing_permission_is_reported_at_once(faulty: Any) -> None:
    store, client = faulty(refusal("AccessDeniedException"))
    with pytest.raises(StoreUnavailableError, match="AccessDeniedException"):
        store.count(orders("o1"))
    assert client.calls == 1


def test_setting_up_puts_the_menu_in_and_no_counter_back(tables: OrdersTables, dynamodb: Any) -> None:
    tables.set_up({"Latte": Decimal(5)})
    assert total(dynamodb) == 0
    tables.count(orders("o1"))
    tables.set_up({"Latte": Decimal("5.50")})
    assert total(dynamodb) == 1
    item = dynamodb.get_item(TableName="CafeMenu", Key={"item": {"S": "Latte"}})["Item"]
    assert item == {"item": {"S": "Latte"}, "price": {"N": "5.50"}, "orders": {"N": "2"}}


def test_counters_are_read_in_one_call(tables: OrdersTables, dynamodb: Any) -> None:
    calls: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    tables.metrics(["TOTAL_ORDERS", *(f"ORDERS#2026-11-22T{hour:02}" for hour in range(24))])
    assert calls == ["BatchGetItem"]


def test_keys_that_dynamodb_left_over_are_asked_for_again() -> None:
    class Throttled:
        answers = iter(
            [
                {"Responses": {}, "UnprocessedKeys": {"CafeOrderMetrics": {"Keys": []}}},
                {"Responses": {"CafeOrderMetrics": [{"metric": {"S": "A"}, "count": {"N": "3"}}]}},
            ]
        )

        def batch_get_item(self, **_: Any) -> Any:
            return next(self.answers)

    assert OrdersTables(NAMES, ZoneInfo("UTC"), Throttled()).metrics(["A"]) == {"A": 3}
