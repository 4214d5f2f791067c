"""ReconcileOrders on the whole system: comparison, repair, dead letters."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from tests.end_to_end.operations import NewId, reconcile
from tests.system import System
from tests.waiting import eventually


def insert(cafe: System, order_id: str, item: str) -> None:
    """Insert an order as a worker does that is killed between the two stores."""
    cafe.rows("INSERT INTO orders (order_id, item, quantity) VALUES (%s, %s, 3)", order_id, item)


def test_a_row_of_another_program_is_counted_and_projected(cafe: System, new_id: NewId) -> None:
    order_id, item, before = new_id(), new_id(), cafe.total()
    insert(cafe, order_id, item)
    eventually(lambda: reconcile(cafe) and cafe.is_recorded(order_id) and cafe.ordered(item))
    assert cafe.ordered(item) == 3
    assert cafe.total() == before + 1
    assert reconcile(cafe)["drift"] == 0
    sync = eventually(lambda: found if (found := cafe.status()["sync"])["in_sync"] else None)
    assert sync["rds_orders"]["count"] == sync["dynamodb_orders"] == before + 1


def test_an_order_missing_in_dynamodb_is_written_again(cafe: System, new_id: NewId) -> None:
    order_id = new_id()
    cafe.publish(json.dumps({"orderId": order_id, "item": "Tea", "quantity": 1}))
    eventually(lambda: cafe.is_recorded(order_id))
    cafe.dynamodb.delete_item(TableName=cafe.outputs["orders_table"], Key={"orderId": {"S": order_id}})
    eventually(lambda: reconcile(cafe) and cafe.is_recorded(order_id))


def test_valid_orders_in_the_dead_letter_queue_are_recorded(cafe: System, new_id: NewId) -> None:
    order_id, dead_letters = new_id(), cafe.outputs["dead_letter_queue_url"]
    poison = f"poison {new_id()}"
    order = {"orderId": order_id, "item": "Tea", "quantity": 1}
    for body in (json.dumps(order), poison):
        cafe.sqs.send_message(QueueUrl=dead_letters, MessageBody=body)
    eventually(lambda: reconcile(cafe)["left"] and cafe.is_recorded(order_id))
    assert poison in eventually(lambda: bodies(cafe, dead_letters))
    assert not any(order_id in body for body in bodies(cafe, dead_letters))


def bodies(cafe: System, url: str) -> list[str]:
    """Return the bodies in a queue, leaving the messages visible."""
    messages = cafe.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [message["Body"] for message in messages.get("Messages", [])]


def test_a_counter_changed_in_dynamodb_is_drift_and_corrected(cafe: System) -> None:
    total = cafe.total()
    cafe.dynamodb.update_item(
        TableName=cafe.outputs["metrics_table"],
        Key={"metric": {"S": "TOTAL_ORDERS"}},
        UpdateExpression="ADD #count :wrong",
        ExpressionAttributeNames={"#count": "count"},
        ExpressionAttributeValues={":wrong": {"N": "5"}},
    )
    assert reconcile(cafe)["drift"] == 5
    assert cafe.status()["sync"]["in_sync"] is False
    assert cafe.total() == total
    assert reconcile(cafe)["drift"] == 0


def test_an_audit_corrects_counters_by_the_rows(cafe: System, new_id: NewId) -> None:
    order_id, item = new_id(), new_id()
    insert(cafe, order_id, item)
    eventually(lambda: reconcile(cafe) and cafe.is_recorded(order_id))
    cafe.rows("UPDATE counters SET value = value + 5 WHERE name = %s", f"ITEM#{item}")
    audited = reconcile(cafe, command="full")
    assert audited["corrected"]["menu"] == {item: -5}
    assert cafe.ordered(item) == 3


def test_orders_of_a_period_are_read_for_a_replay(cafe: System) -> None:
    order_id = cafe.post({"item": "Tea", "quantity": 2, "table": 7}).json()["orderId"]
    eventually(lambda: cafe.is_recorded(order_id))
    end = datetime.now(UTC) + timedelta(minutes=1)
    period = {"from": (end - timedelta(minutes=10)).isoformat(), "to": end.isoformat(), "limit": 50}
    found, after = [], 0
    while after is not None:
        page = reconcile(cafe, command="read", after=after, **period)
        found += [json.loads(order) for order in page["orders"]]
        after = page["next"]
    (order,) = [order for order in found if order["orderId"] == order_id]
    assert (order["item"], order["quantity"], order["table"]) == ("Tea", 2, 7)
