"""ASGI middleware before MiniStack that admits two lists of requests; runs in MiniStack's environment.

MiniStack accepts requests from web pages of any origin and does not verify its administrator's signature.
Without the gateway, any page open in a browser on this machine could create a Lambda function and run it.
Everything that is on neither list is refused with 403, WebSockets and HTTP/2 included.

1. AWS calls that no web page can have sent: the `Host` is 127.0.0.1, localhost or `*.localhost`; an
   `Authorization: AWS4-HMAC-SHA256` or `X-Amz-Target` header, which a page can send only after a CORS
   preflight (preflights are refused); no headers of a browser; no credentials in the query (presigned
   URLs), which need no preflight.
2. This stack's own pages, API and sign-in: exact hosts, methods and paths. A browser must send this stack's
   `Origin`, or `Sec-Fetch-Site: same-origin`, or navigate to a page or the sign-in (GET, top level).
   `same-site` proves nothing: other ports of 127.0.0.1 and `evil.cloudfront.localhost` are same-site.
   Clients without headers of a browser may send any method and path to the API.

MiniStack itself sends two kinds of requests. Its CloudFront calls the API at the host `localhost` with the
viewer's headers, so that the same rules apply behind CloudFront. Its API Gateway fetches the user pool's
public keys at the host `localhost:<port>`.

The gateway starts before the stack's hosts, API id and paths exist. The deployer records them (`Served`),
and local mode writes them to a file in the run directory once everything is deployed. Until then, the second
list holds the health check only. The deployer itself only makes AWS calls.

`Access-Control-Allow-*` headers are removed, except in responses of the token endpoint to the page, which is
at another origin.
"""

from __future__ import annotations

import functools
import gc
import importlib.util
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

SERVED_FILE = "served.json"  # in the directory in which MiniStack runs
HEALTH_PATH = "/_ministack/health"
CLOUDFRONT_TO_API = "localhost"  # the `Host` of MiniStack's CloudFront when it calls the API
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
GC_THRESHOLD = 50_000  # allocations between collections

# Any port: the fault proxy of `make chaos` forwards its own host, which was signed.
_HOST = re.compile(r"(127\.0\.0\.1|([a-z0-9_-]+\.)*localhost)(:[0-9]{1,5})?")
_BEARER = re.compile(r"bearer [A-Za-z0-9._~+/-]+=*", re.IGNORECASE)
# Text browsers may send no other header of a browser.
_BROWSER = re.compile(r"mozilla/|opera/|ucweb|lynx/|w3m/|links[ /]|dillo/|netsurf/", re.IGNORECASE)
_QUERY_CREDENTIALS = re.compile(r"x-amz-.*|awsaccesskeyid", re.IGNORECASE | re.DOTALL)
# Headers that browsers add, and scripts cannot remove.
_BROWSER_HEADERS = re.compile(
    r"origin|referer|sec-.*|access-control-request-.*|purpose|x-moz|x-purpose|upgrade-insecure-requests|ping-.*"
)

# An order's id in place of `{id}` in a path, without `.` and `..`, which browsers resolve.
_ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._:-]{1,64}")

QUERY = "credentials in the query, as in a presigned URL, are not accepted; sign the headers instead."
ENCODED = "a name in the query is percent-encoded twice."
HOST = "its Host header is not 127.0.0.1, localhost or *.localhost."
PROTOCOL = "only HTTP/1.1 requests for a path are accepted."
NO_BROWSERS = "AWS calls from a browser are not accepted; use an SDK or the AWS CLI."
NOT_OURS = "its origin, content type or credentials are not those of this stack's own page."
NOT_LISTED = (
    "it is neither a signed AWS call nor a request that this stack's own pages make "
    "(docs/decisions/0006-local-mode.md)."
)


@dataclass(kw_only=True)
class Served:
    """Hosts and paths that need no AWS credentials, recorded by the deployer."""

    gateway: str = ""  # host and port of the API and the sign-in
    page: str = ""  # host and port of the CloudFront distribution
    pages: list[str] = field(default_factory=list)  # paths of HTML
    files: list[str] = field(default_factory=list)  # paths of files that pages load
    api: str = ""  # path of the API's stage at the gateway
    stage: str = ""  # path of the API's stage at the page's host
    methods: list[tuple[str, str, bool]] = field(
        default_factory=list
    )  # verb, path (its last part may be `{id}`), whether it has an authorizer
    user_pool: str = ""  # id of the user pool, "" without sign-in


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request, percent-decoded once, as MiniStack does."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]  # names in lower case; values of a repeated header joined by commas

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Request:
        """Return the request of an ASGI scope."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return cls(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
        )

    @property
    def host(self) -> str:
        """Return host and port in lower case, without the port 80, which browsers omit."""
        return self.headers.get("host", "").lower().removesuffix(":80")

    @functools.cached_property
    def is_from_browser(self) -> bool:
        """Return whether any header is one of a browser."""
        agent = self.headers.get("user-agent", "")
        return bool(_BROWSER.search(agent)) or any(map(_BROWSER_HEADERS.fullmatch, self.headers))

    @property
    def is_navigation(self) -> bool:
        """Return whether a browser opens the URL in a tab, and does not prefetch it."""
        expected = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
        prefetch = {"sec-purpose", "purpose", "x-purpose", "x-moz"}
        return (
            self.method == "GET"
            and all(self.headers.get(name) == value for name, value in expected.items())
            and not prefetch & self.headers.keys()
            and "origin" not in self.headers
        )


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Conditions under which browsers may call a method at a host and path."""

    origin: str  # of the calling page
    is_page: bool = False  # whether it may be opened in a tab
    content_type: str = ""  # of the body, "" without a body
    takes_token: bool = False  # whether an access token is allowed
    is_read_across_origins: bool = False  # whether a page at another origin may read the response

    def accepts(self, request: Request) -> bool:
        """Return whether the request comes from this stack's page, a navigation or a program."""
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.content_type and content_type != self.content_type:
            return False
        if not has_valid_authorization(request, allowed=self.takes_token):
            return False
        if "origin" in request.headers:
            return request.headers["origin"] == self.origin
        if request.headers.get("sec-fetch-site") == "same-origin":
            return True
        return not request.is_from_browser or (self.is_page and request.is_navigation)


Endpoints = Mapping[tuple[str, str, str], Endpoint]  # by host, method and path


def endpoints(served: Served) -> Endpoints:
    """Return the second list: all endpoints of this stack's own pages."""
    page, gateway = f"http://{served.page}", f"http://{served.gateway}"
    found: dict[tuple[str, str, str], Endpoint] = {}
    for path in (*served.pages, *served.files):
        for method in ("GET", "HEAD"):
            found[served.page, method, path] = Endpoint(origin=page, is_page=path in served.pages)
    for method, path, takes_token in served.methods:
        content_type = JSON if method in ("POST", "PUT", "PATCH") else ""
        endpoint = Endpoint(origin=page, content_type=content_type, takes_token=takes_token)
        for host, stage in _stages(served).items():
            found[host, method, stage + path] = endpoint
    if served.user_pool:
        token = Endpoint(origin=page, content_type=FORM, is_read_across_origins=True)
        found[served.gateway, "GET", "/oauth2/authorize"] = Endpoint(origin=page, is_page=True)
        found[served.gateway, "POST", "/login"] = Endpoint(origin=gateway, content_type=FORM)
        found[served.gateway, "POST", "/oauth2/token"] = token
        found[served.gateway, "GET", "/logout"] = Endpoint(origin=page, is_page=True)
        # MiniStack's API Gateway fetches the public keys to verify tokens.
        keys_host = served.gateway.replace("127.0.0.1", "localhost")
        found[keys_host, "GET", f"/{served.user_pool}/.well-known/jwks.json"] = Endpoint(origin=gateway)
    return found


def find(listed: Endpoints, request: Request) -> Endpoint | None:
    """Return the endpoint of a request, or None."""
    parent, _, last = request.path.rpartition("/")
    paths = [request.path] if "{" not in request.path else []
    if _ID.fullmatch(last):
        paths.append(f"{parent}/{{id}}")
    found = (listed.get((request.host, request.method, path)) for path in paths)
    return next(filter(None, found), None)


def _stages(served: Served) -> dict[str, str]:
    """Return the path of the API's stage by host."""
    return {served.page: served.stage, served.gateway: served.api, CLOUDFRONT_TO_API: served.api}


def has_valid_authorization(request: Request, *, allowed: bool) -> bool:
    """Return whether `Authorization` is missing, or is a bearer token where that is allowed."""
    authorization = request.headers.get("authorization")
    return authorization is None or (allowed and bool(_BEARER.fullmatch(authorization)))


def is_for_api(request: Request, served: Served) -> bool:
    """Return whether a program calls the API, at any path below the stage.

    CloudFront and the API match spellings of a path differently, and the API refuses unknown paths.
    """
    stage = _stages(served).get(request.host)
    return (
        bool(stage)
        and not request.is_from_browser
        and unquote(request.path) == request.path
        and f"/{request.path.lstrip('/')}".startswith(f"{stage}/")
        and has_valid_authorization(request, allowed=True)
    )


def refusal(request: Request, served: Served | None, listed: Endpoints) -> str | None:
    """Return why the request is refused, or None."""
    if not _HOST.fullmatch(request.host):
        return HOST
    names = [name for name, _ in parse_qsl(request.query, keep_blank_values=True)]
    if any(map(_QUERY_CREDENTIALS.fullmatch, names)):
        return QUERY
    if any(unquote(name) != name for name in names):
        return ENCODED
    is_signed = request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 ")
    if is_signed or "x-amz-target" in request.headers:
        return NO_BROWSERS if request.is_from_browser else None
    if (request.method, request.path) == ("GET", HEALTH_PATH) and not request.is_from_browser:
        return None
    endpoint = find(listed, request)
    if endpoint is not None and endpoint.accepts(request):
        return None
    if served is not None and is_for_api(request, served):
        return None
    return NOT_LISTED if endpoint is None else NOT_OURS


class Gateway:
    """Refuses requests that are on neither list.

    Parameters
    ----------
    application
        MiniStack.
    file
        File to which local mode writes `Served`.
    """

    def __init__(self, application: Application, file: Path) -> None:
        self._application = application
        self._file = file
        self._served: Served | None = None
        self._listed: Endpoints = {}

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle an ASGI connection."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["http_version"] not in ("1.0", "1.1") or not scope["raw_path"].startswith(b"/"):
            await _refuse(scope, receive, send, PROTOCOL)
        else:
            await self._handle(scope, receive, send)

    async def _handle(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self._load()
        request = Request.of(scope)
        if reason := refusal(request, self._served, self._listed):
            await _refuse(scope, receive, send, reason)
            return
        endpoint = find(self._listed, request)
        reads = endpoint is not None and endpoint.is_read_across_origins
        origin = request.headers.get("origin", "") if reads else ""
        await self._application(scope, receive, _with_cors_for(origin, send))

    def _load(self) -> None:
        """Read the file once it exists; it does not change in a run."""
        if self._served is None and self._file.exists():
            self._served = Served(**json.loads(self._file.read_text(encoding="utf-8")))
            self._listed = endpoints(self._served)


def _with_cors_for(origin: str, send: Send) -> Send:
    """Replace MiniStack's CORS headers by ones for `origin`, none if it is empty."""

    async def send_filtered(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (name, value)
                for name, value in message.get("headers", [])
                if not name.lower().startswith(b"access-control-")
            ]
            if origin:
                headers += [(b"access-control-allow-origin", origin.encode()), (b"vary", b"Origin")]
            message = {**message, "headers": headers}
        await send(message)

    return send_filtered


async def _refuse(scope: Mapping[str, Any], receive: Receive, send: Send, reason: str) -> None:
    """Respond with 403 and close the connection, so that no data after it is parsed as another request.

    The body is read first: closing a connection with unread data can lose the response.
    """
    message = await receive()
    while message["type"] == "http.request" and message.get("more_body"):
        message = await receive()
    body = json.dumps({"message": f"The local stack refused this request: {reason}"}).encode()
    headers = [(b"content-type", JSON.encode()), (b"content-length", str(len(body)).encode())]
    if scope["http_version"] != "2":  # HTTP/2 has no such header
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _sibling(name: str) -> Any:
    """Import a module of this directory, which is not on the search path."""
    spec = importlib.util.spec_from_file_location(f"cafe_{name}", Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Run MiniStack until a signal ends it."""
    # Installed in MiniStack's virtual environment only, not in the one that checks types.
    ministack: Any = importlib.import_module("ministack.app")
    patches = _sibling("patches")
    patches.keep_groups(importlib.import_module("ministack.services.cognito"))
    runtime = importlib.import_module("ministack.core.lambda_runtime")
    patches.start_without_botocore(runtime)
    patches.end_logs(runtime)
    patches.identify_lines(importlib.import_module("ministack.services.cloudwatch_logs"))
    patches.limit_processes(importlib.import_module("ministack.services.lambda_svc"))
    ministack.app = Gateway(_sibling("decoding").decoding(ministack.app), Path.cwd() / SERVED_FILE)
    # All modules loaded so far stay, and services that are loaded later produce little garbage.
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    ministack.main()


if __name__ == "__main__":
    main()
