"""Database logins in Secrets Manager."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orders.failures import StoreUnavailableError
from stores.secret import Secret, SecretRefusedError

PROPAGATION = 60.0  # seconds until a changed IAM policy is in effect, at most
PAUSE = 3.0  # seconds


@dataclass(frozen=True, slots=True)
class Login:
    """Login of a database."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    database: str


class LoginSecret(Secret):
    """A secret with a login, which is fetched again when the database refuses it."""

    def __init__(self, secret_id: str, client: Any = None) -> None:
        super().__init__(secret_id, "The database's secret", client)

    def get(self) -> Login:
        """Return the login; raise StoreUnavailableError also if a key is missing."""
        value = self.values()
        try:
            return Login(
                host=value["host"],
                port=int(value.get("port", 3306)),
                username=value["username"],
                password=value["password"],
                database=value["dbname"],
            )
        except (KeyError, TypeError, ValueError):
            self.forget()
            raise StoreUnavailableError("The database's secret lacks a key") from None


def await_access(
    secrets: Sequence[LoginSecret],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Read secrets; retry for a minute while IAM denies access, as a deploy may just have granted it."""
    end = clock() + PROPAGATION
    for secret in secrets:
        while True:
            try:
                secret.values()
                break
            except SecretRefusedError:
                if clock() >= end:
                    raise
                pause(PAUSE)
