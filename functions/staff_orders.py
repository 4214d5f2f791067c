"""`GET /kitchen`, `GET` and `PATCH /orders/{id}`: staff list, read and move orders.

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
from http_responses import HttpResponse, body_text, cached_response, came_through_cloudfront, header, response
from log import log
from orders import change, screens
from orders.failures import OrderRefusedError, StoreUnavailableError, location_of
from orders.order import RECORDED_ID, Order
from orders.screens import Cutoffs
from orders.states import Role
from stores import aws
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.order_items import OrderItems
from stores.mysql.changes import OrderChanges
from stores.mysql.connection import MySql
from stores.mysql.login import LoginSecret
from stores.mysql.screens import Screens

TIMEOUT = 4.0  # seconds; shorter than the screen waits for a response
DOTS = {"%2E": ".", "%2E%2E": ".."}
GROUPS = {role.name.lower(): role for role in Role}

NOT_SIGNED_IN = "Sign in as staff, and send the access token."
NOT_STAFF = "Orders are for staff: a manager adds you with `cafe staff add`."
WRONG_ADDRESS = "Orders are not available at this address: open the kitchen's page."
UNAVAILABLE = "Orders are temporarily unavailable; please try again."
UNCONFIRMED = "The change is not confirmed; send the request again as it was."


@dataclass(frozen=True, slots=True)
class Caller:
    """Sender of a request."""

    name: str
    role: Role


@cache
def mysql() -> MySql:
    """Return the connection, opened once per process."""
    return MySql(LoginSecret(environment.database_secret()), timeout=TIMEOUT)


@cache
def items() -> OrderItems:
    """Return the table `Orders`, opened once per process."""
    return OrderItems(DynamoDb(aws.BEST_EFFORT), environment.orders_table())


def handler(event: dict[str, Any], context: object) -> HttpResponse:
    """Return the kitchen's lists or an order, or move an order, if the caller may."""
    who = caller(event)
    if who is None:
        return response(401, {"message": NOT_SIGNED_IN})
    if "requestContext" in event and not came_through_cloudfront(event, environment.origin_secret_sha256()):
        return response(403, {"message": WRONG_ADDRESS})
    if who.role < Role.STAFF:
        return response(403, {"message": NOT_STAFF})
    is_change = event["httpMethod"] == "PATCH"
    try:
        if event["resource"] == "/kitchen":
            return _kitchen(event)
        return _change(event, who) if is_change else _order(event)
    except change.RefusedError as error:
        headers = {"Retry-After": "1"} if error.status == 404 else {}
        return response(error.status, error.document, headers=headers)
    # A table from an earlier system may have triggers that refuse a change.
    except (StoreUnavailableError, OrderRefusedError) as error:
        log("ERROR", "Orders not available", reason=str(error))
        return response(503, {"message": UNCONFIRMED if is_change else UNAVAILABLE})


def caller(event: dict[str, Any]) -> Caller | None:
    """Return the caller of a request, None if the caller has not signed in.

    API Gateway adds a `requestContext` to every request, which no client can leave out; its authorizer has
    checked the access token.
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
    cutoffs = Cutoffs.of(datetime.now(UTC), environment.open_hours())
    document = screens.kitchen(*Screens(mysql()).kitchen(cutoffs), cutoffs)
    return cached_response(event, document, volatile="now", cache_control="no-store")


def _order(event: dict[str, Any]) -> HttpResponse:
    found = change.find(OrderChanges(mysql()), _order_id(event))
    return _versioned(found.document | {"history": screens.history(found.changes)})


def _order_id(event: dict[str, Any]) -> str:
    order_id = unquote(event["pathParameters"]["id"])
    # Browsers remove `.` and `..` from a path even if they are escaped, so clients escape them twice.
    order_id = DOTS.get(order_id.upper(), order_id)
    if not RECORDED_ID.fullmatch(order_id):
        raise change.RefusedError(404, change.NOT_RECORDED)
    return order_id


def _change(event: dict[str, Any], who: Caller) -> HttpResponse:
    try:
        body = body_text(event)
    except ValueError:
        body = ""  # which `change.parse` refuses, since it is not JSON
    headers = (header(event, "if-match"), header(event, "idempotency-key"))
    request = change.parse(_order_id(event), body, *headers, actor=who.name, role=who.role)
    changed = change.change(OrderChanges(mysql()), request)
    _project(changed.order)
    if changed.is_moved:
        moved = {name: changed.document[name] for name in ("state", "version")}
        log("INFO", "Order moved", orderId=request.order_id, **moved, actor=request.actor)
    return _versioned(changed.document)


def _project(order: Order) -> None:
    """Put a moved order into DynamoDB; if that fails, `ReconcileOrders` does it within two minutes."""
    try:
        items().put_unless_newer(order)
    except (StoreUnavailableError, OrderRefusedError) as error:
        log("ERROR", "Order not shown in DynamoDB", orderId=order.order_id, reason=str(error))
    # The order has moved, so the response must be a success.
    except Exception as error:  # noqa: BLE001
        log("ERROR", "Order not shown in DynamoDB", orderId=order.order_id, reason=location_of(error))


def _versioned(order: dict[str, Any]) -> HttpResponse:
    return response(200, order, headers={"ETag": f'"{order["version"]}"'})


if environment.function_name():
    mysql()  # create the clients during Lambda's init phase, not in the first invocation
    items()
