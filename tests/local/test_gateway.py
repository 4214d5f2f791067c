"""Requests that the gateway admits or refuses."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from local.emulator.gateway import Gateway, Served
from tests.local import asgi

GATEWAY = "127.0.0.1:4566"
PAGE = "d1a.cloudfront.localhost:4566"
API = "/_aws/execute-api/0a1b2c3d/prod"
KEYS = "/us-east-1_AbCdEfGhI/.well-known/jwks.json"
SERVED = Served(
    gateway=GATEWAY,
    page=PAGE,
    pages=["/order-status", "/order", "/"],
    files=["/config.js", "/cafe.css"],
    api=API,
    stage="/prod",
    methods=[
        ("POST", "/orders", False),
        ("GET", "/menu", False),
        ("GET", "/order-status", True),
        ("GET", "/track", False),
        ("PATCH", "/orders/{id}", True),
    ],
    user_pool="us-east-1_AbCdEfGhI",
)

SIGNATURE = "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/lambda/aws4_request, Signature=0"
SIGNED = {"Authorization": SIGNATURE}
AGENT = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}
NAVIGATION = {**AGENT, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
SAME_ORIGIN = {**AGENT, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
BEARER = {"Authorization": "Bearer eyJhbGciOi.eyJzdWIi.c2ln-_A"}
# Other sites, ports, names and schemes, a null and an empty origin.
FOREIGN_ORIGINS = [
    "https://evil.example",
    "http://127.0.0.1:8000",
    "http://localhost:4566",
    "http://evil.cloudfront.localhost:4566",
    f"https://{PAGE}",
    f"http://{PAGE}.",
    f"http://{PAGE}, http://{PAGE}",
    "http://d1a.cloudfront.localhost",
    "null",
    "",
]
# Every endpoint of the stack's own pages.
OWN = [
    (PAGE, "GET", "/", {}),
    (PAGE, "GET", "/order-status", {}),
    (PAGE, "HEAD", "/order", {}),
    (PAGE, "GET", "/config.js", {}),
    (PAGE, "GET", "/prod/order-status", BEARER),
    (PAGE, "GET", "/prod/menu", {}),
    (PAGE, "POST", "/prod/orders", JSON),
    (PAGE, "GET", "/prod/track", {"Track-Token": "1.a.b"}),
    (PAGE, "PATCH", "/prod/orders/7f4df1a3-0c2b", {**JSON, **BEARER}),
    (PAGE, "PATCH", "/prod/orders/shop:7%2E1", {**JSON, **BEARER}),
    ("localhost", "PATCH", f"{API}/orders/7f4df1a3-0c2b", {**JSON, **BEARER}),
    (GATEWAY, "GET", f"{API}/order-status", BEARER),
    (GATEWAY, "POST", f"{API}/orders", JSON),
    ("localhost", "GET", f"{API}/order-status", BEARER),
    ("localhost", "POST", f"{API}/orders", JSON),
    (GATEWAY, "POST", "/oauth2/token", FORM),
    (GATEWAY, "GET", "/oauth2/authorize", {}),
    (GATEWAY, "GET", "/logout", {}),
]
LOGIN = (GATEWAY, "POST", "/login", FORM)
NAVIGABLE = [
    (PAGE, "/"),
    (PAGE, "/order-status"),
    (PAGE, "/order"),
    (GATEWAY, "/oauth2/authorize"),
    (GATEWAY, "/logout"),
]


@dataclass
class Response:
    """A response, and whether the request reached MiniStack."""

    reached: bool = False
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Sender:
    """Sends requests to a gateway before an application that, like MiniStack, allows every origin."""

    def __init__(self, directory: Path, served: Served | None = SERVED) -> None:
        self.file = directory / "served.json"
        if served is not None:
            self.write(served)
        self.response = Response()
        self.gateway = Gateway(self._emulator, self.file)

    def write(self, served: Served) -> None:
        """Write what the stack serves."""
        self.file.write_text(json.dumps(dataclasses.asdict(served)))

    async def _emulator(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        self.response.reached = True
        cors = [(b"Access-Control-Allow-Origin", b"*"), (b"access-control-expose-headers", b"*")]
        await send({"type": "http.response.start", "status": 200, "headers": [*cors, (b"X-Kept", b"1")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | list[tuple[str, str]],
        *,
        kind: str = "http",
        version: str = "1.1",
    ) -> Response:
        """Send one request as the ASGI server would, and return the response."""
        path, _, query = target.partition("?")
        pairs = list(headers.items()) if isinstance(headers, Mapping) else headers
        scope = {
            "type": kind,
            "http_version": version,
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in pairs],
        }
        chunks: list[dict[str, Any]] = [
            {"type": "http.request", "body": b"x", "more_body": True},
            {"type": "http.request"},
        ]
        self.response = Response()

        async def receive() -> Mapping[str, Any]:
            return chunks.pop(0)

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.response.status = message["status"]
                self.response.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
            self.response.body += message.get("body", b"")

        asgi.run(self.gateway(scope, receive, send))
        return self.response


@pytest.fixture
def sender(tmp_path: Path) -> Sender:
    return Sender(tmp_path)


def refused(response: Response) -> bool:
    """Assert that the request did not reach MiniStack, and got a message without CORS headers."""
    assert not response.reached
    if response.status:
        assert response.status == 403
        assert json.loads(response.body)["message"].endswith(".")
        assert not [name for name in response.headers if name.startswith("access-control-")]
    return True


# AWS calls


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4566",
        "127.0.0.1",
        "localhost:4566",
        "LOCALHOST:4566",
        "bucket.localhost:4566",
        "my.bucket-1.s3.localhost",
        "127.0.0.1:39999",
    ],
)
@pytest.mark.parametrize("proof", [SIGNED, {"X-Amz-Target": "AmazonSQS.ListQueues"}])
def test_a_signed_call_of_a_program_is_admitted(sender: Sender, host: str, proof: dict[str, str]) -> None:
    agent = {"User-Agent": "Boto3/1.43 md/Botocore#1.43 ua/2.1"}
    for method, target in (("POST", "/"), ("PUT", "/b/a%2520b%25"), ("GET", "/b?prefix=a%2525&list-type=2")):
        assert sender.send(method, target, {"Host": host, **agent, **proof}).reached


@pytest.mark.parametrize(
    "proof",
    [
        {},
        BEARER,
        {"Authorization": "Bearer x Credential=test/20261122/us-east-1/lambda/aws4_request"},
        {"Authorization": "Bearer AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/lambda/aws4_request"},
        {"Authorization": "Basic AWS4-HMAC-SHA256"},
        {"Authorization": "AWS test:signature"},
        {"Authorization": "AWS4-ECDSA-P256-SHA256 Credential=test/20261122/lambda/aws4_request"},
        {"X-Amz-Date": "20261122T000000Z", "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"},
    ],
)
@pytest.mark.parametrize("host", [GATEWAY, "localhost", "evil.cloudfront.localhost:4566"])
def test_an_unsigned_call_is_refused(sender: Sender, host: str, proof: dict[str, str]) -> None:
    for method, target in (
        ("GET", "/?Action=CreateQueue&QueueName=stolen"),
        ("POST", "/"),
        ("POST", "/2015-03-31/functions"),
        ("GET", "/bucket/order-status"),
        ("POST", "/_ministack/reset"),
        ("OPTIONS", "/"),
        ("GET", "/oauth2/userInfo"),
        ("POST", "/oauth2/login"),
        ("GET", "/_aws/execute-api/ffffffff/prod/orders"),
        ("GET", "/restapis/0a1b2c3d/prod/_user_request_/menu"),
    ):
        assert refused(sender.send(method, target, {"Host": host, **proof}))


@pytest.mark.parametrize(
    "sign",
    [
        {"Origin": "https://evil.example"},
        {"Origin": f"http://{PAGE}"},
        {"Origin": f"http://{GATEWAY}"},
        {"ORIGIN": "null"},
        {"Referer": "https://evil.example/"},
        {"Sec-Fetch-Site": "none"},
        {"sec-fetch-site": "same-origin"},
        {"SEC-FETCH-MODE": "no-cors"},
        {"Sec-CH-UA": '"Chromium";v="140"'},
        {"Access-Control-Request-Headers": "authorization"},
        AGENT,
        {"user-agent": "MOZILLA/4.0 (compatible; MSIE 8.0)"},
        {"User-Agent": "Opera/9.80"},
        {"User-Agent": "Links (2.29; Linux x86_64)"},
    ],
)
@pytest.mark.parametrize("proof", [SIGNED, {"X-Amz-Target": "AmazonSQS.ListQueues"}, {**SIGNED, **JSON}])
@pytest.mark.parametrize("host", [GATEWAY, PAGE, "bucket.localhost:4566"])
def test_an_aws_call_with_a_browsers_header_is_refused(
    sender: Sender, host: str, proof: dict[str, str], sign: dict[str, str]
) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        assert refused(sender.send(method, "/", {"Host": host, **proof, **sign}))


@pytest.mark.parametrize(
    "name",
    [
        "X-Amz-Credential",
        "X%2DAmz%2DCredential",
        "%58-amz-%63redential",
        "x-amz-credential",
        "X-AMZ-CREDENTIAL",
        "X-Amz-Signature",
        "X-Amz-Algorithm",
        "X-Amz-Security-Token",
        "AWSAccessKeyId",
        "AWS%41ccessKeyId",
        "awsaccesskeyid",
    ],
)
@pytest.mark.parametrize("value", ["=test%2F20261122%2Fus-east-1%2Fsqs%2Faws4_request", "=", ""])
def test_credentials_in_the_query_are_refused_in_every_spelling(
    sender: Sender, name: str, value: str
) -> None:
    for query in (f"{name}{value}", f"a=b&{name}{value}&c"):
        assert refused(sender.send("GET", f"/bucket/key?{query}", {"Host": GATEWAY, **SIGNED}))
        assert refused(sender.send("GET", f"/?{query}", {"Host": PAGE}))
        assert refused(sender.send("GET", f"/order-status?{query}", {"Host": PAGE, **NAVIGATION}))
        assert refused(sender.send("GET", f"{API}/menu?{query}", {"Host": GATEWAY}))


@pytest.mark.parametrize("name", ["X%252DAmz%252DCredential", "a%2541", "%2541"])
def test_a_doubly_encoded_name_in_the_query_is_refused(sender: Sender, name: str) -> None:
    for host, headers in ((GATEWAY, SIGNED), (PAGE, {}), (PAGE, NAVIGATION)):
        assert refused(sender.send("GET", f"/?{name}=1", {"Host": host, **headers}))


# Hosts


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:4566",
        "localhost.evil.example:4566",
        "127.0.0.1.evil.example",
        "127.0.0.1.nip.io:4566",
        "evillocalhost:4566",
        "127.0.0.1.localhost.:4566",
        "localhost.",
        "127.0.0.1.:4566",
        f"{PAGE[:-5]}.:4566",
        "127.1:4566",
        "2130706433:4566",
        "0x7f.0.0.1:4566",
        "0.0.0.0:4566",
        "127.0.0.2:4566",
        "[::1]:4566",
        "[::ffff:127.0.0.1]:4566",
        "127.0.0.1:",
        "127.0.0.1:4566:4566",
        "127.0.0.1:4566, evil.example",
        "evil.example, 127.0.0.1:4566",
        "evil.example@127.0.0.1:4566",
        "127.0.0.1:4566/",
        "127.0.0.1:4566#",
        "127.0.0.1:٤٥٦٦",
        "..localhost",
        "bücket.localhost",
    ],
)
def test_dns_rebinding_is_refused(sender: Sender, host: str) -> None:
    for headers in (SIGNED, SAME_ORIGIN, NAVIGATION, {}):
        for target in ("/", "/order-status", f"{API}/menu", "/_ministack/health"):
            assert refused(sender.send("GET", target, {"Host": host, **headers}))


def test_a_request_with_two_hosts_or_none_is_refused(sender: Sender) -> None:
    for hosts in ([], ["evil.example", GATEWAY], [GATEWAY, "evil.example"], [GATEWAY, GATEWAY]):
        headers = [*(("Host", host) for host in hosts), ("Authorization", SIGNATURE)]
        assert refused(sender.send("POST", "/", headers, version="1.0"))


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("evil.cloudfront.localhost:4566", "/order-status"),
        ("evil.cloudfront.localhost:4566", "/prod/menu"),
        ("d1a.cloudfront.localhost", "/order-status"),
        ("d1a.cloudfront.localhost:4567", "/order-status"),
        ("x.d1a.cloudfront.localhost:4566", "/order-status"),
        (GATEWAY, "/order-status"),
        (GATEWAY, "/prod/menu"),
        ("127.0.0.1", f"{API}/menu"),
        ("127.0.0.1:4567", f"{API}/menu"),
        ("localhost:4567", f"{API}/menu"),
        ("localhost", "/oauth2/authorize"),
        (PAGE, "/oauth2/authorize"),
        (PAGE, f"{API}/menu"),
        (PAGE, KEYS),
        (GATEWAY, "/us-east-1_Another00/.well-known/jwks.json"),
    ],
)
def test_each_path_is_served_at_its_own_host_only(sender: Sender, host: str, target: str) -> None:
    for headers in ({}, SAME_ORIGIN, {**NAVIGATION, "Sec-Fetch-Site": "none"}, {"Origin": f"http://{PAGE}"}):
        assert refused(sender.send("GET", target, {"Host": host, **headers}))


# This stack's own pages, API and sign-in


@pytest.mark.parametrize(("host", "method", "target", "headers"), [*OWN, LOGIN])
def test_this_stacks_own_page_may_call_all_its_endpoints(
    sender: Sender, host: str, method: str, target: str, headers: dict[str, str]
) -> None:
    own = f"http://{GATEWAY if target == '/login' else PAGE}"
    assert sender.send(method, target, {"Host": host, **headers, **SAME_ORIGIN}).reached
    assert sender.send(method, target, {"Host": host, **headers, **AGENT, "Origin": own}).reached
    across = {**AGENT, "Origin": own, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    assert sender.send(method, f"{target}?kiosk", {"HOST": host.upper(), **headers, **across}).reached


@pytest.mark.parametrize(("host", "method", "target", "headers"), [*OWN, LOGIN])
def test_a_program_may_call_them_too(
    sender: Sender, host: str, method: str, target: str, headers: dict[str, str]
) -> None:
    for agent in ({}, {"User-Agent": "curl/8.14.1", "Accept": "*/*"}):
        assert sender.send(method, target, {"Host": host, **headers, **agent}).reached


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
@pytest.mark.parametrize(("host", "method", "target", "headers"), [*OWN, LOGIN])
def test_a_foreign_origin_is_refused_with_any_headers(
    sender: Sender, host: str, method: str, target: str, headers: dict[str, str], origin: str
) -> None:
    for more in ({}, AGENT, SAME_ORIGIN, {**NAVIGATION, "Sec-Fetch-Site": "none"}, SIGNED):
        assert refused(sender.send(method, target, {"Host": host, **headers, **more, "Origin": origin}))


@pytest.mark.parametrize(("host", "method", "target", "headers"), [*OWN, LOGIN])
@pytest.mark.parametrize(
    "site", ["same-site", "cross-site", "none", "SAME-ORIGIN", "same-origin, same-origin", ""]
)
def test_any_other_header_of_a_browser_is_refused(
    sender: Sender, host: str, method: str, target: str, headers: dict[str, str], site: str
) -> None:
    for sign in ({"Sec-Fetch-Site": site}, {**AGENT, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}):
        assert refused(sender.send(method, target, {"Host": host, **headers, **sign}))
    for sign in (AGENT, {"Referer": f"http://{PAGE}/"}, {"Sec-Fetch-Dest": "image"}, {"Sec-CH-UA": "x"}):
        assert refused(sender.send(method, target, {"Host": host, **headers, **sign}))


@pytest.mark.parametrize(
    "agent",
    [
        "Lynx/2.9.0dev.12 libwww-FM/2.14",
        "w3m/0.5.3+git20230121",
        "Links (2.29; Linux x86_64; GNU C)",
        "ELinks/0.16.1.1 (textmode; Linux x86_64)",
        "Dillo/3.1.1",
        "NetSurf/3.11 (Linux)",
        "UCWEB/2.0 (MIDP-2.0)",
    ],
)
@pytest.mark.parametrize("target", ["/prod/orders", "/prod/order-status"])
def test_a_browser_that_sends_only_its_user_agent_is_refused(sender: Sender, agent: str, target: str) -> None:
    for method, headers in (("GET", {}), ("POST", {"Content-Type": "text/plain"}), ("POST", JSON)):
        assert refused(sender.send(method, target, {"Host": PAGE, "User-Agent": agent, **headers}))


@pytest.mark.parametrize("site", ["none", "cross-site", "same-site"])
@pytest.mark.parametrize(("host", "target"), NAVIGABLE)
def test_a_user_may_open_a_page_and_the_sign_in(sender: Sender, host: str, target: str, site: str) -> None:
    opening = {"Host": host, **NAVIGATION, "Sec-Fetch-Site": site}
    assert sender.send("GET", f"{target}?a=b%2525", opening).reached
    for change in (
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Mode": "nested-navigate"},
        {"Sec-Purpose": "prefetch"},
        {"Purpose": "prefetch"},
        {"Origin": "null"},
        SIGNED,
        BEARER,
    ):
        assert refused(sender.send("GET", target, {**opening, **change}))
    for method in ("POST", "HEAD", "PUT", "OPTIONS"):
        assert refused(sender.send(method, target, opening))


@pytest.mark.parametrize("host", [PAGE, GATEWAY, "localhost"])
@pytest.mark.parametrize(
    "target",
    [
        "/config.js",
        "/prod/menu",
        f"{API}/order-status",
        "/oauth2/token",
        "/login",
        KEYS,
        "/_ministack/health",
    ],
)
def test_other_paths_cannot_be_opened_in_a_tab(sender: Sender, host: str, target: str) -> None:
    for site in ("none", "cross-site"):
        assert refused(sender.send("GET", target, {"Host": host, **NAVIGATION, "Sec-Fetch-Site": site}))


@pytest.mark.parametrize(
    ("host", "method", "target", "headers"),
    [
        (PAGE, "POST", "/prod/orders", {}),
        (PAGE, "POST", "/prod/orders", {"Content-Type": "text/plain"}),
        (PAGE, "POST", "/prod/orders", {"Content-Type": "text/plain;application/json"}),
        (PAGE, "POST", "/prod/orders", {"Content-Type": "application/x-www-form-urlencoded"}),
        (PAGE, "POST", "/prod/orders", {"Content-Type": "multipart/form-data; boundary=application/json"}),
        (PAGE, "PUT", "/prod/orders", JSON),
        (PAGE, "DELETE", "/prod/orders", {}),
        (PAGE, "OPTIONS", "/prod/orders", {"Access-Control-Request-Method": "POST"}),
        (PAGE, "GET", "/prod/orders", {}),
        (PAGE, "GET", "/prod/admin", {}),
        (PAGE, "GET", "/prod/menu", SIGNED),
        (PAGE, "GET", "/prod/menu", {"Authorization": "Basic dGVzdDp0ZXN0"}),
        (
            PAGE,
            "GET",
            "/prod/menu",
            {"Authorization": "Bearer a Credential=test/20261122/us-east-1/s3/aws4_request"},
        ),
        (
            PAGE,
            "GET",
            "/prod/menu",
            {"Authorization": "Bearer Credential=test/20261122/us-east-1/s3/aws4_request"},
        ),
        (PAGE, "GET", "/order-status", BEARER),
        (PAGE, "GET", "/prod/menu", BEARER),
        (PAGE, "POST", "/prod/orders", {**JSON, **BEARER}),
        (PAGE, "POST", "/order-status", JSON),
        (PAGE, "GET", "/nothing", {}),
        (PAGE, "GET", "/_ministack/health", {}),
        (GATEWAY, "POST", "/oauth2/token", JSON),
        (GATEWAY, "POST", "/oauth2/token", {**FORM, **BEARER}),
        (GATEWAY, "GET", "/oauth2/token", {}),
        (GATEWAY, "POST", "/oauth2/revoke", FORM),
        (GATEWAY, "GET", "/oauth2/userInfo", BEARER),
        (GATEWAY, "POST", "/login", {"Content-Type": "text/plain"}),
    ],
)
def test_this_stacks_own_page_may_send_listed_requests_only(
    sender: Sender, host: str, method: str, target: str, headers: dict[str, str]
) -> None:
    for own in (SAME_ORIGIN, {**AGENT, "Origin": f"http://{PAGE}"}):
        assert refused(sender.send(method, target, {"Host": host, **headers, **own}))


@pytest.mark.parametrize(
    "target",
    [
        "/prod/menu/",
        "//prod/menu",
        "/prod//menu",
        "/prod/./menu",
        "/prod/x/../menu",
        "/PROD/menu",
        "/prod/MENU",
        "/prod/menu;a",
        "/prod%252Fmenu",
        "/prod/m%2565nu",
        "/prod/menu%00",
        "/prod/menu%0d%0a",
        "/prod\\menu",
        "/order-status/",
        "//order-status",
        "/order%252Dstatus",
    ],
)
def test_another_spelling_of_a_path_is_refused_from_browsers(sender: Sender, target: str) -> None:
    for own in (SAME_ORIGIN, {**AGENT, "Origin": f"http://{PAGE}"}):
        assert refused(sender.send("GET", target, {"Host": PAGE, **own}))
    assert refused(sender.send("GET", target, {"Host": PAGE, **NAVIGATION, "Sec-Fetch-Site": "none"}))


@pytest.mark.parametrize(
    "path",
    ["/", "/..", "/.", "/%2e%2e", "/a/b", "/a%2Fb", "/{id}", "/%7Bid%7D", "/a b", "/é", "/" + "a" * 65, ""],
)
def test_only_a_valid_order_id_matches_in_a_path(sender: Sender, path: str) -> None:
    own = {"Host": PAGE, **JSON, **BEARER, **SAME_ORIGIN}
    assert refused(sender.send("PATCH", f"/prod/orders{path}", own))
    assert refused(sender.send("GET", "/prod/orders/7f4df1a3", own))


@pytest.mark.parametrize("target", ["/prod/m%65nu", "/prod%2Fmenu", "/%70rod/menu", "/order%2dstatus"])
def test_a_path_is_decoded_once_before_comparison(sender: Sender, target: str) -> None:
    assert sender.send("GET", target, {"Host": PAGE, **SAME_ORIGIN}).reached


@pytest.mark.parametrize("path", ["/admin", "/orders/", "//menu", "/menu/../orders", "/"])
def test_a_program_may_request_unknown_paths_of_the_api(sender: Sender, path: str) -> None:
    for host, stage in ((GATEWAY, API), (PAGE, "/prod"), ("localhost", API)):
        for method in ("GET", "POST", "DELETE"):
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            assert sender.send(method, stage + path, {"Host": host, **form}).reached
            assert refused(sender.send(method, stage + path, {"Host": host, **AGENT}))
            assert refused(sender.send(method, stage + path, {"Host": host, "Authorization": "Basic eDp5"}))
        assert refused(sender.send("GET", f"{stage}/m%2565nu", {"Host": host}))
        assert refused(sender.send("GET", f"{stage}2{path}", {"Host": host}))
    assert refused(sender.send("GET", f"/_aws/execute-api/ffffffff/prod{path}", {"Host": GATEWAY}))


def test_programs_may_read_the_health_and_the_pools_public_keys(sender: Sender) -> None:
    assert sender.send("GET", "/_ministack/health", {"Host": GATEWAY}).reached
    assert sender.send("GET", KEYS, {"Host": "localhost:4566"}).reached
    for headers in (AGENT, {"Sec-Fetch-Site": "none"}, {"Origin": f"http://{PAGE}"}):
        assert refused(sender.send("GET", "/_ministack/health", {"Host": GATEWAY, **headers}))
        assert refused(sender.send("GET", KEYS, {"Host": "localhost:4566", **headers}))
    for target in ("/_ministack/health/", "/_ministack/ready", "/_localstack/health", "/health"):
        assert refused(sender.send("GET", target, {"Host": GATEWAY}))


def test_without_a_user_pool_the_sign_in_is_refused(tmp_path: Path) -> None:
    sender = Sender(tmp_path, dataclasses.replace(SERVED, user_pool=""))
    for method, target in (("GET", "/oauth2/authorize"), ("POST", "/login"), ("POST", "/oauth2/token")):
        assert refused(sender.send(method, target, {"Host": GATEWAY, **FORM, "Origin": f"http://{PAGE}"}))
        assert refused(sender.send(method, target, {"Host": GATEWAY, **FORM}))


def test_only_aws_calls_and_the_health_are_admitted_until_the_stack_is_deployed(tmp_path: Path) -> None:
    sender = Sender(tmp_path, served=None)
    for host, method, target, headers in (*OWN, LOGIN):
        for more in ({}, SAME_ORIGIN, NAVIGATION, {"Origin": f"http://{PAGE}"}):
            assert refused(sender.send(method, target, {"Host": host, **headers, **more}))
    assert sender.send("POST", "/", {"Host": GATEWAY, **SIGNED}).reached
    assert sender.send("GET", "/_ministack/health", {"Host": GATEWAY}).reached
    sender.write(SERVED)
    assert sender.send("GET", "/order-status", {"Host": PAGE}).reached


def test_port_80_may_be_omitted(tmp_path: Path) -> None:
    sender = Sender(
        tmp_path, dataclasses.replace(SERVED, gateway="127.0.0.1", page="d1a.cloudfront.localhost")
    )
    for port in ("", ":80"):
        own = {
            "Host": f"d1a.cloudfront.localhost{port}",
            **AGENT,
            "Origin": "http://d1a.cloudfront.localhost",
        }
        assert sender.send("POST", "/prod/orders", {**own, **JSON}).reached
        assert sender.send("GET", KEYS, {"Host": f"localhost{port}"}).reached
        assert refused(sender.send("POST", "/prod/orders", {**own, **JSON, "Host": f"{own['Host']}80"}))


def test_a_stack_without_page_or_api_serves_neither(tmp_path: Path) -> None:
    sender = Sender(tmp_path, Served(gateway=GATEWAY))
    for host in ("", GATEWAY, "localhost", PAGE):
        for target in ("/", "//", "/orders", "/prod/orders"):
            assert refused(sender.send("GET", target, {"Host": host}))


# Protocols


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:4566/", f"http://{PAGE}/order-status", "*", "a:443", ""]
)
def test_a_target_that_is_not_a_path_is_refused(sender: Sender, target: str) -> None:
    for host, headers in ((GATEWAY, SIGNED), (PAGE, {}), (PAGE, SAME_ORIGIN)):
        assert refused(sender.send("GET", target, {"Host": host, **headers}))


def test_http_2_is_refused(sender: Sender) -> None:
    assert refused(sender.send("POST", "/", {"Host": GATEWAY, **SIGNED}, version="2"))


@pytest.mark.parametrize("target", ["/", "/order-status", f"{API}/menu", "/_aws/execute-api/0a1b2c3d/prod"])
@pytest.mark.parametrize(
    "headers", [SIGNED, {"Origin": f"http://{PAGE}"}, {"Origin": "https://evil.example"}, {}]
)
def test_web_sockets_are_refused(sender: Sender, target: str, headers: dict[str, str]) -> None:
    for host in (GATEWAY, PAGE, "x.execute-api.localhost:4566", "a.iot.us-east-1.localhost:4566"):
        assert refused(sender.send("GET", target, {"Host": host, **headers}, kind="websocket"))


# CORS


def test_only_this_stacks_page_gets_cors_headers_and_only_for_tokens(sender: Sender) -> None:
    own = {**AGENT, "Origin": f"http://{PAGE}"}
    for host, method, target, headers in OWN:
        response = sender.send(method, target, {"Host": host, **headers, **own})
        assert response.headers["x-kept"] == "1"
        allowed = {k: v for k, v in response.headers.items() if k.startswith("access-control-")}
        expected = {"access-control-allow-origin": f"http://{PAGE}"} if target == "/oauth2/token" else {}
        assert allowed == expected
    for headers in (FORM, {**FORM, **SAME_ORIGIN}):
        response = sender.send("POST", "/oauth2/token", {"Host": GATEWAY, **headers})
        assert response.reached
        assert not [name for name in response.headers if name.startswith("access-control-")]
    call = sender.send("POST", "/", {"Host": GATEWAY, **SIGNED})
    assert call.reached
    assert set(call.headers) == {"x-kept"}


# Any request of a foreign page

_sites = st.sampled_from(["cross-site", "same-site", "none"])
_words = st.sampled_from(
    ["no-cors", "cors", "navigate", "same-origin", "websocket", "document", "empty", "iframe"]
)
_targets = st.sampled_from(
    sorted({target for _, _, target, _ in (*OWN, LOGIN)} | {"/", "/2015-03-31/functions", KEYS})
)
_more = st.dictionaries(
    st.sampled_from(
        ["Authorization", "X-Amz-Target", "Content-Type", "Cookie", "X-Api-Key", "Accept", "Host2"]
    ),
    st.sampled_from([SIGNATURE, BEARER["Authorization"], *JSON.values(), *FORM.values(), "text/plain", "x"]),
)


@given(
    host=st.sampled_from([GATEWAY, PAGE, "localhost", "localhost:4566", "evil.cloudfront.localhost:4566"]),
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]),
    target=_targets,
    query=st.text("aX-mz%25=&/", max_size=12),
    origin=st.none() | st.sampled_from(FOREIGN_ORIGINS),
    site=_sites,
    mode=_words,
    destination=_words,
    more=_more,
)
def test_a_foreign_page_can_only_open_pages(
    tmp_path_factory: pytest.TempPathFactory,
    host: str,
    method: str,
    target: str,
    query: str,
    origin: str | None,
    site: str,
    mode: str,
    destination: str,
    more: dict[str, str],
) -> None:
    sender = Sender(tmp_path_factory.mktemp("gateway"))
    by_itself = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": destination}
    headers = {"Host": host, **AGENT, **more, **by_itself, **({} if origin is None else {"Origin": origin})}
    opens = method == "GET" and origin is None and (mode, destination) == ("navigate", "document")
    assume(not (opens and (host, target) in NAVIGABLE))
    assert refused(sender.send(method, f"{target}?{query}", headers))
