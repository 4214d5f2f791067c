"""Failures of the whole system: an outage, a missing permission, a repeated deploy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import clients
from tests import openapi
from tests.end_to_end.operations import NewId, Operator, database_outage, reconcile, wait_for_log
from tests.system import System
from tests.waiting import eventually


def test_a_database_outage_degrades_the_status_and_loses_no_order(cafe: System, new_id: NewId) -> None:
    order_id = new_id()
    order = {"orderId": order_id, "item": "Tea", "quantity": 1}
    with database_outage(cafe):
        status = eventually(lambda: found if (found := cafe.status())["degraded"] == ["rds"] else None)
        assert status["recent_orders"] == []
        assert status["metrics"][0]["count"] == cafe.total()
        with cafe.quick_redelivery():
            cafe.publish(json.dumps(order))
            wait_for_log(cafe, order, "Order not processed")
            assert cafe.item("orders_table", orderId=order_id) is None
    eventually(lambda: cafe.is_recorded(order_id) or redrive(cafe, order_id))
    assert eventually(lambda: not cafe.status()["degraded"])


def test_orders_dead_lettered_by_an_outage_are_counted_apart_from_malformed_ones_and_recovered(
    cafe: System, new_id: NewId, operator: Operator
) -> None:
    order_id, dead_letters = new_id(), cafe.outputs["dead_letter_queue_url"]
    cafe.send(f"poison {order_id}")
    with database_outage(cafe), cafe.quick_redelivery():
        cafe.send(json.dumps({"orderId": order_id, "item": "Tea", "quantity": 1}))
        eventually(lambda: cafe.depth() == 0)
        found = eventually(lambda: (report := reconcile(cafe))["waiting"] and report)
        assert found["rejected"] >= 1
        assert found["left"] == found["waiting"] + found["rejected"]
        assert found["waiting_reason"].startswith("MySQL error")
        split = cafe.status()["sync"]["dead_letters"]
        assert split["waiting"] >= 1
        assert split["rejected"] >= 1
        stopped = eventually(lambda: found if (found := trace(operator, order_id))["dead_letters"] else None)
        assert stopped["sentence"].startswith(
            "It stopped in OrderDLQ. The order could not be recorded: MySQL"
        )
        assert "MySQL" in stopped["unchecked"]
    eventually(lambda: reconcile(cafe)["waiting"] == 0 and cafe.is_recorded(order_id))
    assert trace(operator, order_id)["outcome"] == "shown"
    purge(cafe, dead_letters, f"poison {order_id}")


def trace(operator: Operator, order_id: str) -> dict[str, Any]:
    """Return the path of an order."""
    found: dict[str, Any] = json.loads(operator("trace", order_id, "--json").stdout)
    return found


def purge(cafe: System, url: str, body: str) -> None:
    """Delete the message with this body."""

    def deleted() -> bool:
        for message in cafe.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1
        ).get("Messages", []):
            if message["Body"] == body:
                cafe.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                return True
        return False

    eventually(deleted)


@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_without_one_source_the_status_has_the_data_of_the_others(cafe: System, service: str) -> None:
    order_id = cafe.post({"item": "Tea", "quantity": 1}).json()["orderId"]
    eventually(lambda: cafe.is_recorded(order_id))
    with unreachable(cafe, service):
        status = eventually(lambda: (found := cafe.status())["degraded"] and found)
    openapi.check_schema(status, openapi.read()["components"]["schemas"]["OrderStatus"], closed=True)
    known = {
        "rds": status["recent_orders"][0]["order_id"] == order_id,
        "dynamodb": status["metrics"][0]["count"] == cafe.total(),
        "sqs": status["sync"]["waiting"] is not None,
    }
    assert [source for source, is_known in known.items() if not is_known] == status["degraded"] == [service]
    assert eventually(lambda: not cafe.status()["degraded"])


@contextmanager
def unreachable(cafe: System, service: str) -> Iterator[None]:
    """Point `GetOrderStatus` to a closed port in place of a service."""
    functions = cafe.stack.client("lambda")
    name = function(functions, "GetOrderStatus")
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def put(variables: dict[str, str]) -> None:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

    with replaced(put, {**before, f"AWS_ENDPOINT_URL_{service.upper()}": "http://127.0.0.1:1"}, before):
        yield


def redrive(cafe: System, order_id: str) -> bool:
    """Return an order from the dead-letter queue, as an operator would; always return False."""
    url = cafe.outputs["dead_letter_queue_url"]
    for message in cafe.sqs.receive_message(QueueUrl=url).get("Messages", []):
        if order_id in message["Body"]:
            cafe.send(message["Body"])
            cafe.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return False


def test_a_function_without_a_permission_fails_and_returns_no_details(cafe: System) -> None:
    iam, functions = cafe.stack.client("iam"), cafe.stack.client("lambda")
    role = next(r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].startswith("PlaceOrder"))
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    without = {
        **document,
        "Statement": [s for s in document["Statement"] if "sns:Publish" not in s["Action"]],
    }

    def put(policy: Any) -> None:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))

    with replaced(put, without, document):
        refresh(functions)
        response = cafe.post({"item": "Tea", "quantity": 1})
    refresh(functions)
    assert response.status_code == 503
    assert response.json() == {"message": "Ordering is temporarily unavailable; please send the order again."}
    assert cafe.post({"item": "Tea", "quantity": 1}).status_code == 202


@contextmanager
def replaced(put: Callable[[Any], Any], value: Any, before: Any) -> Iterator[None]:
    put(value)
    try:
        yield
    finally:
        put(before)


def refresh(functions: Any) -> None:
    """Restart PlaceOrder with new credentials."""
    functions.update_function_configuration(
        FunctionName=function(functions, "PlaceOrder"), Description="fresh"
    )


def function(functions: Any, kind: str) -> str:
    """Return the name of a function in this stack."""
    names: list[str] = [found["FunctionName"] for found in functions.list_functions()["Functions"]]
    return next(name for name in names if kind in name)


def test_a_repeated_deploy_keeps_counters(cafe: System, new_id: NewId) -> None:
    item = new_id()
    order_id = cafe.post({"item": item, "quantity": 4}).json()["orderId"]
    eventually(lambda: cafe.is_recorded(order_id) and cafe.ordered(item))
    before = cafe.total()
    assert migrate(cafe, {item: "9.75"}) == {"applied": [], "menu": [item]}
    assert cafe.total() == before
    assert cafe.ordered(item) == 4
    assert (cafe.item("menu_table", item=item) or {})["price"] == "9.75"


def migrate(cafe: System, menu: dict[str, str]) -> Any:
    functions = cafe.stack.client("lambda")
    name = function(functions, "MigrateDatabase")
    response = functions.invoke(FunctionName=name, Payload=json.dumps({"menu": menu}))
    assert "FunctionError" not in response
    return json.loads(response["Payload"].read())


def test_the_worker_logs_an_order_without_the_customers_name(cafe: System, new_id: NewId) -> None:
    order_id, customer = new_id(), new_id()
    order = {"orderId": order_id, "item": "Tea", "quantity": 1, "customer_name": customer}
    cafe.publish(json.dumps(order))
    wait_for_log(cafe, order, "Order processed successfully")
    events = cafe.stack.client("logs").filter_log_events(logGroupName=cafe.outputs["worker_log_group"])[
        "events"
    ]
    assert not any(customer in event["message"] for event in events)


@pytest.mark.parametrize("key", ["wrong", "AKIAUNKNOWN"])
def test_publishing_requires_valid_credentials(cafe: System, key: str) -> None:
    stranger = clients.session(cafe.stack.region, access_key=key, secret_key="wrong").client(
        "sns", endpoint_url=cafe.stack.endpoint
    )
    with pytest.raises(ClientError, match=r"InvalidClientTokenId|AccessDenied|InvalidAccessKeyId"):
        stranger.publish(TopicArn=cafe.outputs["topic_arn"], Message="{}")
