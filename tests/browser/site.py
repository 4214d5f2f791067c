"""A small web server that shows web/ as CloudFront does: paths, content types and security headers."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from infra.site import CONTENT_SECURITY_POLICY, CONTENT_TYPES, WEB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

API_PATH = "/prod/order-status"
PAGE_PATHS = ("/", "/order-status")
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
HELD_AT_MOST = 10  # seconds; a test that forgets to let an answer go does not hang


@dataclass
class Site:
    """What the server answers, set by a test at any time, and what it was asked."""

    url: str = ""
    answer: Mapping[str, Any] | str = field(default_factory=dict)  # sent as JSON, or a text as it is
    status: int = HTTPStatus.OK
    unreachable: bool = False  # close the connection instead of answering
    requests: list[str] = field(default_factory=list)  # every path asked for, in order
    most_at_once: int = 0  # the highest number of questions to the API under way at the same time

    def __post_init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self._under_way = 0

    @property
    def questions(self) -> int:
        """How often the API was asked."""
        return self.requests.count(API_PATH)

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

    def body(self) -> bytes:
        """Return the API's answer now; one without a time of its own is of this moment."""
        if isinstance(self.answer, str):
            return self.answer.encode()
        return json.dumps({"generated_at": f"now {time.monotonic_ns()}", **self.answer}).encode()


def _file_for(path: str) -> Path | None:
    """Return the file under web/ that a path shows, or None: only files at the top are shown."""
    if path in PAGE_PATHS:
        return WEB / "order-status.html"
    file = WEB / path.removeprefix("/")
    shown = file.parent == WEB and file.suffix in CONTENT_TYPES and file.is_file()
    return file if shown else None


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0, the default, is wanted: on a connection used before, the browser itself would ask once more.
    server: _Server

    def do_GET(self) -> None:  # the name is the standard library's
        path = self.path.partition("?")[0]
        self.server.site.requests.append(path)
        if path == API_PATH:
            self._answer_question(self.server.site)
        elif path == "/config.js":
            self._send(HTTPStatus.OK, CONTENT_TYPES[".js"], b'export const apiBase = "/prod";\n')
        elif file := _file_for(path):
            self._send(HTTPStatus.OK, CONTENT_TYPES[file.suffix], file.read_bytes())
        else:
            # A private bucket says 403 about what it does not have.
            self._send(HTTPStatus.FORBIDDEN, "application/xml", b"<Error><Code>AccessDenied</Code></Error>")

    def _answer_question(self, site: Site) -> None:
        with site.question():
            if site.unreachable:
                self.close_connection = True
                return
            self._send(site.status, "application/json", site.body())

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        headers = {"Content-Type": content_type, "Content-Length": str(len(body)), **SECURITY_HEADERS}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say nothing: the tests look at `Site.requests`."""


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
            server.shutdown()
            thread.join()
