"""Customers' tokens: `key.id.mac`, which let whoever has one see how one order is doing.

An id is not secret: publishers' ids can be guessed, and are used again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Protocol

MAC_BYTES = 16
MAX_TOKEN = 200  # characters


class Keys(Protocol):
    """Keys by their names, which have no dots; both methods raise StoreUnavailableError."""

    def current(self) -> tuple[str, str]:
        """Return the name and the key that signs."""

    def get(self, name: str) -> str | None:
        """Return a key that is good: the current or the previous one."""


def sign(order_id: str, keys: Keys) -> str:
    """Return the token of an order."""
    name, key = keys.current()
    return f"{name}.{order_id}.{_mac(name, order_id, key)}"


def verify(token: str, keys: Keys) -> str | None:
    """Return the id of the order that a token is for, None if the token is wrong."""
    if len(token) > MAX_TOKEN or not token.isascii() or token.count(".") < 2:
        return None
    name, _, signed = token.partition(".")
    order_id, _, mac = signed.rpartition(".")
    key = keys.get(name)
    if key is None or not hmac.compare_digest(mac, _mac(name, order_id, key)):
        return None
    return order_id


def _mac(name: str, order_id: str, key: str) -> str:
    digest = hmac.digest(key.encode(), f"{name}.{order_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:MAC_BYTES]).decode().rstrip("=")
