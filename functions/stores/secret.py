"""A JSON secret in Secrets Manager."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orders.failures import StoreUnavailableError
from stores import aws


class SecretRefusedError(StoreUnavailableError):
    """IAM denies access to the secret."""


class Secret:
    """A secret that is fetched once, and again after `forget`; error messages begin with its `name`."""

    def __init__(
        self, secret_id: str, name: str, client: Any = None, config: aws.ClientConfig = aws.FOR_REQUESTS
    ) -> None:
        self.secret_id = secret_id
        self._name = name
        self._client: Any = client or aws.client("secretsmanager", config)
        self._value: dict[str, Any] | None = None

    def values(self) -> dict[str, Any]:
        """Return the secret's content; raise StoreUnavailableError also if it is not JSON."""
        if self._value is None:
            try:
                response = self._client.get_secret_value(SecretId=self.secret_id)
                self._value = json.loads(response["SecretString"])
            except ClientError as error:
                code = error.response["Error"]["Code"]
                refused = code == "AccessDeniedException"
                # The code only: the text has ARNs, and pages show the reason.
                raise (SecretRefusedError if refused else StoreUnavailableError)(
                    f"Secrets Manager: {code}"
                ) from error
            except BotoCoreError as error:
                raise StoreUnavailableError(f"Secrets Manager: {error}") from error
            except (KeyError, ValueError):
                # Without the cause, which holds the secret's content.
                raise StoreUnavailableError(f"{self._name} is not JSON") from None
        return self._value

    def forget(self) -> None:
        """Fetch the secret again at the next use."""
        self._value = None
