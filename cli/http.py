"""HTTP to a stack: one client for AWS and for the local stack."""

import ssl
from typing import Any

import httpx

from cli import environment

# An API call may wait for a cold start; API Gateway times out after 29 seconds.
TIMEOUT = httpx.Timeout(30, connect=5)
# Errors of a server that fails or restarts; a retry may succeed.
RETRYABLE = frozenset({500, 502, 503, 504})
HEADERS = {"User-Agent": "cafe"}
LOCAL_NAMES = ("localhost", "*.localhost", "127.0.0.1")


class LoopbackTransport(httpx.HTTPTransport):
    """Connects to 127.0.0.1 for `*.localhost`, as browsers do; most resolvers do not know these names.

    The `Host` header keeps the name, by which the local CloudFront finds the distribution.
    """

    def __init__(self, **options: Any) -> None:
        # The local stack has no TLS: this context trusts no certificate, and reads no environment variable.
        super().__init__(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), **options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the loopback address."""
        request.url = request.url.copy_with(host="127.0.0.1")
        return super().handle_request(request)


def client(endpoint: str | None, connections: int = 1) -> httpx.Client:
    """Return a client with at most `connections` open connections, all kept alive.

    The local stack's endpoint is at the loopback address, and not behind a proxy. On AWS, where it is None,
    the environment's proxies and certificates are used; a wrong variable raises SetUpError.
    """
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    options: dict[str, Any] = {"timeout": TIMEOUT, "headers": HEADERS}
    if endpoint is not None:
        return httpx.Client(trust_env=False, transport=LoopbackTransport(limits=limits), **options)
    environment.check()
    local = {f"all://{name}": LoopbackTransport(limits=limits) for name in LOCAL_NAMES}
    try:
        return httpx.Client(limits=limits, mounts=local, **options)
    except (ValueError, httpx.InvalidURL) as error:
        raise environment.wrong("NO_PROXY", error) from None


def problem(error: httpx.HTTPError) -> str:
    """Return the reason of a missing response."""
    if isinstance(error, httpx.TimeoutException):
        return "no response in time"
    if isinstance(error, httpx.ConnectError):
        return f"no connection ({error})"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def message_of(response: httpx.Response) -> str:
    """Return an error response's status and message, without a full stop at the end."""
    try:
        message = response.json().get("message")
    except (ValueError, AttributeError):  # it is not JSON, or not an object
        message = None
    status = f"{response.status_code} {response.reason_phrase}".strip()
    return f"{status}: {str(message).rstrip('.')}" if message else status
