"""Database logins in Secrets Manager."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orders.errors import StoreUnavailableError
from stores.secret import Secret, SecretRefusedError

# Until IAM has applied a changed policy everywhere; it takes seconds, as a rule.
PROPAGATION = 60.0  # seconds
PAUSE = 3.0  # seconds


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in to a database."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    database: str


class LoginSecret(Secret):
    """A secret that is fetched once, and again when the database refuses what it said."""

    def __init__(self, secret_id: str, client: Any = None) -> None:
        super().__init__(secret_id, "The database's secret", client)

    def get(self) -> Login:
        """Read the login (keys `host`, `port`, `username`, `password`, `dbname`).

        Raises StoreUnavailableError if Secrets Manager does not answer, or with something else than a login.
        """
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
    """Read secrets, and retry for a minute while IAM refuses: a deploy has just changed who may read them.

    Raises StoreUnavailableError if Secrets Manager does not answer, or if IAM still refuses.
    """
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
