"""Customers' tokens: `key.id.mac`, which let whoever has one see how one order is doing.

An id is not secret: publishers' ids can be guessed, and are used again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

MAC_BYTES = 16


def sign(order_id: str, name: str, key: str) -> str:
    """Return the token of an order, signed with a key whose name has no dots."""
    return f"{name}.{order_id}.{_mac(name, order_id, key)}"


def verify(token: str, key_of: Callable[[str], str | None]) -> str | None:
    """Return the id of the order that a token is for, None if the token is wrong.

    `key_of` returns the key of a name, None for an unknown name.
    """
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
