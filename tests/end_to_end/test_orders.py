"""Orders from each entrance to both stores, on the whole system."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests import openapi
from tests.end_to_end.operations import NewId
from tests.system import System
from tests.waiting import LIMIT, eventually


def test_an_order_by_http_reaches_both_stores_and_the_status(cafe: System) -> None:
    response = cafe.post({"item": "Latte", "quantity": 2, "customer_name": "Zoë", "table_number": 4})
    assert response.status_code == 202
    order_id = response.json()["orderId"]
    assert response.json()["message"] == "Order accepted"
    eventually(lambda: cafe.is_recorded(order_id))
    assert (cafe.item("orders_table", orderId=order_id) or {})["table_number"] == "4"

    def recent() -> dict[str, Any] | None:
        found = cafe.status()["recent_orders"]
        return next((order for order in found if order["order_id"] == order_id), None)

    order = eventually(recent)
    assert (order["customer_name"], order["quantity"]) == ("Zoë", 2)
    assert order["created_at"].endswith("Z")


def test_every_counter_grows_by_what_was_ordered(cafe: System, new_id: NewId) -> None:
    item = new_id()
    before = cafe.total()
    order_id = cafe.post({"item": item, "quantity": 7}).json()["orderId"]
    # A new counter is written a moment after the order.
    eventually(lambda: cafe.is_recorded(order_id) and cafe.ordered(item))
    assert cafe.ordered(item) == 7
    assert eventually(lambda: cafe.total() - before) == 1


def forms(order: dict[str, Any]) -> dict[str, str]:
    bare = json.dumps(order)
    return {
        "bare": bare,
        "twice": json.dumps(bare),
        "legacy": json.dumps(
            {
                "orderId": order["orderId"],
                "userId": "U123",
                "itemName": order["item"],
                "quantity": "1",
                "status": "new",
                "timestamp": "2025-05-03T12:00:00Z",
            }
        ),
    }


@pytest.mark.parametrize("form", ["bare", "twice", "legacy"])
@pytest.mark.parametrize("entrance", ["publish", "send"])
def test_every_form_is_recorded_from_topic_and_queue(
    cafe: System, new_id: NewId, form: str, entrance: str
) -> None:
    order_id = new_id()
    message = forms({"orderId": order_id, "item": "Tea", "quantity": 1})[form]
    getattr(cafe, entrance)(message)
    eventually(lambda: cafe.is_recorded(order_id))


def test_a_message_of_the_earlier_system_is_an_order(cafe: System) -> None:
    order_id = cafe.send('{"customer_name": "ApiTestUser", "item": "Latte", "quantity": 1}')
    eventually(lambda: cafe.is_recorded(order_id))


def test_duplicates_from_topic_and_queue_are_counted_once(cafe: System, new_id: NewId) -> None:
    order_id, item, before = new_id(), new_id(), cafe.total()
    message = json.dumps({"orderId": order_id, "item": item, "quantity": 3})
    for _ in range(5):
        cafe.publish(message)
        cafe.send(message)
    last = cafe.post({"item": "Tea", "quantity": 1}).json()["orderId"]
    eventually(lambda: cafe.is_recorded(order_id) and cafe.is_recorded(last) and cafe.depth() == 0)
    assert cafe.ordered(item) == 3
    assert cafe.total() == before + 2


def test_a_repeated_request_is_one_order(cafe: System, new_id: NewId) -> None:
    key, item = new_id(), new_id()
    order = {"item": item, "quantity": 2}
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda _: cafe.post(order, **{"Idempotency-Key": key}), range(4)))
    assert len({response.json()["orderId"] for response in responses}) == 1
    eventually(lambda: cafe.ordered(item) and cafe.depth() == 0)
    assert cafe.ordered(item) == 2


def test_the_api_gives_an_order_its_id(cafe: System, new_id: NewId) -> None:
    order = {"orderId": new_id(), "item": "Tea", "quantity": 1}
    response = cafe.post(order)
    assert (response.status_code, list(response.json()["errors"])) == (400, ["orderId"])
    assert "Idempotency-Key" in response.json()["message"]


def test_a_key_with_another_order_is_refused_and_after_24_hours_it_is_a_new_order(
    cafe: System, new_id: NewId
) -> None:
    key, item = {"Idempotency-Key": new_id()}, new_id()
    first = cafe.post({"item": item, "quantity": 2}, **key)
    refused = cafe.post({"item": item, "quantity": 3}, **key)
    openapi.check("post", "/orders", refused.status_code, refused.headers, refused.text)
    assert (first.status_code, refused.status_code) == (202, 422)

    # A day later: DynamoDB deletes expired items late.
    tables = cafe.dynamodb.list_tables()["TableNames"]
    (table,) = (name for name in tables if name.startswith("IdempotencyKeys"))
    cafe.dynamodb.update_item(
        TableName=table,
        Key={"key": {"S": f"open {key['Idempotency-Key']}"}},
        ConditionExpression="orderId = :order",
        UpdateExpression="SET expires_at = expires_at - :day",
        ExpressionAttributeValues={":order": {"S": first.json()["orderId"]}, ":day": {"N": str(24 * 3600)}},
    )
    second = cafe.post({"item": item, "quantity": 3}, **key)
    assert second.status_code == 202
    eventually(lambda: cafe.ordered(item) == 5)


@pytest.mark.parametrize("key", ["x" * 256, "schlüssel".encode()])
def test_a_malformed_key_is_a_bad_request(cafe: System, key: Any) -> None:
    response = cafe.post({"item": "Tea", "quantity": 1}, **{"Idempotency-Key": key})
    openapi.check("post", "/orders", response.status_code, response.headers, response.text)
    assert (response.status_code, list(response.json()["errors"])) == (400, ["Idempotency-Key"])


def test_a_malformed_message_is_dead_lettered_at_once_and_its_neighbours_are_not_delayed(
    cafe: System, new_id: NewId
) -> None:
    queue, name = cafe.outputs["queue_url"], "VisibilityTimeout"
    setting = cafe.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name]
    assert 2 * int(setting) > LIMIT  # three receives with this timeout would take too long
    marker, good = new_id(), [new_id() for _ in range(4)]
    bodies = [json.dumps({"orderId": order_id, "item": "Tea", "quantity": 1}) for order_id in good]
    bodies.insert(2, f"poison {marker}")
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    cafe.sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    eventually(lambda: all(map(cafe.is_recorded, good)))
    received = eventually(lambda: _dead_letter(cafe, marker))
    # Three receives by the worker, this one, and perhaps the sweep's.
    assert int(received["Attributes"]["ApproximateReceiveCount"]) >= 4
    cafe.sqs.delete_message(
        QueueUrl=cafe.outputs["dead_letter_queue_url"], ReceiptHandle=received["ReceiptHandle"]
    )


def _dead_letter(cafe: System, marker: str) -> Any:
    messages = cafe.sqs.receive_message(
        QueueUrl=cafe.outputs["dead_letter_queue_url"],
        AttributeNames=["ApproximateReceiveCount"],
        MaxNumberOfMessages=10,
    ).get("Messages", [])
    return next((message for message in messages if marker in message["Body"]), None)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ("{}", {"item", "quantity"}),
        ('{"item": "", "quantity": 0}', {"item", "quantity"}),
        ('{"item": "Tea", "quantity": 1, "customer_name": 5}', {"customer_name"}),
        ('{"item": "Tea", "quantity": true}', {"quantity"}),
        ('{"item": "Tea", "quantity": 1, "orderId": "a b"}', {"orderId"}),
    ],
)
def test_a_bad_request_gets_a_message_per_field(cafe: System, body: str, errors: set[str]) -> None:
    response = cafe.post(text=body)
    assert response.status_code == 400
    assert set(response.json()["errors"]) == errors
    assert all(sentence.endswith(".") for sentence in response.json()["errors"].values())


@pytest.mark.parametrize("body", ["", "hello", "[]", "null", '"Latte"', "{", "\ufeff{}"])
def test_a_body_that_is_not_an_object_gets_a_message(cafe: System, body: str) -> None:
    response = cafe.post(text=body)
    assert response.status_code == 400
    assert "JSON object" in response.json()["message"]


def test_another_content_type_is_a_bad_request(cafe: System) -> None:
    response = cafe.post(text="item=Latte", **{"Content-Type": "application/x-www-form-urlencoded"})
    assert response.status_code == 400


def test_a_body_larger_than_any_order_is_refused(cafe: System) -> None:
    assert cafe.post({"item": "Tea", "quantity": 1, "note": "x" * 4096}).status_code == 413


@pytest.mark.parametrize("origin", ["page", "api"])
def test_an_order_may_be_compressed(cafe: System, origin: str, new_id: NewId) -> None:
    page = cafe.outputs["page_url"].removesuffix("/order-status")
    url = f"{page}/prod/orders" if origin == "page" else cafe.outputs["orders_url"]
    order = json.dumps({"item": new_id(), "quantity": 3}).encode()
    compressed = {"gzip": gzip.compress(order), "deflate": zlib.compress(order), "identity": order}

    def post(content: bytes, coding: str) -> httpx.Response:
        headers = {"Content-Type": "application/json", "Content-Encoding": coding}
        response = cafe.http.post(url, content=content, headers=headers)
        openapi.check("post", "/orders", response.status_code, response.headers, response.text)
        return response

    for coding, content in compressed.items():
        assert post(content, coding).status_code == 202
    assert post(order, "gzip").status_code == post(order, "br").status_code == 415
    assert post(gzip.compress(bytes(11 * 1024 * 1024)), "gzip").status_code == 413
    eventually(lambda: cafe.ordered(json.loads(order)["item"]) == 9)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/orders"), ("POST", "/order-status"), ("GET", "/admin")]
)
def test_other_methods_and_paths_are_not_found(cafe: System, method: str, path: str) -> None:
    response = cafe.http.request(method, cafe.outputs["api_url"] + path)
    assert response.status_code == 404
    assert response.json()["message"].endswith(".")


def test_many_orders_at_once_are_all_counted_once(cafe: System, new_id: NewId) -> None:
    item, before = new_id(), cafe.total()
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: cafe.post({"item": item, "quantity": 2}), range(60)))
    assert {response.status_code for response in responses} == {202}
    eventually(lambda: cafe.ordered(item) == 120)
    eventually(lambda: cafe.depth() == 0)
    assert cafe.total() == before + 60
    assert cafe.rows("SELECT COUNT(*), SUM(quantity) FROM orders WHERE item = %s", item) == [(60, 120)]


def test_rows_items_and_counters_agree(cafe: System) -> None:
    eventually(lambda: cafe.depth() == 0)
    ((rows, distinct),) = cafe.rows("SELECT COUNT(*), COUNT(DISTINCT order_id) FROM orders")
    orders = cafe.dynamodb.scan(TableName=cafe.outputs["orders_table"], Select="COUNT")["Count"]
    assert rows == distinct == orders == cafe.total()
    days = [
        int(item["count"]["N"])
        for item in cafe.dynamodb.scan(TableName=cafe.outputs["metrics_table"])["Items"]
        if item["metric"]["S"].startswith("ORDERS#") and "T" not in item["metric"]["S"]
    ]
    assert sum(days) == rows
    menu = {
        item["item"]["S"]: int(item["orders"]["N"])
        for item in cafe.dynamodb.scan(TableName=cafe.outputs["menu_table"])["Items"]
    }
    ordered = dict(cafe.rows("SELECT item, SUM(quantity) FROM orders GROUP BY item"))
    assert {item: number for item, number in menu.items() if number} == ordered


def test_a_new_menu_has_the_default_items_and_prices(cafe: System) -> None:
    prices = {
        item: (cafe.item("menu_table", item=item) or {})["price"] for item in ("Coffee", "Latte", "Tea")
    }
    assert prices == {"Coffee": "3", "Latte": "5", "Tea": "2"}


def test_a_base64_body_is_validated(cafe: System) -> None:
    assert cafe.post(text=base64.b64encode(b'{"item": "Tea", "quantity": 1}').decode()).status_code == 400


def test_numbers_are_exact_in_both_stores(cafe: System) -> None:
    numbers = ["0.1234567890123456712345678901", "3.4028235e38", "1E-130", "1.10", "9" * 38 + "e88"]

    response = cafe.post(text=f'{{"item": "Tea", "quantity": 1.0, "n": [{", ".join(numbers)}]}}')

    order_id = response.json()["orderId"]
    eventually(lambda: cafe.is_recorded(order_id))
    ((attributes,),) = cafe.rows("SELECT attributes FROM orders WHERE order_id = %s", order_id)
    item = cafe.item("orders_table", orderId=order_id)
    assert item is not None
    exact = [Decimal(number) for number in numbers]
    assert json.loads(attributes, parse_float=Decimal)["n"] == exact
    assert [Decimal(number["N"]) for number in item["n"]] == exact


def test_a_number_that_cannot_be_stored_is_refused_with_its_path(cafe: System) -> None:
    response = cafe.post(text='{"item": "Tea", "quantity": 1, "n": {"deep": [1e999999999]}}')

    assert (response.status_code, list(response.json()["errors"])) == (400, ["n"])
    assert response.json()["message"].startswith(
        "n.deep[0] must be a number of at most 38 significant digits"
    )
