"""HTTP requests and responses of functions behind API Gateway."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, TypedDict

from orders.exact_json import encode

# CloudFront may cache the response for a second, so that at most one request a second reaches the origin.
CACHED_FOR_A_SECOND = "public, max-age=1"
# The opaque part of each tag of an If-None-Match; a tag may hold commas.
TAG = re.compile(r'"([^"]*)"')


class HttpResponse(TypedDict):
    """Response of a Lambda proxy integration."""

    statusCode: int
    headers: dict[str, str]
    body: str


def response(
    status: int,
    body: dict[str, Any],
    cache_control: str = "no-store",
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return a response with a JSON document."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Cache-Control": cache_control, **(headers or {})},
        "body": encode(body),
    }


def cached_response(
    event: Mapping[str, Any],
    body: dict[str, Any],
    volatile: str = "",
    cache_control: str = CACHED_FOR_A_SECOND,
) -> HttpResponse:
    """Return a response with a JSON document, or `304` if the client has this one already.

    The field `volatile` changes on every response, so it is excluded from the ETag.
    """
    content = encode({name: value for name, value in body.items() if name != volatile})
    tag = hashlib.sha256(content.encode()).hexdigest()
    # Weak: documents with the same tag may differ in the volatile field and in compression.
    # Caches that compress, such as CloudFront, do not change a weak tag.
    headers = {"ETag": f'W/"{tag}"', "Cache-Control": cache_control}
    known = header(event, "if-none-match") or ""
    if known.strip() == "*" or tag in TAG.findall(known):
        return {"statusCode": 304, "headers": headers, "body": ""}
    return response(200, body, headers=headers)


def header(event: Mapping[str, Any], name: str) -> str | None:
    """Return a header of a request by its name in lower case, whatever its case in the request."""
    headers: Mapping[str, str] = event.get("headers") or {}
    return next((value for key, value in headers.items() if key.lower() == name), None)


def has_secret(event: Mapping[str, Any], name: str, sha256: str) -> bool:
    """Return whether a header of a request holds the secret with this hash."""
    value = header(event, name) or ""
    return hmac.compare_digest(hashlib.sha256(value.encode(errors="replace")).hexdigest(), sha256)


def came_through_cloudfront(event: Mapping[str, Any], sha256: str | None) -> bool:
    """Return whether a request has CloudFront's secret; True if CloudFront adds none (`sha256` is None)."""
    return sha256 is None or has_secret(event, "x-origin-secret", sha256)


def body_text(event: Mapping[str, Any]) -> str:
    """Return the body of a request; raise ValueError if it is not text."""
    body = str(event.get("body") or "")
    return base64.b64decode(body).decode() if event.get("isBase64Encoded") else body
