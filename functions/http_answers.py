"""Answers of functions behind API Gateway."""

from __future__ import annotations

import json
from typing import Any, TypedDict


class HttpAnswer(TypedDict):
    """What Lambda's proxy integration turns into an HTTP response."""

    statusCode: int
    headers: dict[str, str]
    body: str


def answer(status: int, body: dict[str, Any], cache_control: str = "no-store") -> HttpAnswer:
    """Answer with a JSON document."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "Cache-Control": cache_control},
        "body": json.dumps(body),
    }
