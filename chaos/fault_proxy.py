"""A proxy between the functions and DynamoDB that injects faults.

MiniStack never throttles, and a denied permission is another error than the one of a busy table. The proxy
passes requests on as they were signed, except those that an `Injector` refuses in the words of DynamoDB, or
whose responses it drops.
"""

import http.client
import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PUT = "BatchWriteItem"  # how the functions write orders
SET = "BatchExecuteStatement"  # and counters
WRITES = {PUT, SET, "UpdateItem"}
# Headers of one connection only.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
TIMEOUT = 120.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to DynamoDB, and the caller's port of its connection."""

    operation: str
    body: Mapping[str, Any]
    caller_port: int


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response in place of DynamoDB's; None for a connection that is closed without one."""

    status: int
    body: Mapping[str, Any] | None


# Called with each call before it reaches DynamoDB (False) and after (True); returns what the caller gets in
# place of DynamoDB's response, or None.
Injector = Callable[[Call, bool], Response | None]
DROPPED = Response(status=0, body=None)
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
ERRORS = (
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "InternalServerError",
)


def throttling(chance: random.Random, share: float) -> Injector:
    """Refuse a share of the calls, in each way in which DynamoDB reports that it is too busy."""

    def inject(call: Call, done: bool) -> Response | None:
        if done or chance.random() >= share:
            return None
        if call.operation == PUT and chance.random() < 0.5:
            return Response(status=200, body={"UnprocessedItems": call.body["RequestItems"]})
        if call.operation == SET and chance.random() < 0.5:
            throttled = {"Error": {"Code": "ThrottlingError"}}
            return Response(status=200, body={"Responses": [throttled] * len(call.body["Statements"])})
        return error(chance.choice(ERRORS))

    return inject


def losing_responses(chance: random.Random, share: float) -> Injector:
    """Drop the responses to a share of the writes."""
    return lambda call, done: (
        DROPPED if done and call.operation in WRITES and chance.random() < share else None
    )


def killing_callers(kill: Callable[[int], bool], *, at_most: int, after: bool) -> Injector:
    """Kill workers in the middle of a batch: before their orders reach DynamoDB, or after.

    `kill` kills the process with a connection from a port, and returns whether there was one.
    """
    left = threading.Semaphore(at_most)

    def inject(call: Call, done: bool) -> Response | None:
        if done is not after or call.operation != PUT or not left.acquire(blocking=False):
            return None
        if kill(call.caller_port):
            return DROPPED
        left.release()
        return None

    return inject


def error(code: str) -> Response:
    """Return the error `code` as DynamoDB sends it."""
    status = 500 if code == "InternalServerError" else 400
    return Response(status=status, body={"__type": code, "message": "Injected by make chaos."})


class FaultProxy:
    """Passes calls on to DynamoDB, except those that the current injector changes.

    It counts the calls that were refused, and those whose responses were lost.
    """

    def __init__(self, endpoint: str) -> None:
        address = urlsplit(endpoint)
        self.upstream = (address.hostname or "127.0.0.1", address.port or 80)
        self._injector: Injector | None = None
        self._lock = threading.Lock()
        self.refused = self.lost = 0

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Listen on a free port of this machine; yield the URL in place of DynamoDB's."""
        handler = type("Handler", (_Handler,), {"proxy": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()

    @contextmanager
    def injecting(self, injector: Injector) -> Iterator[None]:
        """Inject faults while the `with` statement lasts."""
        self._injector = injector
        try:
            yield
        finally:
            self._injector = None

    def inject(self, call: Call, done: bool) -> Response | None:
        """Return the response in place of DynamoDB's, if a fault is to be injected; count it."""
        injector = self._injector
        response = injector(call, done) if injector else None
        with self._lock:
            self.refused += response is not None and not done
            self.lost += response is not None and done
        return response


class _Handler(BaseHTTPRequestHandler):
    """A connection of a caller, and the one to MiniStack that belongs to it."""

    proxy: FaultProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body waits for an acknowledgement of the headers

    def setup(self) -> None:
        super().setup()
        self._service = http.client.HTTPConnection(*self.proxy.upstream, timeout=TIMEOUT)

    def finish(self) -> None:
        self._service.close()
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # the caller or the stack has ended

    def do_POST(self) -> None:  # the base class's name
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = Call(
            operation=self.headers.get("X-Amz-Target", "").rpartition(".")[2],
            body=json.loads(body or b"{}"),
            caller_port=self.client_address[1],
        )
        if response := self.proxy.inject(call, done=False):
            self._inject(response)
            return
        # The caller's `Host` stays: it is part of what was signed.
        self._service.request("POST", self.path, body, dict(self.headers))
        upstream = self._service.getresponse()
        content = upstream.read()
        if response := self.proxy.inject(call, done=True):
            self._inject(response)
        else:
            self._respond(upstream.status, dict(upstream.getheaders()), content)

    def _inject(self, response: Response) -> None:
        if response.body is None:
            self.close_connection = True
        else:
            headers = {"Content-Type": "application/x-amz-json-1.0"}
            self._respond(response.status, headers, json.dumps(response.body).encode())

    def _respond(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Write no log."""
