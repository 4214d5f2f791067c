"""The secret with the keys that sign customers' tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from orders.failures import StoreUnavailableError
from stores import aws
from stores.secret import Secret

# The least number of seconds between two fetches of the secret. Unknown keys and failures cause fetches, but
# strangers can invent names of keys, and an unavailable secret must not delay every order.
REFETCH = 60.0


class TrackingKeys:
    """The current and the previous key, by name: `{"current": "2", "keys": {"1": "…", "2": "…"}}`."""

    def __init__(
        self, secret_id: str, client: Any = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._secret = Secret(secret_id, "The secret with the tracking keys", client, aws.BEST_EFFORT)
        self._clock = clock
        self._fetched_at = -REFETCH
        self._current = ""
        self._keys: Mapping[str, str] = {}

    def current(self) -> tuple[str, str]:
        """Return the name and the value of the key for new tokens."""
        if not self._keys:
            self._fetch()
        return self._current, self._keys[self._current]

    def get(self, name: str) -> str | None:
        """Return a key by its name, None if it is unknown."""
        if not self._keys or (name not in self._keys and self._may_fetch()):
            self._fetch()
        return self._keys.get(name)

    def _may_fetch(self) -> bool:
        return self._clock() - self._fetched_at >= REFETCH

    def _fetch(self) -> None:
        if not self._may_fetch():
            raise StoreUnavailableError("The tracking keys were not available a moment ago")
        self._fetched_at = self._clock()
        self._secret.forget()
        values = self._secret.values()
        try:
            keys, current = dict(values["keys"]), str(values["current"])
        except (KeyError, TypeError, ValueError):
            keys, current = {}, ""
        if not isinstance(keys.get(current), str):
            raise StoreUnavailableError("The secret with the tracking keys lacks the current key")
        self._keys, self._current = keys, current
