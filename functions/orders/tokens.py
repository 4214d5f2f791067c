"""Customers' tokens, `key.id.mac`, each of which gives access to the progress of one order.

An id alone is not a secret: publishers' ids can be guessed, and are reused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

MAC_BYTES = 16


def sign(order_id: str, name: str, key: str) -> str:
    """Return the token of an order, signed with a key; the key's name must not contain dots."""
    return f"{name}.{order_id}.{_mac(name, order_id, key)}"


def verify(token: str, key_of: Callable[[str], str | None]) -> str | None:
    """Return the order id of a token, None if the token is invalid; `key_of` returns a key by its name."""
    if not token.isascii() or token.count(".") < 2:
        return None
    name, _, signed = token.partition(".")
    order_id, _, mac = signed.rpartition(".")
    key = key_of(name)
    if key is None or not hmac.compare_digest(mac, _mac(name, order_id, key)):
        return None
    return order_id


def _mac(name: str, order_id: str, key: str) -> str:
    digest = hmac.digest(key.encode(), f"{name}.{order_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:MAC_BYTES]).decode().rstrip("=")
