"""What the handler behind `GET /order-status` answers without its sources."""

from __future__ import annotations

from typing import Any

import pytest

import get_order_status
from orders.status import NothingKnownError


def test_without_any_source_the_status_is_503_and_says_nothing_of_the_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ask() -> Any:
        raise NothingKnownError({"rds": "MySQL error 2003", "dynamodb": "secret", "sqs": "secret"})

    monkeypatch.setattr(get_order_status, "ask", lambda: ask)
    answer = get_order_status.handler({}, None)
    assert answer["statusCode"] == 503
    assert "secret" not in answer["body"]
    assert answer["headers"]["Cache-Control"] == "no-store"
