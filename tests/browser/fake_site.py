"""A web server that serves web/ as CloudFront does, with a fake API and a fake Cognito user pool."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlencode

from infra.web_files import CONTENT_SECURITY_POLICY, CONTENT_TYPES, WEB, cache_control
from tests.browser.fake_order_api import FakeOrderApi
from tests.browser.responses import order_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

API_PATH = "/prod/order-status"
MENU_PATH = "/prod/menu"
ORDERS_PATH = "/prod/orders"
SCREEN_PATHS = KITCHEN_PATH, READY_PATH, TRACK_PATH = ("/prod/kitchen", "/prod/ready", "/prod/track")
PAGES = {
    "/": "order-status.html",
    "/order-status": "order-status.html",
    **{f"/{name}": f"{name}.html" for name in ("order", "kitchen", "ready", "track")},
}
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
FONTS = Path(__file__).with_name("fonts")
MAX_HOLD = 120  # seconds; a test that forgets to release a response does not hang
SETTINGS: dict[str, Any] = {
    "apiBase": "/prod",
    "timeZone": "Europe/London",
    "locale": "en-GB",
    "access": "public",
    "signIn": None,
    "staffSignIn": None,
    "warnMinutes": 3,
    "overdueMinutes": 6,
    "ordersApiKey": False,
    "version": "1",
}
MENU = [{"item": "Coffee", "price": 3}, {"item": "Latte", "price": 5}, {"item": "Tea", "price": 2}]


@dataclass
class UserPool:
    """A sign-in service that signs in every user at once, and verifies OAuth 2 with PKCE."""

    client_id: str = "the-page"
    lifetime: int = 3600  # seconds until an access token expires
    groups: list[str] | None = None  # in the access token; None: the page cannot decode it
    refusal: str = ""  # the error_description of a refused sign-in; empty: sign-ins succeed
    rejects_refresh: bool = False
    unreachable: bool = False
    state: str | None = None  # returned in place of the request's own
    access_token: str = ""  # the one that the API accepts
    issued: int = 0  # number of access tokens
    grants: list[str] = field(default_factory=list)  # the grant type of each token request
    authorizations: list[dict[str, str]] = field(default_factory=list)  # requests of the sign-in page
    signed_out: list[dict[str, str]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)

    def authorize(self, request: dict[str, str]) -> str:
        """Return the URL to which the sign-in page redirects the browser."""
        self.authorizations.append(request)
        state = request["state"] if self.state is None else self.state
        result = {"code": f"code-{len(self.authorizations)}", "state": state}
        if self.refusal:
            result = {"error": "access_denied", "error_description": self.refusal, "state": state}
        return f"{request['redirect_uri']}?{urlencode(result)}"

    def tokens(self, request: dict[str, str]) -> dict[str, Any] | None:
        """Return tokens for a code or a refresh token, or None if the request is invalid."""
        grant = request["grant_type"]
        self.grants.append(grant)
        if request["client_id"] != self.client_id:
            return None
        if grant == "authorization_code" and not self._is_proven(request):
            return None
        if grant == "refresh_token" and (self.rejects_refresh or request["refresh_token"] != "refresh"):
            return None
        self.issued += 1
        self.access_token = f"access-{self.issued}"
        if self.groups is not None:
            claims = json.dumps({"cognito:groups": self.groups}).encode()
            self.access_token += f".{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"
        tokens = {"access_token": self.access_token, "expires_in": self.lifetime, "token_type": "Bearer"}
        return tokens if grant == "refresh_token" else {**tokens, "refresh_token": "refresh"}

    def _is_proven(self, request: dict[str, str]) -> bool:
        authorization = self.authorizations[-1]
        digest = hashlib.sha256(request["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return (
            request["code"] == f"code-{len(self.authorizations)}"
            and authorization["code_challenge_method"] == "S256"
            and challenge == authorization["code_challenge"]
            and request["redirect_uri"] == authorization["redirect_uri"]
        )


@dataclass
class FakeSite:
    """The responses of the server, which a test may change at any time, and the requests that it received."""

    url: str = ""
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))
    config: str | None = None  # the text of config.js, in place of the settings
    config_status: int = HTTPStatus.OK
    response: Mapping[str, Any] | str = field(
        default_factory=lambda: order_status([])
    )  # a text is sent as is
    make_response: Callable[[], Mapping[str, Any]] | None = None  # called for each request, if set
    status: int = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)  # added to the response; it has no Date of its own
    etags: bool = False  # whether the order status has an ETag
    unreachable: bool = False  # close the connection instead of responding
    menu: Any = field(default_factory=lambda: {"menu": MENU})
    menu_status: int = HTTPStatus.OK
    order_response_status: int = HTTPStatus.ACCEPTED
    order_response: Mapping[str, Any] | str = field(
        default_factory=lambda: {"orderId": "3f2a9c04-7d1e-4b6a", "message": "Order accepted"}
    )
    order_api: FakeOrderApi = field(default_factory=FakeOrderApi)
    user_pool: UserPool | None = None
    font: str | None = None  # "wide" or "narrow": served in place of the pages' own fonts
    fonts_released: threading.Event = field(
        default_factory=threading.Event
    )  # until then, fonts are held back
    requests: list[str] = field(default_factory=list)  # every path, in order
    tokens: list[str] = field(default_factory=list)  # the Authorization header of each request to the API
    not_modified: int = 0  # number of 304 responses
    orders: list[tuple[dict[str, Any], dict[str, str]]] = field(default_factory=list)  # bodies and headers
    max_in_flight: int = 0  # the most requests to the API at one time

    def __post_init__(self) -> None:
        self._responses_released = threading.Event()
        self._responses_released.set()
        self.fonts_released.set()
        self._lock = threading.Lock()
        self._in_flight = 0

    @property
    def status_requests(self) -> int:
        """The number of requests for the order status."""
        return self.requests.count(API_PATH)

    def require_sign_in(self) -> UserPool:
        """Refuse the order status to users who are not signed in."""
        self.user_pool = UserPool()
        sign_in = {"domain": f"{self.url}/pool", "clientId": "the-page", "scope": "openid cafe/status.read"}
        self.settings |= {"access": "login", "signIn": sign_in, "staffSignIn": sign_in}
        return self.user_pool

    def hold_responses(self) -> None:
        """Hold the API's responses back until `release_responses`."""
        self._responses_released.clear()

    def release_responses(self) -> None:
        """Send the responses that were held back, and later ones at once."""
        self._responses_released.set()

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request as in flight, and wait while responses are held back."""
        with self._lock:
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            self._responses_released.wait(MAX_HOLD)
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    def etag(self) -> str:
        """Return the ETag of the current response."""
        return _etag(self.response)

    def body(self) -> bytes:
        """Return the body of the current response; `generated_at` is now unless the response has its own."""
        if self.make_response:
            self.response = self.make_response()
        if isinstance(self.response, str):
            return self.response.encode()
        return json.dumps({"generated_at": f"now {time.monotonic_ns()}", **self.response}).encode()


def _file_for(path: str) -> Path | None:
    """Return the file directly under web/ that is served at a path, or None."""
    if path in PAGES:
        return WEB / PAGES[path]
    file = WEB / path.removeprefix("/")
    is_served = file.parent == WEB and file.suffix in CONTENT_TYPES and file.is_file()
    return file if is_served and file.name not in PAGES.values() else None


def _font_for(name: str, own: Path) -> bytes:
    """Return the test font of this name with the weight of one of the pages' own fonts."""
    weight = "600" if "-600." in own.name else "400"
    return (FONTS / f"{name}-{weight}.woff2").read_bytes()


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0, the default, on purpose: on a reused connection, the browser itself would retry a request.
    server: _Server

    def do_GET(self) -> None:  # the name is the standard library's
        site = self.server.site
        path, _, query = self.path.partition("?")
        site.requests.append(path)
        if path == API_PATH:
            self._send_order_status(site)
        elif path == MENU_PATH:
            self._send_json(site.menu_status, site.menu)
        elif path in SCREEN_PATHS:
            self._send_order_api(site, path)
        elif path == "/config.js":
            settings = f"export const settings = {json.dumps(site.settings)};\n"
            text = settings if site.config is None else site.config
            self._send(site.config_status, CONTENT_TYPES[".js"], text.encode())
        elif path.startswith("/pool/") and site.user_pool:
            self._redirect(site.user_pool, path, _fields(query))
        elif file := _file_for(path):
            self._send_file(site, file)
        else:
            # A private bucket responds 403 for a missing object.
            self._send(HTTPStatus.FORBIDDEN, "application/xml", b"<Error><Code>AccessDenied</Code></Error>")

    def do_POST(self) -> None:  # the name is the standard library's
        site = self.server.site
        site.requests.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == ORDERS_PATH:
            with site.in_flight():
                site.orders.append((json.loads(body), {k.lower(): v for k, v in self.headers.items()}))
                if site.unreachable:
                    self.close_connection = True
                    return
                self._send_json(site.order_response_status, site.order_response)
        elif site.user_pool and not site.user_pool.unreachable:
            self._send_tokens(site.user_pool, _fields(body))
        else:
            self.close_connection = True

    def do_PATCH(self) -> None:  # the name is the standard library's
        site = self.server.site
        site.requests.append(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with site.in_flight():
            if site.unreachable:
                self.close_connection = True
            elif not self._is_authorized(site):
                self._send_json(HTTPStatus.UNAUTHORIZED, {"message": "Unauthorized"})
            elif site.status != HTTPStatus.OK:
                self._send_json(site.status, {"message": "No."})
            else:
                response = site.order_api.patch(_order_id(self.path), body, headers)
                if site.order_api.responses_to_lose:
                    site.order_api.responses_to_lose -= 1
                    self.close_connection = True
                else:
                    self._send_json(*response)

    def _is_authorized(self, site: FakeSite) -> bool:
        token = self.headers.get("Authorization", "")
        site.tokens.append(token)
        return site.user_pool is None or token == f"Bearer {site.user_pool.access_token}"

    def _send_order_api(self, site: FakeSite, path: str) -> None:
        """Send the response to a request of the kitchen's, the counter's or a customer's page."""
        with site.in_flight():
            response = self._order_api_response(site, path)
            if site.unreachable:
                self.close_connection = True
            elif path == KITCHEN_PATH and not self._is_authorized(site):
                self._send_json(HTTPStatus.UNAUTHORIZED, {"message": "Unauthorized"})
            elif site.status != HTTPStatus.OK or isinstance(response, int):
                self._send_json(response if isinstance(response, int) else site.status, {"message": "No."})
            else:
                etag = _etag({name: value for name, value in response.items() if name != "now"})
                if self.headers.get("If-None-Match") == etag:
                    site.not_modified += 1
                    self._send(HTTPStatus.NOT_MODIFIED, "application/json", b"", site.headers)
                else:
                    body = json.dumps(response).encode()
                    self._send(HTTPStatus.OK, "application/json", body, {"ETag": etag})

    def _order_api_response(self, site: FakeSite, path: str) -> dict[str, Any] | int:
        if path == KITCHEN_PATH:
            return site.order_api.kitchen()
        if path == READY_PATH:
            return site.order_api.numbers()
        site.order_api.track_tokens.append(self.headers.get("Track-Token", ""))
        return site.order_api.track

    def _send_file(self, site: FakeSite, file: Path) -> None:
        content = file.read_bytes()
        if file.suffix == ".woff2":
            site.fonts_released.wait(MAX_HOLD)
            content = _font_for(site.font, file) if site.font else content
        cache = {"Cache-Control": cache_control(file.suffix)}
        self._send(HTTPStatus.OK, CONTENT_TYPES[file.suffix], content, cache)

    def _send_order_status(self, site: FakeSite) -> None:
        with site.in_flight():
            if site.unreachable:
                self.close_connection = True
            elif not self._is_authorized(site):
                self._send_json(HTTPStatus.UNAUTHORIZED, {"message": "Unauthorized"})
            elif site.etags and self.headers.get("If-None-Match") == site.etag():
                site.not_modified += 1
                self._send(HTTPStatus.NOT_MODIFIED, "application/json", b"", site.headers)
            else:
                headers = {**site.headers, **({"ETag": site.etag()} if site.etags else {})}
                self._send(site.status, "application/json", site.body(), headers)

    def _redirect(self, pool: UserPool, path: str, request: dict[str, str]) -> None:
        if path == "/pool/logout":
            pool.signed_out.append(request)
            target = request["logout_uri"]
        else:
            target = pool.authorize(request)
        self._send(HTTPStatus.FOUND, "text/html", b"", {"Location": target})

    def _send_tokens(self, pool: UserPool, request: dict[str, str]) -> None:
        if self.path == "/pool/oauth2/revoke":
            pool.revoked.append(request["token"])
            self._send(HTTPStatus.OK, "text/plain", b"")
        elif tokens := pool.tokens(request):
            self._send_json(HTTPStatus.OK, tokens)
        else:
            self._send_json(HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"})

    def _send_json(self, status: int, body: object) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self._send(status, "application/json", text.encode())

    def _send(
        self, status: int, content_type: str, body: bytes, more: Mapping[str, str] | None = None
    ) -> None:
        headers = {"Content-Type": content_type, "Content-Length": str(len(body)), **SECURITY_HEADERS}
        headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        # Without a Date header: this machine's clock is not the test's.
        self.send_response_only(status)
        for name, value in {**headers, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Log nothing: tests read `FakeSite.requests`."""


def _order_id(path: str) -> str:
    """Return the order id in a path; it may be escaped twice."""
    return unquote(unquote(path.rpartition("/")[2]))


def _etag(response: object) -> str:
    return f'"{hashlib.sha256(json.dumps(response).encode()).hexdigest()[:16]}"'


def _fields(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser keeps unused connections open

    def __init__(self, site: FakeSite) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = site
        site.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: a page may be closed while it waits for a response."""


@contextmanager
def serve() -> Iterator[FakeSite]:
    """Serve web/ on a free port of the loopback interface."""
    site = FakeSite()
    with _Server(site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.release_responses()
            site.fonts_released.set()
            server.shutdown()
            thread.join()
