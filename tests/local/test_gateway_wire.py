"""Raw requests to the gateway of a running stack, such as no HTTP client sends."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.local_stack import LocalStack

TIMEOUT = 60.0  # seconds
QUEUE = "stolen-by-wire"
CREATE = f"Action=CreateQueue&QueueName={QUEUE}&Version=2012-11-05"
SIGNED = "Authorization: AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/sqs/aws4_request, Signature=0"
FORM = "Content-Type: application/x-www-form-urlencoded"
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)


@dataclass(frozen=True, kw_only=True)
class Wire:
    """Connections to the gateway."""

    port: int
    page: str
    api: str

    def send(self, text: str) -> str:
        """Send a text unchanged; return all data until the connection is closed."""
        text = text.format(port=self.port, page=self.page, api=self.api, signed=SIGNED, form=FORM)
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT) as connection:
            connection.sendall(text.encode("latin-1"))
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        return received.decode("latin-1")


@pytest.fixture
def wire(local_stack: LocalStack) -> Wire:
    page, api = (urlsplit(local_stack.outputs[name]) for name in ("page_url", "api_url"))
    return Wire(port=page.port or 80, page=page.netloc, api=api.path)


def statuses(response: str) -> list[str]:
    """Return the status of each response in the data."""
    return [line.split(" ")[1] for line in response.split("\r\n") if line.startswith("HTTP/1.1 ")]


@pytest.mark.parametrize(
    "text",
    [
        # Some are refused by the server's parser, the others by the gateway.
        "POST / HTTP/1.0\r\n{signed}\r\n\r\n",
        "POST / HTTP/1.1\r\n{signed}\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n{signed}\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1:{port}\r\n{signed}\r\n\r\n",
        "POST / HTTP/1.1\r\nHost : 127.0.0.1:{port}\r\n{signed}\r\nConnection: close\r\n\r\n",
        # Absolute targets.
        "POST http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{signed}\r\n\r\n",
        "GET http://{page}/order-status HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET http://{page}/order-status HTTP/1.1\r\nHost: {page}\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{signed}\r\n\r\n",
        "CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{signed}\r\n\r\n",
        # Unsupported versions.
        "POST / HTTP/3.0\r\nHost: 127.0.0.1:{port}\r\n{signed}\r\n\r\n",
        # Names in any case, values on the next line.
        "post / HTTP/1.1\r\nhost: LOCALHOST:{port}\r\n{signed}\r\noRIGIN: null\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{signed}\r\nOrigin:\r\n http://evil.example\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{signed}\r\nUser-Agent:\r\n\tMozilla/5.0\r\n\r\n",
        "GET /order-status HTTP/1.1\r\nHost: {page}\r\nOrigin: http://{page}\r\nOrigin: null\r\n\r\n",
        "GET /order-status HTTP/1.1\r\nHost: {page}\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: none"
        "\r\n\r\n",
        # Paths.
        "GET /order%252Dstatus HTTP/1.1\r\nHost: {page}\r\n\r\n",
        "GET /order-status%00 HTTP/1.1\r\nHost: {page}\r\n\r\n",
        "GET /order-status#x HTTP/1.1\r\nHost: {page}\r\n\r\n",
        "GET {api}/menu HTTP/1.1\r\nHost: [::1]:{port}\r\n\r\n",
        "GET {api}/menu HTTP/1.1\r\nHost: 127.0.0.1.:{port}\r\n\r\n",
        "GET /order-status HTTP/1.1\r\nHost: {page}.\r\n\r\n",
    ],
)
def test_a_malformed_request_is_refused(wire: Wire, text: str) -> None:
    response = wire.send(text)
    assert statuses(response) in (["403"], ["400"]), response
    assert "access-control" not in response.lower()
    assert "<html" not in response.lower()


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: {length}\r\n\r\n{body}",
        "Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n",
        "Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n{body}",
    ],
)
def test_a_refused_body_is_read_and_has_no_effect(wire: Wire, local_stack: LocalStack, framing: str) -> None:
    framed = framing.replace("{body}", CREATE).replace("{length}", str(len(CREATE)))
    framed = framed.replace("{size:x}", f"{len(CREATE):x}")
    response = wire.send(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{signed}\r\n{form}\r\nOrigin: null\r\n" + framed
    )
    assert statuses(response)[-1] == "403"
    assert not queues(local_stack)


@pytest.mark.parametrize(
    "framing",
    ["Content-Length: 0\r\n\r\n", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
)
def test_data_after_a_refused_request_is_not_parsed_as_another(
    wire: Wire, local_stack: LocalStack, framing: str
) -> None:
    call = f"{{signed}}\r\n{{form}}\r\nContent-Length: {len(CREATE)}\r\n\r\n{CREATE}"
    host = "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    response = wire.send(f"{host}Origin: null\r\n{framing}{host}{call}")
    assert statuses(response) == ["403"]
    assert not queues(local_stack)


def test_a_body_that_looks_like_a_request_is_not_parsed_as_one(wire: Wire, local_stack: LocalStack) -> None:
    inner = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{wire.port}\r\n{SIGNED}\r\n{FORM}\r\n"
    inner += f"Content-Length: {len(CREATE)}\r\n\r\n{CREATE}"
    head = "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: null\r\nContent-Type: text/plain\r\n"
    assert statuses(wire.send(f"{head}Content-Length: {len(inner)}\r\n\r\n{inner}")) == ["403"]
    assert not queues(local_stack)


@pytest.mark.parametrize("host", ["{page}", "127.0.0.1:{port}", "x.appsync-realtime-api.localhost:{port}"])
@pytest.mark.parametrize("target", ["/order-status", "{api}", "{api}/orders"])
def test_web_sockets_are_refused(wire: Wire, host: str, target: str) -> None:
    for headers in (UPGRADE, f"{{signed}}\r\n{UPGRADE}", f"Origin: http://{{page}}\r\n{UPGRADE}"):
        assert statuses(wire.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n\r\n")) == ["403"]


def test_an_upgrade_to_http_2_is_refused(wire: Wire, local_stack: LocalStack) -> None:
    upgrade = "Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"
    with socket.create_connection(("127.0.0.1", wire.port), timeout=TIMEOUT) as connection:
        request = f"GET /?{CREATE} HTTP/1.1\r\nHost: 127.0.0.1:{wire.port}\r\n{SIGNED}\r\n{upgrade}\r\n\r\n"
        connection.sendall(request.encode())
        received = b""
        while b"refused this request" not in received:  # in a frame of HTTP/2
            chunk = connection.recv(65536)
            assert chunk, received
            received += chunk
    assert not queues(local_stack)


def test_a_page_with_the_query_of_a_call_is_served_as_the_page(wire: Wire, local_stack: LocalStack) -> None:
    response = wire.send(f"GET /?{CREATE} HTTP/1.1\r\nHost: {{page}}\r\nConnection: close\r\n\r\n")
    assert statuses(response) == ["200"]
    assert "<title>Cafe orders" in response
    assert not queues(local_stack)


@pytest.mark.parametrize(
    "text",
    [
        "GET /order-status HTTP/1.0\r\nHost: {page}\r\n\r\n",
        "get /order%2Dstatus HTTP/1.1\r\nHOST: {page}\r\nConnection: close\r\n\r\n",
        "GET /_ministack/health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: localhost\r\n{signed}\r\n{form}\r\nContent-Length: 36\r\n\r\n"
        "Action=ListQueues&Version=2012-11-05",
    ],
)
def test_header_names_in_any_case_and_http_1_0_are_accepted(wire: Wire, text: str) -> None:
    assert statuses(wire.send(text)) == ["200"]


def queues(stack: LocalStack) -> list[str]:
    """Return the URLs of queues that these tests' calls created."""
    found: list[str] = stack.client("sqs").list_queues(QueueNamePrefix=QUEUE).get("QueueUrls", [])
    return found
