"""Parse an HTTP request to place an order, and make the message to publish.

`order.py` validates the order's fields, and this module the limits and headers that only HTTP has.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from orders.exact_json import canonical, encode
from orders.message import decode
from orders.order import MAX_PATH, InvalidOrderError, OrderFields

# Limits for callers without the API key. They bound the cost that one sender can cause in a day, and how fast
# the database grows (infra/README.md has both figures).
MAX_BODY = 4 * 1024  # bytes
MAX_FIELDS = 16  # besides item, quantity, customer_name and orderId
MAX_LEVELS = 4  # of a field's value: a list of objects with lists of text has four
RESERVED_FIELD = "lines"
MAX_BODY_WITH_API_KEY = 16 * 1024  # bytes
MAX_KEY = 255  # characters of an Idempotency-Key
KEY = re.compile(rf"[!-~][ -~]{{0,{MAX_KEY - 1}}}")

OWN_ID = (
    "orderId is accepted only with the API key (x-api-key): leave it out, and the order gets one;"
    " to repeat a request safely, send an Idempotency-Key."
)
RESERVED = f"{RESERVED_FIELD} is reserved for orders of several items: send one order for each item."
TOO_MANY_FIELDS = f"An order may have at most {MAX_FIELDS} further fields."
BAD_KEY = (
    f"Idempotency-Key must be 1 to {MAX_KEY} ASCII characters without control characters, such as a UUID."
)
KEY_REUSED = (
    "This Idempotency-Key was used for another order in the last 24 hours: send each order with a new key,"
    " and a key only again with the same order."
)


class TooLargeError(ValueError):
    """The request's body is larger than the limit."""


class KeyReusedError(ValueError):
    """The request's idempotency key belongs to another order."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim of an idempotency key: the order's id and the request's fingerprint."""

    order_id: str
    fingerprint: str


class Keys(Protocol):
    """Idempotency keys of the last 24 hours (`stores.dynamodb.idempotency.IdempotencyKeys`)."""

    def claim(self, key: str, claim: Claim) -> Claim: ...


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """Valid request to place an order."""

    fields: OrderFields
    key: str | None
    """Idempotency key, unique among all callers."""

    @property
    def fingerprint(self) -> str:
        """Return a hash of the order, which is the same for all JSON texts of it."""
        order = decode(self.message(self.fields.order_id or ""), canonical)
        return hashlib.sha256(encode(order).encode()).hexdigest()

    def identify(self, keys: Callable[[], Keys]) -> str:
        """Return the caller's own order id, that of an earlier request with the same key, or a new one.

        `keys` is called only if the request has a key. Raises KeyReusedError if the key belongs to another
        order, StoreUnavailableError if the keys cannot be read; then nothing may be published.
        """
        order_id = self.fields.order_id or str(uuid.uuid4())
        if self.key is None:
            return order_id
        claim = keys().claim(self.key, Claim(order_id, self.fingerprint))
        if claim.fingerprint != self.fingerprint:
            raise KeyReusedError(KEY_REUSED)
        return claim.order_id

    def message(self, order_id: str) -> str:
        """Return the message to publish."""
        message: dict[str, object] = {
            **self.fields.attributes,
            "orderId": order_id,
            "item": self.fields.item,
            "quantity": self.fields.quantity,
            "customer_name": self.fields.customer_name,
        }
        return encode(message, sort_keys=True)


def parse(body: str, idempotency_key: str | None, *, with_api_key: bool) -> OrderRequest:
    """Validate a request; raise InvalidOrderError with a sentence for each wrong field, or TooLargeError.

    Without the API key, an order must be small and may not have an id: strangers could take the ids that a
    trusted publisher will use.
    """
    limit = MAX_BODY_WITH_API_KEY if with_api_key else MAX_BODY
    if len(body.encode(errors="replace")) > limit:
        raise TooLargeError(f"The body must not be larger than {limit} bytes.")
    fields = OrderFields.of(decode(body))
    errors = {} if with_api_key else dict(_needs_api_key(fields))
    if idempotency_key is not None and not KEY.fullmatch(idempotency_key):
        errors["Idempotency-Key"] = BAD_KEY
    if errors:
        raise InvalidOrderError(errors)
    # Callers with and without the API key do not share idempotency keys.
    caller = "api-key" if with_api_key else "open"
    return OrderRequest(fields, idempotency_key and f"{caller} {idempotency_key}")


def _needs_api_key(fields: OrderFields) -> Iterator[tuple[str, str]]:
    """Yield each field that requires the API key, with a sentence."""
    if fields.order_id is not None:
        yield "orderId", OWN_ID
    if RESERVED_FIELD in fields.attributes:
        yield RESERVED_FIELD, RESERVED
    if len(fields.attributes) > MAX_FIELDS:
        yield "body", TOO_MANY_FIELDS
    for name, value in fields.attributes.items():
        if _levels(value) > MAX_LEVELS:
            yield name, f"{name[:MAX_PATH]} is nested too deeply: a field may have {MAX_LEVELS} levels."


def _levels(value: object) -> int:
    """Return the depth of a value: 1 for text, 2 for a list of text."""
    match value:
        case list():
            return 1 + max(map(_levels, value), default=0)
        case dict():
            return 1 + max(map(_levels, value.values()), default=0)
    return 1
