"""The environment variables that the program gives its functions (`infra/functions.py`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from stores.dynamodb.client import TableNames


def database_secret() -> str:
    """Return the id of the secret with the function's login at the database."""
    return os.environ["DATABASE_SECRET"]


def master_secret() -> str:
    """Return the id of the secret with the master user's login."""
    return os.environ["MASTER_SECRET"]


def table_names() -> TableNames:
    """Return the names of the tables."""
    from stores.dynamodb.client import TableNames

    return TableNames(os.environ["ORDERS_TABLE"], os.environ["MENU_TABLE"], os.environ["METRICS_TABLE"])


def time_zone() -> ZoneInfo:
    """Return the cafe's time zone."""
    from zoneinfo import ZoneInfo

    return ZoneInfo(os.environ["TIME_ZONE"])


def topic_arn() -> str:
    """Return the ARN of `OrderTopic`."""
    return os.environ["TOPIC_ARN"]


def idempotency_table() -> str:
    """Return the name of the table `IdempotencyKeys`."""
    return os.environ["IDEMPOTENCY_TABLE"]


def orders_api_key_sha256() -> str | None:
    """Return the hash of the API key for orders; None if orders need none."""
    return os.environ.get("ORDERS_API_KEY_SHA256")


def queue_url() -> str:
    """Return the URL of `OrderQueue`."""
    return os.environ["QUEUE_URL"]


def dead_letter_queue_url() -> str:
    """Return the URL of `OrderDLQ`."""
    return os.environ["DEAD_LETTER_QUEUE_URL"]
