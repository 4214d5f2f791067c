"""The environment variables that the program gives its functions (`infra/functions.py`)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from stores.dynamodb.client import TableNames


def customer_names() -> str:
    """Return how much of customers' names the order status shows: a value of `CustomerNames`."""
    return os.environ.get("CUSTOMER_NAMES", "initial")


def database_secret() -> str:
    """Return the id of the secret with the function's login at the database."""
    return os.environ["DATABASE_SECRET"]


def dead_letter_queue_url() -> str:
    """Return the URL of `OrderDLQ`."""
    return os.environ["DEAD_LETTER_QUEUE_URL"]


def function_name() -> str:
    """Return the name of the function, empty outside Lambda."""
    return os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")


def idempotency_table() -> str:
    """Return the name of the table `IdempotencyKeys`."""
    return os.environ["IDEMPOTENCY_TABLE"]


def master_secret() -> str:
    """Return the id of the secret with the master user's login."""
    return os.environ["MASTER_SECRET"]


def menu_index() -> str:
    """Return the name of the index that holds the menu."""
    return os.environ["MENU_INDEX"]


def menu_table() -> str:
    """Return the name of `CafeMenu`."""
    return os.environ["MENU_TABLE"]


def open_hours() -> int:
    """Return for how many hours an order that nobody closed is an open one."""
    return int(os.environ["OPEN_HOURS"])


def orders_api_key_sha256() -> str | None:
    """Return the hash of the API key for orders; None if orders need none."""
    return os.environ.get("ORDERS_API_KEY_SHA256")


def orders_table() -> str:
    """Return the name of `Orders`."""
    return os.environ["ORDERS_TABLE"]


def origin_secret_sha256() -> str | None:
    """Return the hash of the secret that CloudFront adds to requests; None if it adds none."""
    return os.environ.get("ORIGIN_SECRET_SHA256")


def page_origin() -> str:
    """Return the origin of the pages, without a slash at its end; empty if it is not known."""
    return os.environ.get("PAGE_ORIGIN", "")


def publishes_oldest_waiting() -> bool:
    """Return whether an alarm watches the metric `OldestWaiting`."""
    return "PUBLISH_OLDEST_WAITING" in os.environ


def queue_url() -> str:
    """Return the URL of `OrderQueue`."""
    return os.environ["QUEUE_URL"]


def signed_in_only() -> bool:
    """Return whether only people who signed in may read the order status."""
    return "SIGNED_IN_ONLY" in os.environ


def sqs_has_ipv6() -> bool:
    """Return whether SQS is called by its name that has IPv6 addresses."""
    return "SQS_DUALSTACK" in os.environ


def status_secret() -> str:
    """Return the id of the secret with the login of the user that only reads."""
    return os.environ["STATUS_SECRET"]


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


def tracking_secret() -> str:
    """Return the id of the secret with the keys that sign customers' links.

    It holds `{"current": "2", "keys": {"1": "…", "2": "…"}}`; new links are signed with the current key.
    """
    return os.environ["TRACKING_SECRET"]
