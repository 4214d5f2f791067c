"""Request to place an order: from the HTTP body to the message that is published."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from orders.exact_json import canonical, encode
from orders.message import decode
from orders.order import InvalidOrderError, OrderFields

MAX_BODY = 16 * 1024  # bytes; an order is a line or two
MAX_KEY = 255  # characters of an Idempotency-Key
KEY = re.compile(rf"[!-~][ -~]{{0,{MAX_KEY - 1}}}")

OWN_ID = (
    "orderId is accepted only with the API key (x-api-key): leave it out, and the order gets one;"
    " to repeat a request safely, send an Idempotency-Key."
)
BAD_KEY = (
    f"Idempotency-Key must be 1 to {MAX_KEY} ASCII characters without control characters, such as a UUID."
)
KEY_REUSED = (
    "This Idempotency-Key was used for another order in the last 24 hours: send each order with a new key,"
    " and a key only again with the same order."
)


class TooLargeError(ValueError):
    """The request's body is larger than any order."""


class KeyReusedError(ValueError):
    """The request's idempotency key belongs to another order."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What an idempotency key stands for: an order's id, and the fingerprint of the request for it."""

    order_id: str
    fingerprint: str


class Keys(Protocol):
    """Idempotency keys that were claimed in the last 24 hours."""

    def claim(self, key: str, claim: Claim) -> Claim:
        """Claim a key unless it is claimed already; return the claim that holds."""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """Valid request to place an order."""

    fields: OrderFields
    key: str | None
    """Idempotency key, unique among all callers."""

    @property
    def fingerprint(self) -> str:
        """Hash of the order: the same for every way to write it down as JSON."""
        order = decode(self.message(self.fields.order_id or ""), canonical)
        return hashlib.sha256(encode(order).encode()).hexdigest()

    def identify(self, keys: Callable[[], Keys]) -> str:
        """Return the order's id: the caller's own, that of the request which this one repeats, or a new one.

        Parameters
        ----------
        keys
            Connects to the keys; called only if the request has one.

        Raises
        ------
        KeyReusedError
            If the key belongs to another order.
        StoreUnavailableError
            If the keys cannot be read: nothing may be published then.
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
    """Validate a request.

    Parameters
    ----------
    body
        The HTTP body.
    idempotency_key
        The header, None if it is missing.
    with_api_key
        Whether the API key was sent. Without it, a caller has no say in the order's id: a stranger could take
        the ids that a trusted publisher will use.

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
    errors: dict[str, str] = {}
    if fields.order_id is not None and not with_api_key:
        errors["orderId"] = OWN_ID
    if idempotency_key is not None and not KEY.fullmatch(idempotency_key):
        errors["Idempotency-Key"] = BAD_KEY
    if errors:
        raise InvalidOrderError(errors)
    # Who has the API key and who has not are two callers: neither meets the other's keys.
    caller = "api-key" if with_api_key else "open"
    return OrderRequest(fields, idempotency_key and f"{caller} {idempotency_key}")
