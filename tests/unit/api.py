"""The functions of staff and customers, called as API Gateway does, on MySQL and moto's DynamoDB."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import public_orders
import staff_orders
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.order_items import OrderItems
from stores.mysql.connection import MySql
from stores.mysql.screens import Screens
from tests import openapi
from tests.dynamodb import NAMES
from tests.unit.both_stores import BothStores

OPEN_HOURS = 6


class TrackingKeys:
    """Keys that sign customers' tokens."""

    def current(self) -> tuple[str, str]:
        return "1", "one"

    def get(self, name: str) -> str | None:
        return {"1": "one"}.get(name)


@dataclasses.dataclass(frozen=True)
class Response:
    """A response that conforms to docs/openapi.yaml."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def tag(self) -> str:
        return self.headers["ETag"]


class Api:
    """The requests of staff and customers; every response is checked against docs/openapi.yaml."""

    def __init__(self, both: BothStores, monkeypatch: Any, status: MySql, master: MySql) -> None:
        self.both = both
        self._master = master
        monkeypatch.setenv("OPEN_HOURS", str(OPEN_HOURS))
        self.items = OrderItems(DynamoDb(client=both.dynamodb), NAMES.orders)
        monkeypatch.setattr(staff_orders, "mysql", lambda: both.mysql)
        monkeypatch.setattr(staff_orders, "items", lambda: self.items)
        monkeypatch.setattr(public_orders, "database", lambda: Screens(status))
        monkeypatch.setattr(public_orders, "tracking_keys", TrackingKeys)

    def master(self, statement: str) -> None:
        """Run a statement as a user that may delete rows."""
        self._master.run(lambda cursor: cursor.execute(statement))

    def kitchen(self, who: Any = "staff", **headers: str) -> Response:
        return self.call("GET", "/kitchen", who, headers=headers)

    def order(self, order_id: str, who: Any = "staff") -> Response:
        return self.call("GET", "/orders/{id}", who, order_id)

    def move(
        self,
        order_id: str,
        state: str,
        version: int | str | None = None,
        *,
        who: Any = "staff",
        reason: str | None = None,
        key: str | None = None,
    ) -> Response:
        """Move an order from its current version, or from `version`."""
        if version is None:
            version = self.order(order_id).body["version"]
        headers = {"If-Match": f'"{version}"'} | ({"Idempotency-Key": key} if key else {})
        body = {"state": state} | ({"reason": reason} if reason else {})
        return self.call("PATCH", "/orders/{id}", who, order_id, json.dumps(body), headers)

    def ready(self) -> Response:
        return self.call("GET", "/ready", None)

    def track(self, token: str | None, **headers: str) -> Response:
        return self.call("GET", "/track", None, headers=headers | ({"Track-Token": token} if token else {}))

    def call(
        self,
        verb: str,
        path: str,
        who: Any,
        order_id: str | None = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request.

        Parameters
        ----------
        who
            The groups of the user who signed in, or the claims of the token; None without sign-in; `IAM` for
            an operator who invokes the function.
        """
        event: dict[str, Any] = {
            "httpMethod": verb,
            "resource": path,
            "pathParameters": order_id and {"id": order_id},
            "headers": dict(headers or {}),
            "body": body,
            "requestContext": {"stage": "prod", "authorizer": _authorizer(who)},
        }
        if who == "IAM":
            del event["requestContext"]
            event["actor"] = "operator"
        function = public_orders if path in ("/ready", "/track") else staff_orders
        response = function.handler(event, None)
        status, headers = response["statusCode"], response["headers"]
        openapi.check(verb.lower(), path, status, headers, response["body"])
        return Response(status, headers, json.loads(response["body"] or "null"))


def _authorizer(who: Any) -> Any:
    if who is None:
        return None
    claims = who if isinstance(who, dict) else {"cognito:groups": who}
    return {"claims": {"token_use": "access", "username": "ada", **claims}}
