"""Compressed request bodies."""

from __future__ import annotations

import contextlib
import functools
import gzip
import itertools
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulator import decoding
from local.emulator.decoding import LARGEST, NotInFormatError, TooLargeError, decode
from tests.local import asgi

PATH = "/_aws/execute-api/0a1b2c3d/prod/orders"
ORDER = b'{"item": "Latte", "quantity": 1}'
# Without the time, which would differ between processes in the tests' names.
compress = functools.partial(gzip.compress, mtime=0)


def bomb() -> bytes:
    """Return a small body that is a byte too large once it is decoded."""
    return compress(bytes(LARGEST + 1))


class Api:
    """The application behind the middleware; records the request."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.body: bytes | None = None

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        self.headers = dict(scope["headers"])
        self.body, more = b"", True
        while more:
            message = await receive()
            self.body += message["body"]
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 202, "headers": []})


def post(
    body: bytes, *codings: str, path: str = PATH, parts: int = 1, api: Api | None = None
) -> tuple[int, Any, Api]:
    """Send a request; return the status, the response and the API."""
    api = api or Api()
    step = max(1, -(-len(body) // parts))
    pieces = [body[start : start + step] for start in range(0, len(body), step)] or [b""]
    incoming = [
        {"type": "http.request", "body": piece, "more_body": number + 1 < len(pieces)}
        for number, piece in enumerate(pieces)
    ]
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        return incoming.pop(0)

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"Content-Length", str(len(body)).encode())]
    headers += [(b"Content-Encoding", coding.encode()) for coding in codings]
    scope = {"type": "http", "path": path, "headers": headers}
    application: Any = decoding.decoding(api)
    asgi.run(application(scope, receive, send))
    response = json.loads(sent[1]["body"]) if len(sent) > 1 else None
    assert not incoming, "the body was not read to its end"
    return sent[0]["status"], response, api


@pytest.mark.parametrize("parts", [1, 7])
@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (compress(ORDER), "gzip"),
        (compress(ORDER), " GZip "),
        (compress(ORDER[:9]) + compress(ORDER[9:]), "gzip"),
        (zlib.compress(ORDER), "deflate"),
        (ORDER, "identity"),
        (ORDER, ""),
    ],
    ids=["gzip", "other case and spaces", "two members", "deflate", "identity", "none"],
)
def test_a_compressed_order_reaches_the_api_decoded(body: bytes, coding: str, parts: int) -> None:
    status, _, api = post(body, coding, parts=parts)

    assert (status, api.body) == (202, ORDER)
    if coding.strip().lower() in decoding.FORMATS:
        assert b"Content-Encoding" not in api.headers
        assert api.headers[b"content-length"] == str(len(ORDER)).encode()


@pytest.mark.parametrize(
    ("body", "codings"),
    [
        (ORDER, ["gzip"]),
        (compress(ORDER)[:-1], ["gzip"]),
        (compress(ORDER)[:-9], ["gzip"]),
        (compress(ORDER) + b"x", ["gzip"]),
        (compress(ORDER)[:-8] + bytes(8), ["gzip"]),
        (zlib.compress(ORDER) + b"x", ["deflate"]),
        (zlib.compress(ORDER), ["gzip"]),
        (compress(ORDER), ["deflate"]),
        (ORDER, ["br"]),
        (ORDER, ["compress"]),
        (compress(ORDER), ["x-gzip"]),
        (compress(compress(ORDER)), ["gzip, gzip"]),
        (compress(compress(ORDER)), ["gzip", "gzip"]),
        (ORDER, ["\N{LATIN SMALL LETTER E WITH ACUTE}"]),
    ],
    ids=itertools.count(),
)
def test_an_unsupported_coding_gets_api_gateways_response(body: bytes, codings: list[str]) -> None:
    status, response, api = post(body, *codings)

    assert (status, response) == (415, {"message": "Unsupported Media Type"})
    assert api.body is None


@pytest.mark.parametrize(
    ("body", "coding", "status"),
    [
        (lambda: compress(bytes(LARGEST)), "gzip", 202),
        (bomb, "gzip", 413),
        (lambda: bomb() * 1000, "gzip", 413),
        (lambda: compress(b"") * 500_000, "gzip", 202),
        (lambda: zlib.compress(bytes(2 * LARGEST)), "deflate", 413),
        (lambda: bytes(LARGEST + 1), "gzip", 413),
    ],
    ids=["at the limit", "one beyond", "many members", "empty members", "twice the limit", "compressed"],
)
def test_a_body_is_at_most_ten_megabytes_compressed_and_decoded(
    body: Callable[[], bytes], coding: str, status: int
) -> None:
    # Created here: every process of a test run collects all parameters.
    found, response, _ = post(body(), coding, parts=3)

    assert found == status
    assert status == 202 or response == {"message": "Request Too Long"}


def test_other_paths_keep_their_bodies() -> None:
    body = compress(ORDER)
    assert post(body, "gzip", path="/bucket/key")[2].body == body


@given(st.binary(), st.integers(0, 9), st.sampled_from(sorted(decoding.FORMATS)))
def test_every_body_survives(content: bytes, level: int, coding: str) -> None:
    compressor = zlib.compressobj(level, wbits=decoding.FORMATS[coding])
    assert decode(compressor.compress(content) + compressor.flush(), coding) == content


@given(st.binary(min_size=1), st.sampled_from(sorted(decoding.FORMATS)))
def test_any_bytes_are_decoded_or_refused(body: bytes, coding: str) -> None:
    with contextlib.suppress(NotInFormatError, TooLargeError):
        decode(body, coding)
