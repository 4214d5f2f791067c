"""A bad day: a database that is away, a permission that is missing, a deploy that is repeated."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest
from botocore.exceptions import ClientError
from pymysql.constants import ER
from pymysql.cursors import Cursor

from local import clients
from tests import openapi
from tests.cafe import Cafe
from tests.end_to_end.test_reconciler import reconcile
from tests.waiting import eventually

NewId = Callable[[], str]


def master(cafe: Cafe) -> dict[str, str]:
    """Read the master user's login from the secret that RDS made."""
    secrets = cafe.stack.client("secretsmanager")
    names = [
        secret["Name"] for secret in secrets.list_secrets()["SecretList"] if secret["Name"].startswith("rds!")
    ]
    assert len(names) == 1
    login: dict[str, str] = json.loads(secrets.get_secret_value(SecretId=names[0])["SecretString"])
    return login


def cut_connections(cursor: Cursor, *users: str) -> None:
    """End all sessions of some users of the database."""
    cursor.execute("SELECT id FROM information_schema.processlist WHERE user IN %s", (users,))
    for (connection,) in cursor.fetchall():
        try:
            cursor.execute(f"KILL {connection}")
        except pymysql.OperationalError as error:
            if error.args[0] != ER.NO_SUCH_THREAD:  # it has ended by itself
                raise


@contextmanager
def database_away(cafe: Cafe) -> Iterator[None]:
    """Lock the functions' users out and cut their connections."""
    login = master(cafe)
    users = "cafe_user@'%', cafe_status@'%'"
    try:
        with cafe.database(login["username"], login["password"]) as cursor:
            cursor.execute(f"ALTER USER {users} ACCOUNT LOCK")
            cut_connections(cursor, "cafe_user", "cafe_status")
        yield
    finally:
        with cafe.database(login["username"], login["password"]) as cursor:
            cursor.execute(f"ALTER USER {users} ACCOUNT UNLOCK")


def test_while_the_database_is_away_the_status_says_so_and_no_order_is_lost(
    cafe: Cafe, new_id: NewId
) -> None:
    order_id = new_id()
    order = {"orderId": order_id, "item": "Tea", "quantity": 1}
    with database_away(cafe):
        status = eventually(lambda: found if (found := cafe.status())["degraded"] == ["rds"] else None)
        assert status["recent_orders"] == []
        assert status["metrics"][0]["count"] == cafe.total()
        with cafe.quick_redelivery():
            cafe.publish(json.dumps(order))
            wait_for_line(cafe, order, "Order not processed")
            assert cafe.item("orders_table", orderId=order_id) is None
    eventually(lambda: cafe.is_recorded(order_id) or redrive(cafe, order_id))
    assert eventually(lambda: not cafe.status()["degraded"])


def test_orders_that_wait_in_the_dead_letter_queue_are_told_from_poison_and_need_nobody(
    cafe: Cafe, new_id: NewId
) -> None:
    order_id, dead_letters = new_id(), cafe.outputs["dead_letter_queue_url"]
    cafe.send(f"poison {order_id}")
    with database_away(cafe), cafe.quick_redelivery():
        cafe.send(json.dumps({"orderId": order_id, "item": "Tea", "quantity": 1}))
        eventually(lambda: cafe.depth() == 0)
        found = eventually(lambda: (told := reconcile(cafe))["waiting"] and told)
        assert found["rejected"] >= 1
        assert found["left"] == found["waiting"] + found["rejected"]
        assert found["waiting_reason"].startswith("MySQL error")
        split = cafe.status()["sync"]["dead_letters"]
        assert split["waiting"] >= 1
        assert split["rejected"] >= 1
    eventually(lambda: reconcile(cafe)["waiting"] == 0 and cafe.is_recorded(order_id))
    purge(cafe, dead_letters, f"poison {order_id}")


def purge(cafe: Cafe, url: str, body: str) -> None:
    """Delete the one message of a body."""

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
def test_while_another_source_is_away_the_status_tells_what_the_others_know(cafe: Cafe, service: str) -> None:
    order_id = cafe.post({"item": "Tea", "quantity": 1}).json()["orderId"]
    eventually(lambda: cafe.is_recorded(order_id))
    with unreachable(cafe, service):
        answer = eventually(lambda: (found := cafe.status())["degraded"] and found)
    openapi.check_schema(answer, openapi.read()["components"]["schemas"]["OrderStatus"], closed=True)
    known = {
        "rds": answer["recent_orders"][0]["order_id"] == order_id,
        "dynamodb": answer["metrics"][0]["count"] == cafe.total(),
        "sqs": answer["sync"]["waiting"] is not None,
    }
    assert [source for source, is_known in known.items() if not is_known] == answer["degraded"] == [service]
    assert eventually(lambda: not cafe.status()["degraded"])


@contextmanager
def unreachable(cafe: Cafe, service: str) -> Iterator[None]:
    """Send what `GetOrderStatus` asks a service to a port at which nobody listens."""
    functions = cafe.stack.client("lambda")
    name = function(functions, "GetOrderStatus")
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def put(variables: dict[str, str]) -> None:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

    with replaced(put, {**before, f"AWS_ENDPOINT_URL_{service.upper()}": "http://127.0.0.1:1"}, before):
        yield


def redrive(cafe: Cafe, order_id: str) -> bool:
    """Put an order back that was away for longer than three receives, as an operator would; False for now."""
    url = cafe.outputs["dead_letter_queue_url"]
    for message in cafe.sqs.receive_message(QueueUrl=url).get("Messages", []):
        if order_id in message["Body"]:
            cafe.send(message["Body"])
            cafe.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return False


def logged(cafe: Cafe, order_id: str, message: str) -> bool:
    events = cafe.stack.client("logs").filter_log_events(
        logGroupName=cafe.outputs["worker_log_group"], filterPattern=f'"{order_id}"'
    )["events"]
    return any(message in event["message"] for event in events)


def wait_for_line(cafe: Cafe, order: dict[str, Any], message: str) -> None:
    """Wait for a line of the worker's about an order.

    On a busy machine MiniStack passes a line on only with the worker's next call: the same order is sent
    again, which counts nothing.
    """
    looks = itertools.count(1)

    def is_there() -> bool:
        if next(looks) % 20 == 0:
            cafe.publish(json.dumps(order))
        return logged(cafe, order["orderId"], message)

    eventually(is_there)


def test_a_function_without_a_permission_is_refused_and_tells_the_client_nothing(cafe: Cafe) -> None:
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
        answer = cafe.post({"item": "Tea", "quantity": 1})
    refresh(functions)
    assert answer.status_code == 503
    assert answer.json() == {"message": "The order could not be taken just now; please send it again."}
    assert cafe.post({"item": "Tea", "quantity": 1}).status_code == 202


@contextmanager
def replaced(put: Callable[[Any], Any], value: Any, before: Any) -> Iterator[None]:
    put(value)
    try:
        yield
    finally:
        put(before)


def refresh(functions: Any) -> None:
    """Start PlaceOrder anew, with fresh credentials."""
    functions.update_function_configuration(
        FunctionName=function(functions, "PlaceOrder"), Description="fresh"
    )


def function(functions: Any, kind: str) -> str:
    """Find the name that a function has in this stack."""
    names: list[str] = [found["FunctionName"] for found in functions.list_functions()["Functions"]]
    return next(name for name in names if kind in name)


def test_a_repeated_deploy_sets_no_counter_back(cafe: Cafe, new_id: NewId) -> None:
    item = new_id()
    order_id = cafe.post({"item": item, "quantity": 4}).json()["orderId"]
    eventually(lambda: cafe.is_recorded(order_id) and cafe.ordered(item))
    before = cafe.total()
    assert migrate(cafe, {item: "9.75"}) == {"applied": [], "menu": [item]}
    assert cafe.total() == before
    assert cafe.ordered(item) == 4
    assert (cafe.item("menu_table", item=item) or {})["price"] == "9.75"


def migrate(cafe: Cafe, menu: dict[str, str]) -> Any:
    functions = cafe.stack.client("lambda")
    name = function(functions, "MigrateDatabase")
    answer = functions.invoke(FunctionName=name, Payload=json.dumps({"menu": menu}))
    assert "FunctionError" not in answer
    return json.loads(answer["Payload"].read())


def test_the_worker_logs_what_it_did_without_the_customers_name(cafe: Cafe, new_id: NewId) -> None:
    order_id, customer = new_id(), new_id()
    order = {"orderId": order_id, "item": "Tea", "quantity": 1, "customer_name": customer}
    cafe.publish(json.dumps(order))
    wait_for_line(cafe, order, "Order processed successfully")
    events = cafe.stack.client("logs").filter_log_events(logGroupName=cafe.outputs["worker_log_group"])[
        "events"
    ]
    assert not any(customer in event["message"] for event in events)


@pytest.mark.parametrize("key", ["wrong", "AKIAUNKNOWN"])
def test_strangers_may_not_publish(cafe: Cafe, key: str) -> None:
    stranger = clients.session(cafe.stack.region, access_key=key, secret_key="wrong").client(
        "sns", endpoint_url=cafe.stack.endpoint
    )
    with pytest.raises(ClientError):
        stranger.publish(TopicArn=cafe.outputs["topic_arn"], Message="{}")
