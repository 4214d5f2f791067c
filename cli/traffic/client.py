"""Client of `POST /orders`, with retries that never make a second order."""

import json
import threading
import uuid
from dataclasses import asdict, dataclass

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_delay,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from cli import http
from cli.errors import OperationError

# With the waits below, about 20 seconds if the API fails at once. Throttling does not count.
ATTEMPTS = 8
RETRY_TIMEOUT = 60.0  # seconds for all retries
BACK_OFF = wait_random_exponential(multiplier=0.2, max=5)


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order as a customer places it."""

    item: str
    quantity: int = 1
    customer_name: str | None = None
    test_order: bool | None = None  # counted, but not shown on any screen

    def body(self) -> dict[str, object]:
        """Return the JSON object that the API takes."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def json(self) -> str:
        """Return the body of the request."""
        return json.dumps(self.body())


class RefusedError(OperationError):
    """The API refuses this order, however often it is sent."""

    def __init__(self, message: str, fields: dict[str, str]) -> None:
        # Most sentences contain the name of their field.
        lines = [sentence if name in sentence else f"{name}: {sentence}" for name, sentence in fields.items()]
        super().__init__("\n".join(lines or [message]))
        self.fields = fields


class BusyError(OperationError):
    """The API did not accept the order; a retry may succeed."""


class ThrottledError(BusyError):
    """The API is throttled; a later retry succeeds."""


class _Failures(stop_base):
    """Ends after `ATTEMPTS` failures; being throttled does not count."""

    def __call__(self, attempt: RetryCallState) -> bool:
        error = attempt.outcome.exception() if attempt.outcome else None
        return attempt.attempt_number >= ATTEMPTS and not isinstance(error, ThrottledError)


class OrderClient:
    """Places orders at a stack's `POST /orders`; safe to use from several threads.

    An attempt that fails is repeated for up to `timeout` seconds.
    """

    def __init__(
        self, client: httpx.Client, url: str, *, timeout: float = RETRY_TIMEOUT, api_key: str | None = None
    ) -> None:
        self._client = client
        self._url = url
        self._headers = {"Content-Type": "application/json"} | ({"x-api-key": api_key} if api_key else {})
        self._closing = threading.Event()
        self._attempts = Retrying(
            retry=retry_if_exception_type(BusyError),
            wait=BACK_OFF,
            stop=_Failures() | stop_after_delay(timeout) | stop_when_event_set(self._closing),
            sleep=sleep_using_event(self._closing),
            reraise=True,
        )

    def place(self, body: str, key: str | None = None) -> str:
        """Send an order, valid or not, until it is accepted; return its id.

        All attempts have one idempotency key, so that a lost response does not make a second order. Raises
        RefusedError if the order is invalid, and BusyError if no attempt succeeded.
        """
        return self._attempts(self._send, body, key or str(uuid.uuid4()))

    def close(self) -> None:
        """End all retries; requests in flight still get their responses."""
        self._closing.set()

    def _send(self, body: str, key: str) -> str:
        try:
            headers = {**self._headers, "Idempotency-Key": key}
            response = self._client.post(self._url, content=body.encode(), headers=headers)
        except httpx.TransportError as error:
            raise BusyError(f"{self._url} is not reachable: {http.problem(error)}.") from error
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise ThrottledError(f"{self._url} returned {http.message_of(response)}.")
        if response.status_code in http.RETRYABLE:
            raise BusyError(f"{self._url} returned {http.message_of(response)}.")
        if not response.is_success:
            raise _refusal(self._url, response)
        try:
            return str(response.json()["orderId"])
        except (ValueError, KeyError, TypeError):
            problem = f"{self._url} returned {http.message_of(response)} without an order id."
            raise OperationError(problem) from None


def _refusal(url: str, response: httpx.Response) -> RefusedError:
    try:
        fields = response.json()["errors"]
        message = str(response.json().get("message") or "The order was refused.")
        return RefusedError(message, {str(name): str(sentence) for name, sentence in fields.items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        return RefusedError(f"{url} returned {http.message_of(response)}.", {})
