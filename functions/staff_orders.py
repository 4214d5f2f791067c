"""`GET /kitchen`, `GET` and `PATCH /orders/{id}`: what staff see of orders, and how they move them.

An operator with the IAM permission may invoke the function directly; `actor` names the operator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

import environment
from http_responses import HttpResponse, answer, body_text, cached_response, came_through_cloudfront, header
from log import log
from orders import change, screens
from orders.errors import OrderRefusedError, StoreUnavailableError, location_of
from orders.order import Order
from orders.screens import Cutoffs
from orders.states import Role
from stores import aws
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.order_items import OrderItems
from stores.mysql.changes import OrderChanges
from stores.mysql.connection import MySql
from stores.mysql.login import LoginSecret
from stores.mysql.screens import Screens

TIMEOUT = 4.0  # seconds; of a database that hangs the screen has to learn while it still waits
ORDER_ID = re.compile(r"[!-~]{1,64}")
DOTS = {"%2E": ".", "%2E%2E": ".."}
GROUPS = {role.name.lower(): role for role in Role}

NOT_SIGNED_IN = "Sign in as staff, and send the access token."
NO_STAFF = "Orders are for staff: a manager adds you with `cafe staff add`."
ELSEWHERE = "Orders are not available at this address: open the kitchen's page."
AWAY = "Orders are not available just now; please try again."
UNCONFIRMED = "The change is not confirmed; send the request again as it was."


@dataclass(frozen=True, slots=True)
class Caller:
    """Sender of a request."""

    name: str
    role: Role


@cache
def mysql() -> MySql:
    """Connect once per process."""
    return MySql(LoginSecret(environment.database_secret()), timeout=TIMEOUT, patience=TIMEOUT)


@cache
def items() -> OrderItems:
    """Open the table `Orders` once per process."""
    return OrderItems(DynamoDb(aws.BEST_EFFORT), environment.orders_table())


def handler(event: dict[str, Any], context: object) -> HttpResponse:
    """Show the kitchen or an order, or move an order, if the caller may."""
    who = caller(event)
    if who is None:
        return answer(401, {"message": NOT_SIGNED_IN})
    if "requestContext" in event and not came_through_cloudfront(event, environment.origin_secret_sha256()):
        return answer(403, {"message": ELSEWHERE})
    if who.role < Role.STAFF:
        return answer(403, {"message": NO_STAFF})
    is_change = event["httpMethod"] == "PATCH"
    try:
        if event["resource"] == "/kitchen":
            return _kitchen(event)
        return _change(event, who) if is_change else _order(event)
    except change.RefusedError as error:
        later = {"Retry-After": "1"} if error.status == 404 else {}
        return answer(error.status, error.document, headers=later)
    # A table that was taken over may have triggers, which refuse a change.
    except (StoreUnavailableError, OrderRefusedError) as error:
        log("ERROR", "Orders not available", reason=str(error))
        return answer(503, {"message": UNCONFIRMED if is_change else AWAY})


def caller(event: dict[str, Any]) -> Caller | None:
    """Return who sent a request, None for somebody who has not signed in.

    Every request over HTTP has a context, which API Gateway writes and no client can leave out. There its
    authorizer has checked the access token.
    """
    if "requestContext" not in event:
        return Caller(str(event.get("actor") or "operator"), Role.MANAGER)
    claims = (event["requestContext"].get("authorizer") or {}).get("claims") or {}
    if claims.get("token_use") != "access" or not claims.get("username"):
        return None
    # API Gateway writes a list as `[a b]` or as `a,b`.
    groups = re.split(r"[\s,]+", str(claims.get("cognito:groups", "")).strip("[]"))
    return Caller(str(claims["username"]), max(GROUPS.get(name, Role.NONE) for name in groups))


def _kitchen(event: dict[str, Any]) -> HttpResponse:
    since = Cutoffs.of(datetime.now(UTC), environment.open_hours())
    document = screens.kitchen(*Screens(mysql()).kitchen(since), since)
    return cached_response(event, document, passing="now", cache_control="no-store")


def _order(event: dict[str, Any]) -> HttpResponse:
    found = change.find(OrderChanges(mysql()), _order_id(event))
    return _shown(found.document | {"history": screens.history(found.changes)})


def _order_id(event: dict[str, Any]) -> str:
    order_id = unquote(event["pathParameters"]["id"])
    # Browsers remove `.` and `..` from a path, also where they are escaped, but not where they are twice.
    order_id = DOTS.get(order_id.upper(), order_id)
    if not ORDER_ID.fullmatch(order_id):
        raise change.RefusedError(404, change.NOT_RECORDED)
    return order_id


def _change(event: dict[str, Any], who: Caller) -> HttpResponse:
    try:
        body = body_text(event)
    except ValueError:
        body = ""  # not text, and so no JSON
    headers = (header(event, "if-match"), header(event, "idempotency-key"))
    request = change.parse(_order_id(event), body, *headers, actor=who.name, role=who.role)
    changed = change.change(OrderChanges(mysql()), request)
    _show(changed.order)
    if changed.is_moved:
        moved = {name: changed.document[name] for name in ("state", "version")}
        log("INFO", "Order moved", orderId=request.order_id, **moved, actor=request.actor)
    return _shown(changed.document)


def _show(order: Order) -> None:
    """Put an order that was moved into DynamoDB; where that fails, `ReconcileOrders` does it soon."""
    try:
        items().put_unless_newer(order)
    except (StoreUnavailableError, OrderRefusedError) as error:
        log("ERROR", "Order not shown in DynamoDB", orderId=order.order_id, reason=str(error))
    # The order has moved, so the response must not be an error.
    except Exception as error:  # noqa: BLE001
        log("ERROR", "Order not shown in DynamoDB", orderId=order.order_id, reason=location_of(error))


def _shown(order: dict[str, Any]) -> HttpResponse:
    return answer(200, order, headers={"ETag": f'"{order["version"]}"'})


if environment.function_name():
    mysql()  # while Lambda starts the function: no invocation waits for the clients
    items()
