"""ASGI middleware that decompresses request bodies as API Gateway does; MiniStack's API does not.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-make-request-with-compressed-payload.html:
the response to an unsupported coding, or to a body that is not in its coding, is 415.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

API_PATH = "/_aws/execute-api/"
LARGEST = 10 * 1024 * 1024  # bytes of a body, compressed or decoded, that API Gateway accepts
CHUNK = 1024  # bytes decoded at once; the rest of a chunk is copied after each gzip member
# zlib's `wbits` by coding. `deflate` is the zlib format (RFC 9110).
FORMATS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
IDENTITY = "identity"
BODY_HEADERS = (b"content-encoding", b"content-length", b"transfer-encoding")

UNSUPPORTED = (415, "Unsupported Media Type")
TOO_LARGE = (413, "Request Too Long")


class NotInFormatError(ValueError):
    """The body is not in the coding that its header names."""


class TooLargeError(ValueError):
    """The body is larger than API Gateway accepts, compressed or decoded."""


def decode(body: bytes, coding: str) -> bytes:
    """Return the decoded body.

    Raises
    ------
    NotInFormatError
        It is truncated, followed by other data, or not in this coding.
    TooLargeError
        It is larger than `LARGEST`; no more than that is decoded.
    """
    decoded, position = bytearray(), 0
    decompressor = zlib.decompressobj(FORMATS[coding])
    try:
        while position < len(body):
            if decompressor.eof and coding == "gzip":  # may have several members
                decompressor = zlib.decompressobj(FORMATS[coding])
            elif decompressor.eof:
                raise NotInFormatError("data follows the stream")
            chunk = body[position : position + CHUNK]
            decoded += decompressor.decompress(chunk, LARGEST + 1 - len(decoded))
            if len(decoded) > LARGEST:
                raise TooLargeError
            position += len(chunk) - len(decompressor.unused_data)
    except zlib.error as error:
        raise NotInFormatError(str(error)) from None
    if not decompressor.eof:
        raise NotInFormatError("it is truncated")
    return bytes(decoded)


def decoding(application: Application) -> Application:
    """Return middleware that decodes the bodies of requests to the API."""

    async def handle(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        named = [value for name, value in scope.get("headers", ()) if name.lower() == b"content-encoding"]
        coding = b", ".join(named).decode("latin-1").strip().lower()
        if coding in ("", IDENTITY) or not scope.get("path", "").startswith(API_PATH):
            await application(scope, receive, send)
            return
        try:
            body = await _read(receive)
            if coding not in FORMATS:
                raise NotInFormatError(coding)
            content = decode(body, coding)
        except NotInFormatError:
            await _respond(send, *UNSUPPORTED)
        except TooLargeError:
            await _respond(send, *TOO_LARGE)
        else:
            await application(_with_length(scope, len(content)), _receiving(content, receive), send)

    return handle


async def _read(receive: Receive) -> bytes:
    """Read the whole body, but keep little more than `LARGEST` bytes."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if len(body) <= LARGEST:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    if len(body) > LARGEST:
        raise TooLargeError
    return bytes(body)


def _with_length(scope: Mapping[str, Any], length: int) -> Mapping[str, Any]:
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in BODY_HEADERS]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())]}


def _receiving(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that returns the body once, then the server's messages."""
    messages: list[Mapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Mapping[str, Any]:
        return messages.pop() if messages else await receive()

    return next_message


async def _respond(send: Send, status: int, message: str) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"message": message}).encode()})
