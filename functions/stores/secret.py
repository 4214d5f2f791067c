"""A secret in Secrets Manager that holds JSON."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orders.errors import StoreUnavailableError
from stores import aws


class SecretRefusedError(StoreUnavailableError):
    """IAM does not let this function read the secret."""


class Secret:
    """A secret that is fetched once, and again after `forget`; errors call it by a name."""

    def __init__(
        self, secret_id: str, name: str, client: Any = None, config: aws.ClientConfig = aws.FOR_REQUESTS
    ) -> None:
        self.secret_id = secret_id
        self._name = name
        self._client: Any = client or aws.client("secretsmanager", config)
        self._value: dict[str, Any] | None = None

    def values(self) -> dict[str, Any]:
        """Read the whole secret, once.

        Raises StoreUnavailableError if Secrets Manager does not answer, or with something else than JSON.
        """
        if self._value is None:
            try:
                response = self._client.get_secret_value(SecretId=self.secret_id)
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
                raise StoreUnavailableError(f"{self._name} is not JSON") from None
        return self._value

    def forget(self) -> None:
        """Fetch the secret again when it is next asked for."""
        self._value = None
