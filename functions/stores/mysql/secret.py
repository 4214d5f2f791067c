"""Database logins in Secrets Manager."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orders.errors import StoreUnavailableError
from stores import aws

# Until IAM has applied a changed policy everywhere; it takes seconds, as a rule.
PROPAGATION = 60.0  # seconds
PAUSE = 3.0  # seconds


class SecretRefusedError(StoreUnavailableError):
    """IAM does not let this function read the secret."""


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in to a database."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    database: str


class LoginSecret:
    """A secret that is fetched once, and again when the database refuses what it said."""

    def __init__(self, secret_id: str, client: Any = None) -> None:
        self.name = secret_id
        self._client: Any = client or aws.client("secretsmanager", aws.FOR_REQUESTS)
        self._value: dict[str, Any] | None = None

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

    def values(self) -> dict[str, Any]:
        """Read the whole secret, once."""
        if self._value is None:
            try:
                response = self._client.get_secret_value(SecretId=self.name)
                self._value = json.loads(response["SecretString"])
            except ClientError as error:
                code = error.response["Error"]["Code"]
                refused = code == "AccessDeniedException"
                # The code alone: pages show why the stores could not be compared, and the text holds ARNs.
                raise (SecretRefusedError if refused else StoreUnavailableError)(
                    f"Secrets Manager: {code}"
                ) from error
            except BotoCoreError as error:
                raise StoreUnavailableError(f"Secrets Manager: {error}") from error
            except (KeyError, ValueError):
                # Without the cause, which holds what the secret says.
                raise StoreUnavailableError("The database's secret is not JSON") from None
        return self._value

    def forget(self) -> None:
        """Fetch the secret again when it is next asked for."""
        self._value = None


def await_access(
    secrets: Sequence[LoginSecret],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Read secrets, and retry for a minute while IAM refuses: a deploy has just changed who may read them.

    Raises
    ------
    StoreUnavailableError
        If Secrets Manager does not answer, or if IAM still refuses.
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
