"""A request to place an order: from what came over HTTP to the message that is published."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

from orders.exact_json import encode
from orders.message import decode
from orders.order import InvalidOrderError, OrderFields

MAX_BODY = 16 * 1024  # bytes; an order is a line or two
MAX_KEY = 255  # characters of an Idempotency-Key


class TooLargeError(ValueError):
    """The request's body is larger than any order."""


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order that may be published."""

    order_id: str
    message: str


def place(body: str, idempotency_key: str | None) -> PlacedOrder:
    """Check a request's body and give the order its identity.

    The identity is the body's `orderId`; else it follows from the `Idempotency-Key` and the body, so that
    a repeated request is the same order and another order under a used key is not lost; else it is new.

    Raises
    ------
    InvalidOrderError
        With one sentence per wrong field.
    TooLargeError
        If the body is larger than an order can be.
    """
    if len(body.encode(errors="replace")) > MAX_BODY:
        raise TooLargeError(f"The body must not be larger than {MAX_BODY} bytes.")
    fields = OrderFields.of(decode(body))
    if idempotency_key is not None and not 1 <= len(idempotency_key) <= MAX_KEY:
        raise InvalidOrderError({"Idempotency-Key": f"Idempotency-Key must be 1 to {MAX_KEY} characters."})
    order_id = fields.order_id or _identity(fields, idempotency_key)
    return PlacedOrder(order_id, _message(fields, order_id))


def _identity(fields: OrderFields, idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return str(uuid.uuid4())
    said = encode([idempotency_key, _message(fields, "")])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _message(fields: OrderFields, order_id: str) -> str:
    message: dict[str, object] = {
        **fields.attributes,
        "orderId": order_id,
        "item": fields.item,
        "quantity": fields.quantity,
        "customer_name": fields.customer_name,
    }
    return encode(message, sort_keys=True)
