"""A proxy between the functions and DynamoDB that injects faults.

MiniStack never throttles, and a denied permission is another error than the one of a busy table. The proxy
passes requests on as they were signed, but for those that an `Injector` refuses in the words of DynamoDB, or
whose responses it drops.
"""

from __future__ import annotations

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
    """A response in place of DynamoDB's."""

    status: int
    body: Mapping[str, Any]


class Injector:
    """Base of all injectors; injects no fault."""

    def refuses(self, call: Call) -> Response | None:
        """Return a response without a call of DynamoDB; None to pass the call on."""
        return None

    def drops_response(self, call: Call) -> bool:
        """Return whether to close the connection in place of DynamoDB's response."""
        return False


class Throttling(Injector):
    """Refuses a share of the calls, in each way in which DynamoDB reports that it is too busy."""

    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    ERRORS = (
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
    )

    def __init__(self, chance: random.Random, share: float) -> None:
        self._chance = chance
        self._share = share

    def refuses(self, call: Call) -> Response | None:
        """Refuse the call, or pass it on."""
        if self._chance.random() >= self._share:
            return None
        if call.operation == PUT and self._chance.random() < 0.5:
            return Response(status=200, body={"UnprocessedItems": call.body["RequestItems"]})
        if call.operation == SET and self._chance.random() < 0.5:
            throttled = {"Error": {"Code": "ThrottlingError"}}
            return Response(status=200, body={"Responses": [throttled] * len(call.body["Statements"])})
        return error(self._chance.choice(self.ERRORS))


class LostResponses(Injector):
    """Drops the responses to a share of the writes."""

    def __init__(self, chance: random.Random, share: float) -> None:
        self._chance = chance
        self._share = share

    def drops_response(self, call: Call) -> bool:
        """Drop the response to a write."""
        return call.operation in WRITES and self._chance.random() < self._share


class CallerKiller(Injector):
    """Kills workers in the middle of a batch: before their orders are written to DynamoDB, or after.

    Parameters
    ----------
    kill
        Kills the process with a connection from a port; returns whether there was one.
    """

    def __init__(self, kill: Callable[[int], bool], *, at_most: int, after: bool) -> None:
        self._kill = kill
        self._left = at_most
        self._after = after
        self._lock = threading.Lock()

    def refuses(self, call: Call) -> Response | None:
        """Kill the caller; its orders never reach DynamoDB, and nobody reads the response."""
        return Response(status=500, body={}) if not self._after and self._kills(call) else None

    def drops_response(self, call: Call) -> bool:
        """Kill the caller; its orders are written."""
        return self._after and self._kills(call)

    def _kills(self, call: Call) -> bool:
        with self._lock:
            if call.operation != PUT or self._left == 0 or not self._kill(call.caller_port):
                return False
            self._left -= 1
        return True


def error(code: str) -> Response:
    """Return the error `code` as DynamoDB sends it."""
    status = 500 if code == "InternalServerError" else 400
    return Response(status=status, body={"__type": code, "message": "Injected by make chaos."})


class FaultProxy:
    """Passes calls on to DynamoDB, except those that the current injector changes.

    Parameters
    ----------
    endpoint
        MiniStack's base URL.

    Attributes
    ----------
    refused, lost
        Calls that were refused so far, and whose responses were dropped.
    """

    def __init__(self, endpoint: str) -> None:
        address = urlsplit(endpoint)
        self.upstream = (address.hostname or "127.0.0.1", address.port or 80)
        self.injector = Injector()
        self._lock = threading.Lock()
        self.refused = 0
        self.lost = 0

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
        self.injector = injector
        try:
            yield
        finally:
            self.injector = Injector()

    def count(self, *, refused: int = 0, lost: int = 0) -> None:
        """Add injected faults."""
        with self._lock:
            self.refused += refused
            self.lost += lost


class _Handler(BaseHTTPRequestHandler):
    """A connection of a caller, and the one to MiniStack that belongs to it."""

    proxy: FaultProxy
    protocol_version = "HTTP/1.1"

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
        injector = self.proxy.injector
        if response := injector.refuses(call):
            self.proxy.count(refused=1)
            self._respond(response.status, {}, json.dumps(response.body).encode())
            return
        # The caller's `Host` stays: it is part of what was signed.
        self._service.request("POST", self.path, body, dict(self.headers))
        upstream = self._service.getresponse()
        content = upstream.read()
        if injector.drops_response(call):
            self.proxy.count(lost=1)
            self.close_connection = True
            return
        self._respond(upstream.status, dict(upstream.getheaders()), content)

    def _respond(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if not headers:
            self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Write no log."""
