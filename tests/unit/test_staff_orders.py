"""`GET` and `PATCH /orders/{id}`: staff move orders, with any request and any failure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor

import staff_orders
from orders import change
from orders.order import Order
from orders.states import Role
from stores.mysql.changes import OrderChanges
from stores.mysql.connection import MySql
from tests.dynamodb import NAMES
from tests.unit.api import Api
from tests.unit.both_stores import BothStores, orders


def item(both: BothStores, order_id: str = "o1") -> dict[str, Any]:
    found = both.dynamodb.get_item(TableName=NAMES.orders, Key={"orderId": {"S": order_id}})["Item"]
    return {name: next(iter(value.values())) for name, value in found.items()}


def events(both: BothStores) -> list[tuple[str, str]]:
    return both.sql("SELECT from_state, to_state FROM order_events ORDER BY order_row, version")


@pytest.fixture
def api(api: Api) -> Api:
    """The API, with an order."""
    api.both.record(orders(1, customer_name="Ann Lee", attributes={"table_number": 4}))
    return api


def test_an_order_is_moved_in_both_stores(api: Api) -> None:
    first = api.order("o1")
    assert first.tag == '"1"'
    assert first.body == {
        "order_id": "o1",
        "number": "A01",
        "state": "received",
        "version": 1,
        "state_at": first.body["created_at"],
        "created_at": first.body["created_at"],
        "ready_at": None,
        "recall_to": None,
        "customer_name": "Ann Lee",
        "item": "Latte",
        "quantity": 2,
        "attributes": {"table_number": 4},
        "reason": None,
        "history": [],
    }
    moved = api.move("o1", "ready", 1)
    assert (moved.status, moved.body["state"], moved.tag) == (200, "ready", f'"{moved.body["version"]}"')
    assert moved.body["ready_at"] == moved.body["state_at"] > first.body["created_at"]
    again = api.order("o1")
    event = {
        "version": moved.body["version"],
        "from": "received",
        "to": "ready",
        "actor": "ada",
        "reason": None,
    }
    assert again.body == {**moved.body, "history": [{**event, "at": moved.body["state_at"]}]}
    projected = item(api.both)
    assert (projected["order_state"], projected["state_version"]) == ("ready", str(moved.body["version"]))
    assert (projected["pickup_number"], projected["table_number"]) == ("A01", "4")


def test_another_target_with_an_old_version_is_refused_and_returns_the_order(api: Api) -> None:
    current = api.move("o1", "preparing", 1).body
    late = api.move("o1", "collected", 1)
    assert (late.status, late.body["order"]) == (412, current)
    assert events(api.both) == [("received", "preparing")]


def test_an_order_already_in_the_target_state_is_returned_unchanged_for_any_version(api: Api) -> None:
    current = api.move("o1", "preparing", 1).body
    for version in (1, current["version"], 9_999_999_999_999_999):
        again = api.move("o1", "preparing", version)
        assert (again.status, again.body) == (200, current)
    assert len(events(api.both)) == 1


def test_the_same_key_gets_the_first_response_again_and_another_change_is_refused(api: Api) -> None:
    first = api.move("o1", "ready", 1, key="k1")
    api.move("o1", "collected")
    assert api.move("o1", "ready", 1, key="k1").body == first.body
    assert api.move("o1", "cancelled", 1, key="k1", reason="other").status == 422
    assert len(events(api.both)) == 2
    assert item(api.both)["order_state"] == "collected", "an older version never replaces a newer one"
    # Another order's key is another key.
    api.both.record(orders(2))
    assert api.move("o2", "ready", 1, key="k1").status == 200


def test_a_refused_move_lists_the_allowed_ones(api: Api) -> None:
    api.move("o1", "collected", 1)
    api.both.sql("UPDATE order_events SET at = at - INTERVAL 31 MINUTE")
    late = api.move("o1", "preparing")
    assert (late.status, late.body["allowed"], late.body["order"]["state"]) == (409, [], "collected")


def test_a_recall_is_a_new_version_with_its_own_event(api: Api) -> None:
    api.move("o1", "collected", 1)
    recalled = api.move("o1", "received")
    assert (recalled.status, recalled.body["state"]) == (200, "received")
    assert events(api.both) == [("received", "collected"), ("collected", "received")]
    assert item(api.both)["state_version"] == str(recalled.body["version"])


def test_a_cancellation_keeps_its_reason_and_only_a_manager_cancels_a_ready_order(api: Api) -> None:
    api.move("o1", "ready", 1)
    assert api.move("o1", "cancelled", reason="not picked up").status == 403
    without = api.move("o1", "cancelled", who="manager")
    assert (without.status, list(without.body["errors"])) == (400, ["reason"])
    done = api.move("o1", "cancelled", who="manager", reason="not picked up")
    assert (done.status, done.body["reason"]) == (200, "not picked up")
    assert api.order("o1").body["history"][-1]["reason"] == "not picked up"
    assert api.kitchen().body["recent"][0]["reason"] == "not picked up"


def test_counts_stay_when_an_order_is_cancelled(api: Api) -> None:
    before = api.both.counters, api.both.projected
    api.move("o1", "cancelled", 1)
    assert (api.both.counters, api.both.projected) == before
    assert api.both.audit().corrected == {}


def test_a_message_delivered_again_changes_no_state(api: Api) -> None:
    api.move("o1", "ready", 1)
    (before,) = api.both.sql("SELECT * FROM orders")
    before_item = item(api.both)
    api.both.record(orders(1, customer_name="Ann Lee", attributes={"table_number": 4, "state": "received"}))
    assert api.both.sql("SELECT * FROM orders") == [before]
    assert item(api.both) == before_item


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, '{"state": "ready"}', 428),
        ({"If-Match": "7"}, '{"state": "ready"}', 400),
        ({"If-Match": '"1"'}, '{"state": "ready", "note": "x"}', 400),
        ({"If-Match": '"1"'}, "no", 400),
        ({"If-Match": '"1"'}, None, 400),
        ({"If-Match": '"1"'}, " " * 20_000, 413),
    ],
)
def test_an_invalid_request_is_refused_before_anything_changes(
    api: Api, headers: dict[str, str], body: str | None, status: int
) -> None:
    assert api.call("PATCH", "/orders/{id}", "staff", "o1", body, headers).status == status
    assert events(api.both) == []


def test_reading_an_order_never_moves_it(api: Api) -> None:
    body, headers = '{"state": "ready"}', {"If-Match": '"1"', "Idempotency-Key": "k1"}
    assert api.call("GET", "/orders/{id}", "staff", "o1", body, headers).status == 200
    assert events(api.both) == []


def test_a_body_that_is_not_text_is_refused(api: Api) -> None:
    event = {
        "httpMethod": "PATCH",
        "resource": "/orders/{id}",
        "pathParameters": {"id": "o1"},
        "headers": {"If-Match": '"1"'},
        "body": "/w==",
        "isBase64Encoded": True,
    }
    assert staff_orders.handler(event, None)["statusCode"] == 400


@pytest.mark.parametrize("order_id", ["o9", "é", "x" * 65, "a b", "%", "bad"])
def test_an_unknown_order_is_not_found_and_may_be_retried_in_a_second(api: Api, order_id: str) -> None:
    api.both.sql("INSERT INTO orders (order_id, item, quantity, recorded_in) VALUES ('bad', '', 1, 1)")
    for response in (api.order(order_id), api.move(order_id, "ready", 1)):
        assert (response.status, response.headers["Retry-After"]) == (404, "1")


def test_an_id_is_decoded_as_browsers_encode_it(api: Api) -> None:
    api.both.record([Order("A:1", datetime.now(UTC), "Tea", 1)])
    assert api.order("A%3A1").body["order_id"] == "A:1"


@pytest.mark.parametrize("order_id", [".", ".."])
def test_an_id_that_a_browser_would_remove_from_the_path_is_escaped_twice(api: Api, order_id: str) -> None:
    api.both.record([Order(order_id, datetime.now(UTC), "Tea", 1)])
    # API Gateway passes the path as it was sent, or decodes it once.
    for escaped in (order_id.replace(".", "%252E"), order_id.replace(".", "%2e"), order_id):
        assert api.order(escaped).body["order_id"] == order_id


def test_an_order_names_the_target_of_its_recall(api: Api) -> None:
    api.move("o1", "ready", 1)
    assert api.move("o1", "collected").body["recall_to"] == "ready"
    assert api.kitchen().body["recent"][0]["recall_to"] == "ready"
    assert api.move("o1", "ready").body["recall_to"] is None, "a recall closes no order"
    api.move("o1", "collected")
    assert api.order("o1").body["recall_to"] == "ready"
    api.both.sql("UPDATE order_events SET at = at - INTERVAL 31 MINUTE")
    assert api.order("o1").body["recall_to"] is None


def test_a_row_without_a_state_stays_unchanged(api: Api) -> None:
    api.both.sql("UPDATE orders SET state = NULL, state_version = 0, state_at = NULL")
    assert api.order("o1").body["state"] is None
    refused = api.move("o1", "ready", 0)
    assert (refused.status, refused.body["allowed"]) == (409, [])
    assert events(api.both) == []


# Permissions.


@pytest.mark.parametrize(
    ("who", "status"),
    [
        (None, 401),
        ({"token_use": "id", "cognito:groups": "manager"}, 401),
        ({"username": ""}, 401),
        ({}, 403),
        ("viewer", 403),
        ("nobody,staffing", 403),
        ("staff", 200),
        ("viewer,staff", 200),
        ("[viewer staff]", 200),
        ("[manager]", 200),
        ("IAM", 200),
    ],
)
def test_only_staff_see_and_move_orders(api: Api, who: Any, status: int) -> None:
    responses = [api.kitchen(who), api.order("o1", who), api.move("o1", "preparing", 1, who=who)]
    assert {response.status for response in responses} == {status}
    assert len(events(api.both)) == (status == 200)


@pytest.mark.parametrize(
    ("groups", "status"), [("staff", 403), ("staff,manager", 200), ("[staff manager]", 200)]
)
def test_the_highest_group_of_a_user_counts(api: Api, groups: str, status: int) -> None:
    api.move("o1", "ready", 1)
    assert api.move("o1", "cancelled", who=groups, reason="not picked up").status == status


def test_the_history_names_the_user_who_moved_an_order(api: Api) -> None:
    api.move("o1", "preparing", 1, who={"cognito:groups": "staff", "username": "bob"})
    api.move("o1", "ready", who="IAM")
    assert [each["actor"] for each in api.order("o1").body["history"]] == ["bob", "operator"]


def test_requests_that_bypass_cloudfront_are_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORIGIN_SECRET_SHA256", hashlib.sha256(b"secret").hexdigest())
    assert api.kitchen().status == 403
    assert api.kitchen(**{"x-origin-secret": "secret"}).status == 200
    assert api.kitchen("IAM").status == 200


# Failures.


def test_without_the_database_nothing_changes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise pymysql.OperationalError(2003, "no")

    monkeypatch.setattr(MySql, "_connect", fail)
    api.both.mysql.close()
    assert {api.kitchen().status, api.order("o1").status, api.move("o1", "ready", 1).status} == {503}


def test_a_change_that_the_database_refuses_is_reported_and_changes_nothing(api: Api) -> None:
    # A table that was taken over may have triggers.
    refuse = "SIGNAL SQLSTATE '45000'"
    api.master(f"CREATE TRIGGER refusing BEFORE UPDATE ON orders FOR EACH ROW {refuse}")
    try:
        refused = api.move("o1", "ready", 1)
    finally:
        api.master("DROP TRIGGER refusing")
    assert (refused.status, api.order("o1").body["state"], events(api.both)) == (503, "received", [])
    assert api.move("o1", "ready", 1).status == 200


def test_only_the_user_who_moved_an_order_is_logged_as_its_mover(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    for who in ("ada", "bob"):
        for key in ("k1", None):
            api.move("o1", "ready", 1, who={"cognito:groups": "staff", "username": who}, key=key)
    assert [json.loads(line)["actor"] for line in capsys.readouterr().out.splitlines()] == ["ada"]


def test_a_change_without_dynamodb_is_kept_and_projected_later(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Away:
        def __getattr__(self, name: str) -> Any:
            raise KeyError("Ann Lee")

    with monkeypatch.context() as patch:
        patch.setattr(api.items, "_dynamodb", Away())
        assert api.move("o1", "ready", 1).status == 200
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (line["message"], line["orderId"]) == ("Order not shown in DynamoDB", "o1")
    assert "Ann" not in line["reason"]
    assert item(api.both)["order_state"] == "received"
    assert api.both.recent().repaired == 1
    assert item(api.both)["order_state"] == "ready"


@pytest.fixture
def lose_response(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that makes the next commit succeed and lose its response."""
    commit = Connection.commit

    def lose() -> None:
        def once(self: Connection[Cursor]) -> None:
            commit(self)
            monkeypatch.setattr(Connection, "commit", commit)
            self._force_close()  # type: ignore[attr-defined]
            raise pymysql.OperationalError(2013, "Lost connection")

        monkeypatch.setattr(Connection, "commit", once)

    return lose


@pytest.mark.parametrize("key", [None, "k1"])
def test_a_lost_response_causes_no_second_change(
    api: Api, lose_response: Callable[[], None], key: str | None
) -> None:
    lose_response()
    moved = api.move("o1", "ready", 1, key=key)
    assert (moved.status, moved.body["state"]) == (200, "ready")
    assert api.move("o1", "ready", 1, key=key).body == moved.body
    assert events(api.both) == [("received", "ready")]
    assert item(api.both)["order_state"] == "ready"


def test_concurrent_requests_move_each_order_once(api: Api, new_mysql: Callable[[], MySql]) -> None:
    api.both.record(orders(*range(2, 21)))
    callers = [(OrderChanges(new_mysql()), state) for state in ("preparing", "ready") * 2]
    refused = []

    def move_all(caller: tuple[OrderChanges, str]) -> int:
        database, state = caller
        moved = 0
        for number in range(1, 21):
            request = change.parse(
                f"o{number}", json.dumps({"state": state}), '"1"', None, actor="ada", role=Role.STAFF
            )
            try:
                moved += change.change(database, request).order.progress.state == state  # type: ignore[union-attr]
            except change.RefusedError as error:
                refused.append(error.status)
        return moved

    with ThreadPoolExecutor(4) as pool:
        moved = list(pool.map(move_all, callers))
    assert len(events(api.both)) == 20
    assert sum(moved) == 2 * 20, "one of the two targets succeeds, for both callers that requested it"
    assert refused == [412] * 2 * 20


def test_a_test_order_is_moved_like_any_other_and_appears_on_no_screen(api: Api) -> None:
    at = datetime.now(UTC) - timedelta(seconds=1)
    api.both.record([Order("t1", at, "Tea", 1, attributes={"test_order": True})])
    api.move("o1", "collected", 1)
    assert api.order("t1").body["state_at"] is None
    for state in ("preparing", "ready", "collected"):
        assert api.move("t1", state).body["state_at"] is None
        kitchen = api.kitchen().body
        assert (kitchen["orders"], sum(kitchen["totals"].values())) == ([], 0)
        assert [each["order_id"] for each in kitchen["recent"]] == ["o1"]
        assert api.ready().body["ready"] == []
    assert item(api.both, "t1")["order_state"] == "collected"
