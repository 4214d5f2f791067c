"""DynamoDB by moto, which evaluates every expression and index."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def dynamodb(moto_dynamodb: Any) -> Any:
    """DynamoDB with the three tables."""
    return moto_dynamodb
