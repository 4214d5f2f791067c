"""A stand-in for DynamoDB between the functions and MiniStack, while somebody breaks things on purpose.

MiniStack never throttles, and an IAM denial would be another error than the one that a busy table gives. So
this passes requests on as they are, signature and all, except those that a `Meddler` answers itself, in the
words of DynamoDB, or whose answers it swallows.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PUT = "BatchWriteItem"  # how the functions write orders
SET = "BatchExecuteStatement"  # and counters
WRITES = {PUT, SET, "UpdateItem"}
# Headers that speak of one connection only.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
TIMEOUT = 120.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to DynamoDB."""

    operation: str
    body: Mapping[str, Any]
    caller_port: int  # of the connection that it came on


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer in the place of DynamoDB's."""

    status: int
    body: Mapping[str, Any]


class Meddler:
    """Decides what happens to a call; this one lets everything pass."""

    def before(self, call: Call) -> Answer | None:
        """Return an answer for a call that is not to reach DynamoDB, None to let it pass."""
        return None

    def loses_answer(self, call: Call) -> bool:
        """Whether the connection breaks after DynamoDB did what it was asked."""
        return False


class Throttling(Meddler):
    """Most calls are refused, in all the ways in which DynamoDB says that it is too busy."""

    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    ERRORS = (
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
    )

    def __init__(self, random_numbers: random.Random, share: float) -> None:
        self._random = random_numbers
        self._share = share

    def before(self, call: Call) -> Answer | None:
        """Refuse the call, or let it pass."""
        if self._random.random() >= self._share:
            return None
        if call.operation == PUT and self._random.random() < 0.5:
            return Answer(status=200, body={"UnprocessedItems": call.body["RequestItems"]})
        if call.operation == SET and self._random.random() < 0.5:
            throttled = {"Error": {"Code": "ThrottlingError"}}
            return Answer(status=200, body={"Responses": [throttled] * len(call.body["Statements"])})
        return error(self._random.choice(self.ERRORS))


class LosingAnswers(Meddler):
    """Most writes are done, and their callers never learn it."""

    def __init__(self, random_numbers: random.Random, share: float) -> None:
        self._random = random_numbers
        self._share = share

    def loses_answer(self, call: Call) -> bool:
        """Lose the answer to a write."""
        return call.operation in WRITES and self._random.random() < self._share


def error(code: str) -> Answer:
    """Return the error `code` as DynamoDB sends it."""
    status = 500 if code == "InternalServerError" else 400
    return Answer(status=status, body={"__type": code, "message": "Injected by cafe chaos."})


class Interposer:
    """Listens on a free port of this machine until it is closed.

    Parameters
    ----------
    endpoint
        MiniStack's base URL.
    """

    def __init__(self, endpoint: str) -> None:
        self.meddler: Meddler = Meddler()
        self._lock = threading.Lock()
        self.refused = 0
        self.lost = 0
        address = urlsplit(endpoint)
        interposer = self

        class Handler(_Handler):
            owner = interposer
            upstream = (address.hostname or "127.0.0.1", address.port or 80)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What to reach instead of DynamoDB."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def count(self, *, refused: int = 0, lost: int = 0) -> None:
        """Add to what was done so far."""
        with self._lock:
            self.refused += refused
            self.lost += lost


class _Handler(BaseHTTPRequestHandler):
    """One connection of a caller's, and the one that belongs to it on MiniStack's side."""

    owner: Interposer
    upstream: tuple[str, int]
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self._service = http.client.HTTPConnection(*self.upstream, timeout=TIMEOUT)

    def finish(self) -> None:
        self._service.close()
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # The caller is gone, or the stack is.

    def do_POST(self) -> None:  # the base class asks for this name
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = Call(
            operation=self.headers.get("X-Amz-Target", "").rpartition(".")[2],
            body=json.loads(body or b"{}"),
            caller_port=self.client_address[1],
        )
        meddler = self.owner.meddler
        answer = meddler.before(call)
        if answer is not None:
            self.owner.count(refused=1)
            self._answer(answer.status, {}, json.dumps(answer.body).encode())
            return
        # The caller's `Host` stays: it is part of what was signed.
        self._service.request("POST", self.path, body, dict(self.headers))
        response = self._service.getresponse()
        content = response.read()
        if meddler.loses_answer(call):
            self.owner.count(lost=1)
            self.close_connection = True
            return
        self._answer(response.status, dict(response.getheaders()), content)

    def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
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
