"""Fixtures of the unit tests that compare both stores."""

from __future__ import annotations

from typing import Any

import pytest

from stores.mysql.connection import MySql
from tests.unit.both_stores import BothStores


@pytest.fixture
def both(mysql: MySql, dynamodb: Any) -> BothStores:
    """Both stores, empty, and what compares and repairs them."""
    return BothStores(mysql, dynamodb)
