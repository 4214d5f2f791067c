"""A fake of StaffOrders."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.stand_in import FakeFunctions


def order(number: str = "K42", state: str = "received", **more: Any) -> dict[str, Any]:
    return {
        "order_id": f"id-of-{number}",
        "number": number,
        "state": state,
        "version": 1_795_699_381_123_456,
        "state_at": "2026-11-26T13:00:00.000Z",
        "created_at": "2026-11-26T12:58:00.000Z",
        "ready_at": None,
        "recall_to": None,
        "customer_name": "Ada",
        "item": "Latte",
        "quantity": 2,
        "attributes": {"note": "oat milk", "discount": 0.1},
        "reason": None,
        **more,
    }


class Staff:
    """StaffOrders, with orders that it shows and moves.

    Attributes
    ----------
    hidden
        Orders that the screen does not show.
    refusal
        The response to the next moves: a status and a document.
    body
        The body of all responses.
    """

    def __init__(self, functions: FakeFunctions) -> None:
        self.functions = functions
        self.orders: list[dict[str, Any]] = [order()]
        self.recent: list[dict[str, Any]] = []
        self.hidden: list[dict[str, Any]] = []
        self.totals = {"received": 1, "preparing": 0, "ready": 0}
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.body = ""
        functions.usual = self.respond

    @property
    def moves(self) -> list[dict[str, Any]]:
        """The requests that moved an order."""
        return [event for event in self.functions.events if event["httpMethod"] == "PATCH"]

    def respond(self, event: dict[str, Any]) -> dict[str, Any]:
        status, document = self._respond(event)
        return {"statusCode": status, "headers": {}, "body": self.body or json.dumps(document)}

    def _respond(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        # Only requests through API Gateway have a context.
        assert "requestContext" not in event
        if event["resource"] == "/kitchen":
            board = {"now": "2026-11-26T13:04:05.000Z", "orders": self.orders, "totals": self.totals}
            return 200, board | {"delayed": [], "recent": self.recent}
        found = next(
            (
                each
                for each in (*self.orders, *self.recent, *self.hidden)
                if each["order_id"] == event["pathParameters"]["id"]
            ),
            None,
        )
        if found is None:
            return 404, {"message": "There is no such order, or it is not recorded yet."}
        if event["httpMethod"] == "GET":
            return 200, found
        return self.refusal or (200, found | {"state": json.loads(event["body"])["state"]})
