"""Client of `StaffOrders`, which shows and moves the orders in the kitchen; IAM authorizes its calls.

Pydantic ignores fields of later versions in its responses.
"""

import json
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self, TypeVar

from pydantic import BaseModel, Field

from cli import aws
from cli.errors import OperationError
from cli.functions import Function, validated
from orders.states import State

NUMBER = re.compile(r"[A-HJ-NP-Z][0-9]{2}")  # a pickup number

T = TypeVar("T", bound=BaseModel)


class RefusedError(OperationError):
    """The request was refused, and would be refused again."""


class NotRecordedError(RefusedError):
    """The database has no such order."""


class Change(BaseModel):
    """A change of an order's state."""

    came_from: State = Field(alias="from")
    to: State
    at: datetime
    actor: str
    reason: str | None = None


class Order(BaseModel):
    """An order; only the response for a single order has its history."""

    order_id: str
    number: str
    state: State | None
    version: int
    state_at: datetime | None = None
    created_at: datetime | None = None
    customer_name: str | None = None
    item: str
    quantity: int
    attributes: dict[str, Any] = Field(default_factory=dict)
    recall_to: State | None = None
    history: list[Change] = Field(default_factory=list)
    document: dict[str, Any] = Field(default_factory=dict)  # as the API returned it

    @property
    def goods(self) -> str:
        """Return item, quantity and customer, for people; the name may be erased."""
        name = "Guest" if self.customer_name is None else self.customer_name
        return f"{self.quantity} × {self.item}" + (f" for {name}" if name else "")


class Board(BaseModel):
    """The orders on the kitchen's screen."""

    now: datetime
    orders: list[Order]
    totals: dict[str, int]
    delayed: list[Order]
    recent: list[Order]
    document: dict[str, Any] = Field(default_factory=dict)  # as the API returned it

    @property
    def listed(self) -> list[Order]:
        """Return the orders of all lists."""
        return [*self.orders, *self.delayed, *self.recent]


@dataclass(frozen=True, kw_only=True)
class Kitchen(Function):
    """The kitchen of one stack; the actor is recorded with each change."""

    actor: str
    hides_messages = True

    @classmethod
    def of(cls, clients: aws.Clients) -> Self:
        """Return a stack's kitchen; the actor is the owner of the credentials."""
        name = clients.stack.output("staff_function")
        with aws.translated_errors():
            arn = str(clients.sts.get_caller_identity()["Arn"])
        return cls(functions=clients.functions, name=name, actor=re.split("[/:]", arn)[-1])

    def board(self) -> Board:
        """Read the orders on the kitchen's screen."""
        return self._call(Board, "GET", "/kitchen")

    def id_of(self, reference: str) -> str:
        """Return the id of the order with a pickup number that the screen shows, or else the text itself."""
        number = reference.upper()
        listed = self.board().listed if NUMBER.fullmatch(number) else []
        return next((order.order_id for order in listed if order.number == number), reference)

    def find(self, reference: str) -> Order:
        """Read an order by its pickup number, if the screen shows it, or by its id."""
        return self.order(self.id_of(reference))

    def order(self, order_id: str) -> Order:
        """Read an order with its history."""
        return self._call(Order, "GET", "/orders/{id}", order_id)

    def move(
        self, order: Order, target: State, reason: str | None = None, *, key: str | None = None
    ) -> Order:
        """Move an order to another state; a request that is sent again must have the same key.

        Raises RefusedError if the order may not move there, or somebody else has moved it since it was read,
        and another OperationError if it is unknown whether it moved.
        """
        body = {"state": target.value} | ({"reason": reason} if reason else {})
        headers = {"If-Match": f'"{order.version}"', "Idempotency-Key": key or str(uuid.uuid4())}
        change = {"headers": headers, "body": json.dumps(body)}
        return self._call(Order, "PATCH", "/orders/{id}", order.order_id, **change)

    def _call(
        self, kind: type[T], method: str, resource: str, order_id: str | None = None, **request: object
    ) -> T:
        """Return the parsed response, with the original document."""
        event = {"httpMethod": method, "resource": resource, "headers": {}, "actor": self.actor, **request}
        if order_id is not None:
            event["pathParameters"] = {"id": order_id}
        status, document = self.http(event)
        if status == HTTPStatus.OK:
            return validated(self.name, {**document, "document": document}, kind)
        message = str(document.get("message") or f"{self.name} returned {status}.")
        if status == HTTPStatus.NOT_FOUND:
            raise NotRecordedError(f"{order_id}: {message}")
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RefusedError(message)
        raise OperationError(f"{message} `cafe doctor` shows the cause.")
