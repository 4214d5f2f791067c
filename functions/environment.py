"""The environment variables of the functions, which `infra/functions.py` sets."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta
    from zoneinfo import ZoneInfo

    from stores.dynamodb.client import TableNames


def _text(name: str, default: str | None = None) -> Callable[[], str]:
    return lambda: os.environ[name] if default is None else os.environ.get(name, default)


def _integer(name: str) -> Callable[[], int]:
    return lambda: int(os.environ[name])


def _integer_or_zero(name: str) -> Callable[[], int]:
    return lambda: int(os.environ.get(name, "0"))


def _optional(name: str) -> Callable[[], str | None]:
    return lambda: os.environ.get(name)


def _switch(name: str) -> Callable[[], bool]:
    return lambda: name in os.environ


backup_bucket = _text("BACKUP_BUCKET")
backup_days = _integer("BACKUP_DAYS")  # for how many days backups are kept
customer_names = _text("CUSTOMER_NAMES", "initial")  # a value of `CustomerNames`, for the order status
database_secret = _text("DATABASE_SECRET")  # id of the secret with the function's database login
dead_letter_queue_url = _text("DEAD_LETTER_QUEUE_URL")
erased_orders_table = _text("ERASED_ORDERS_TABLE")
function_name = _text("AWS_LAMBDA_FUNCTION_NAME", "")  # empty outside Lambda
idempotency_table = _text("IDEMPOTENCY_TABLE")
master_secret = _text("MASTER_SECRET")  # id of the secret with the master user's login
menu_index = _text("MENU_INDEX")  # name of the index that holds the menu
menu_table = _text("MENU_TABLE")
open_hours = _integer("OPEN_HOURS")  # for how many hours an order stays open if nobody closes it
orders_api_key_sha256 = _optional("ORDERS_API_KEY_SHA256")  # None if orders need no API key
origin_secret_sha256 = _optional("ORIGIN_SECRET_SHA256")  # None if CloudFront adds no secret to requests
orders_table = _text("ORDERS_TABLE")
page_origin = _text("PAGE_ORIGIN", "")  # of the pages, without a trailing slash; empty if unknown
publishes_oldest_waiting = _switch("PUBLISH_OLDEST_WAITING")  # an alarm watches the metric
queue_url = _text("QUEUE_URL")
signed_in_only = _switch("SIGNED_IN_ONLY")  # the order status requires sign-in
recorded_within = _integer_or_zero("RECORDED_WITHIN")  # seconds; 0 without that objective
sqs_has_ipv6 = _switch("SQS_DUALSTACK")  # call the dual-stack endpoint of SQS
status_secret = _text("STATUS_SECRET")  # id of the secret with the read-only user's login
topic_arn = _text("TOPIC_ARN")
# Id of the secret with the keys that sign customers' links: `{"current": "2", "keys": {"1": "…", "2": "…"}}`;
# new links are signed with the current key.
tracking_secret = _text("TRACKING_SECRET")


_retention_days = _integer_or_zero("RETENTION_DAYS")


def retention() -> timedelta | None:
    """Return the age at which orders lose their names, None if they are kept: the setting `retentionDays`."""
    from datetime import timedelta

    days = _retention_days()
    return timedelta(days=days) if days else None


def table_names() -> TableNames:
    """Return the names of the tables."""
    from stores.dynamodb.client import TableNames

    return TableNames(os.environ["ORDERS_TABLE"], os.environ["MENU_TABLE"], os.environ["METRICS_TABLE"])


def time_zone() -> ZoneInfo:
    """Return the cafe's time zone."""
    from zoneinfo import ZoneInfo

    return ZoneInfo(os.environ["TIME_ZONE"])
