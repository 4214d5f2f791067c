"""A small web server that shows web/ as CloudFront does, with the API and a user pool that a test sets up."""

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
from tests.browser.fake_order_api import Shop

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
HELD_AT_MOST = 120  # seconds; a test that forgets to let an answer go does not hang
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
    """A sign-in service that signs everybody in at once, and checks what OAuth 2 with PKCE demands."""

    client_id: str = "the-page"
    lifetime: int = 3600  # seconds that an access token is good for
    groups: list[str] | None = None  # in the access token; None: the page cannot read it
    says_no: str = ""  # why it refuses to sign in; empty: it does not
    forgets: bool = False  # refresh tokens are good for nothing
    unreachable: bool = False
    state: str | None = None  # sent back in place of the one that was asked with
    access: str = ""  # the access token that the API takes now
    given: int = 0  # how many access tokens it gave
    grants: list[str] = field(default_factory=list)  # what each was given for
    asked: list[dict[str, str]] = field(default_factory=list)  # the questions to the sign-in page
    signed_out: list[dict[str, str]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)

    def authorize(self, question: dict[str, str]) -> str:
        """Return the address to which the sign-in page sends the browser back."""
        self.asked.append(question)
        state = question["state"] if self.state is None else self.state
        answer = {"code": f"code-{len(self.asked)}", "state": state}
        if self.says_no:
            answer = {"error": "access_denied", "error_description": self.says_no, "state": state}
        return f"{question['redirect_uri']}?{urlencode(answer)}"

    def tokens(self, question: dict[str, str]) -> dict[str, Any] | None:
        """Return tokens for a code or a refresh token, or None: refused."""
        grant = question["grant_type"]
        self.grants.append(grant)
        if question["client_id"] != self.client_id:
            return None
        if grant == "authorization_code" and not self._proves(question):
            return None
        if grant == "refresh_token" and (self.forgets or question["refresh_token"] != "refresh"):
            return None
        self.given += 1
        self.access = f"access-{self.given}"
        if self.groups is not None:
            claims = json.dumps({"cognito:groups": self.groups}).encode()
            self.access += f".{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"
        tokens = {"access_token": self.access, "expires_in": self.lifetime, "token_type": "Bearer"}
        return tokens if grant == "refresh_token" else {**tokens, "refresh_token": "refresh"}

    def _proves(self, question: dict[str, str]) -> bool:
        asked = self.asked[-1]
        digest = hashlib.sha256(question["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return (
            question["code"] == f"code-{len(self.asked)}"
            and asked["code_challenge_method"] == "S256"
            and challenge == asked["code_challenge"]
            and question["redirect_uri"] == asked["redirect_uri"]
        )


@dataclass
class Site:
    """What the server answers, set by a test at any time, and what it was asked."""

    url: str = ""
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))
    config: str | None = None  # config.js itself, in place of the settings
    config_status: int = HTTPStatus.OK
    answer: Mapping[str, Any] | str = field(default_factory=dict)  # sent as JSON, or a text as it is
    next_answer: Callable[[], Mapping[str, Any]] | None = None  # makes each answer, in place of `answer`
    status: int = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)  # sent with the status, besides its own; no Date
    etags: bool = False  # whether the status has an ETag, and 304 is said
    unreachable: bool = False  # close the connection instead of answering
    menu: Any = field(default_factory=lambda: {"menu": MENU})
    menu_status: int = HTTPStatus.OK
    order_status: int = HTTPStatus.ACCEPTED
    order_answer: Mapping[str, Any] | str = field(
        default_factory=lambda: {"orderId": "3f2a9c04-7d1e-4b6a", "message": "Order accepted"}
    )
    shop: Shop = field(default_factory=Shop)
    user_pool: UserPool | None = None
    font: str | None = None  # what is sent in place of the pages' own fonts: "wide" or "narrow"
    fonts_come: threading.Event = field(default_factory=threading.Event)  # until then, they are held back
    requests: list[str] = field(default_factory=list)  # every path asked for, in order
    tokens: list[str] = field(default_factory=list)  # every Authorization that the status was asked with
    not_modified: int = 0  # how often 304 was said
    orders: list[tuple[dict[str, Any], dict[str, str]]] = field(default_factory=list)  # with their headers
    most_at_once: int = 0  # the highest number of questions to the API under way at the same time

    def __post_init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self.fonts_come.set()
        self._lock = threading.Lock()
        self._under_way = 0

    @property
    def questions(self) -> int:
        """How often the API was asked."""
        return self.requests.count(API_PATH)

    def ask_for_sign_in(self) -> UserPool:
        """Let only those see the status whom a user pool has signed in."""
        self.user_pool = UserPool()
        sign_in = {"domain": f"{self.url}/pool", "clientId": "the-page", "scope": "openid cafe/status.read"}
        self.settings |= {"access": "login", "signIn": sign_in, "staffSignIn": sign_in}
        return self.user_pool

    def hold(self) -> None:
        """Keep the API's answers back until `let_go`."""
        self._open.clear()

    def let_go(self) -> None:
        """Send the answers that were kept back, and the later ones at once."""
        self._open.set()

    @contextmanager
    def question(self) -> Iterator[None]:
        """Count a question as under way, and wait as long as answers are kept back."""
        with self._lock:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            self._open.wait(HELD_AT_MOST)
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def etag(self) -> str:
        """Return what stands for the answer now."""
        return _etag(self.answer)

    def body(self) -> bytes:
        """Return the API's answer now; one without a time of its own is of this moment."""
        if self.next_answer:
            self.answer = self.next_answer()
        if isinstance(self.answer, str):
            return self.answer.encode()
        return json.dumps({"generated_at": f"now {time.monotonic_ns()}", **self.answer}).encode()


def _file_for(path: str) -> Path | None:
    """Return the file under web/ that a path shows, or None: only files at the top are shown."""
    if path in PAGES:
        return WEB / PAGES[path]
    file = WEB / path.removeprefix("/")
    shown = file.parent == WEB and file.suffix in CONTENT_TYPES and file.is_file()
    return file if shown and file.name not in PAGES.values() else None


def _font_for(name: str, own: Path) -> bytes:
    """Return a font of the tests with the weight of one of the pages' own."""
    weight = "600" if "-600." in own.name else "400"
    return (FONTS / f"{name}-{weight}.woff2").read_bytes()


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0, the default, is wanted: on a connection used before, the browser itself would ask once more.
    server: _Server

    def do_GET(self) -> None:  # the name is the standard library's
        site = self.server.site
        path, _, query = self.path.partition("?")
        site.requests.append(path)
        if path == API_PATH:
            self._answer_question(site)
        elif path == MENU_PATH:
            self._send_json(site.menu_status, site.menu)
        elif path in SCREEN_PATHS:
            self._answer_screen(site, path)
        elif path == "/config.js":
            settings = f"export const settings = {json.dumps(site.settings)};\n"
            text = settings if site.config is None else site.config
            self._send(site.config_status, CONTENT_TYPES[".js"], text.encode())
        elif path.startswith("/pool/") and site.user_pool:
            self._at_the_user_pool(site.user_pool, path, _fields(query))
        elif file := _file_for(path):
            self._send_file(site, file)
        else:
            # A private bucket says 403 about what it does not have.
            self._send(HTTPStatus.FORBIDDEN, "application/xml", b"<Error><Code>AccessDenied</Code></Error>")

    def do_POST(self) -> None:  # the name is the standard library's
        site = self.server.site
        site.requests.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == ORDERS_PATH:
            with site.question():
                site.orders.append((json.loads(body), {k.lower(): v for k, v in self.headers.items()}))
                if site.unreachable:
                    self.close_connection = True
                    return
                self._send_json(site.order_status, site.order_answer)
        elif site.user_pool and not site.user_pool.unreachable:
            self._give_tokens(site.user_pool, _fields(body))
        else:
            self.close_connection = True

    def do_PATCH(self) -> None:  # the name is the standard library's
        site = self.server.site
        site.requests.append(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with site.question():
            if site.unreachable:
                self.close_connection = True
            elif not self._lets_in(site):
                self._send_json(HTTPStatus.UNAUTHORIZED, {"message": "Unauthorized"})
            elif site.status != HTTPStatus.OK:
                self._send_json(site.status, {"message": "No."})
            else:
                answer = site.shop.patch(_order_id(self.path), body, headers)
                if site.shop.lost_answers:
                    site.shop.lost_answers -= 1
                    self.close_connection = True
                else:
                    self._send_json(*answer)

    def _lets_in(self, site: Site) -> bool:
        token = self.headers.get("Authorization", "")
        site.tokens.append(token)
        return site.user_pool is None or token == f"Bearer {site.user_pool.access}"

    def _answer_screen(self, site: Site, path: str) -> None:
        """Send the response to a request of the kitchen's, the counter's or a customer's page."""
        with site.question():
            answer = self._screen(site, path)
            if site.unreachable:
                self.close_connection = True
            elif path not in {READY_PATH, TRACK_PATH} and not self._lets_in(site):
                self._send_json(HTTPStatus.UNAUTHORIZED, {"message": "Unauthorized"})
            elif site.status != HTTPStatus.OK or isinstance(answer, int):
                self._send_json(answer if isinstance(answer, int) else site.status, {"message": "No."})
            else:
                same = _etag({name: value for name, value in answer.items() if name != "now"})
                if self.headers.get("If-None-Match") == same:
                    site.not_modified += 1
                    self._send(HTTPStatus.NOT_MODIFIED, "application/json", b"", site.headers)
                else:
                    self._send(HTTPStatus.OK, "application/json", json.dumps(answer).encode(), {"ETag": same})

    def _screen(self, site: Site, path: str) -> dict[str, Any] | int:
        if path == KITCHEN_PATH:
            return site.shop.kitchen()
        if path == READY_PATH:
            return site.shop.numbers()
        site.shop.track_tokens.append(self.headers.get("Track-Token", ""))
        return site.shop.track

    def _send_file(self, site: Site, file: Path) -> None:
        content = file.read_bytes()
        if file.suffix == ".woff2":
            site.fonts_come.wait(HELD_AT_MOST)
            content = _font_for(site.font, file) if site.font else content
        kept = {"Cache-Control": cache_control(file.suffix)}
        self._send(HTTPStatus.OK, CONTENT_TYPES[file.suffix], content, kept)

    def _answer_question(self, site: Site) -> None:
        with site.question():
            if site.unreachable:
                self.close_connection = True
                return
            token = self.headers.get("Authorization", "")
            site.tokens.append(token)
            if site.user_pool and token != f"Bearer {site.user_pool.access}":
                self._send_json(HTTPStatus.UNAUTHORIZED, {"message": "Unauthorized"})
            elif site.etags and self.headers.get("If-None-Match") == site.etag():
                site.not_modified += 1
                self._send(HTTPStatus.NOT_MODIFIED, "application/json", b"", site.headers)
            else:
                headers = {**site.headers, **({"ETag": site.etag()} if site.etags else {})}
                self._send(site.status, "application/json", site.body(), headers)

    def _at_the_user_pool(self, pool: UserPool, path: str, question: dict[str, str]) -> None:
        if path == "/pool/logout":
            pool.signed_out.append(question)
            target = question["logout_uri"]
        else:
            target = pool.authorize(question)
        self._send(HTTPStatus.FOUND, "text/html", b"", {"Location": target})

    def _give_tokens(self, pool: UserPool, question: dict[str, str]) -> None:
        if self.path == "/pool/oauth2/revoke":
            pool.revoked.append(question["token"])
            self._send(HTTPStatus.OK, "text/plain", b"")
        elif tokens := pool.tokens(question):
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
        # Without the time of this machine, which is not the test's.
        self.send_response_only(status)
        for name, value in {**headers, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: the tests look at `Site.requests`."""


def _order_id(path: str) -> str:
    """Return the id that a path names, which may be escaped twice."""
    return unquote(unquote(path.rpartition("/")[2]))


def _etag(answer: object) -> str:
    return f'"{hashlib.sha256(json.dumps(answer).encode()).hexdigest()[:16]}"'


def _fields(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser keeps connections open that nobody will use again

    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = site
        site.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a page that is closed while it waits for an answer is no error."""


@contextmanager
def serve() -> Iterator[Site]:
    """Serve web/ on a free port of the loopback interface."""
    site = Site()
    with _Server(site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.let_go()
            site.fonts_come.set()
            server.shutdown()
            thread.join()
