"""The start of a function: environment variables, imports and clients."""

from __future__ import annotations

import ast
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import environment
from stores.dynamodb.client import TableNames

FUNCTIONS = Path(__file__).parents[2] / "functions"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "BACKUP_BUCKET": "orders-backup-dev",
    "DATABASE_SECRET": "CafeDevDBSM",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/OrderDLQ",
    "IDEMPOTENCY_TABLE": "IdempotencyKeys",
    "MENU_INDEX": "menu",
    "MENU_TABLE": "CafeMenu",
    "METRICS_TABLE": "CafeOrderMetrics",
    "OPEN_HOURS": "6",
    "ORDERS_TABLE": "Orders",
    "QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/OrderQueue",
    "TIME_ZONE": "UTC",
    "TRACKING_SECRET": "TrackingKeys",
    "TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:OrderTopic",
}


def reads_environment(source: str) -> bool:
    names = {"environ", "environb", "getenv", "getenvb"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and any(alias.name in names for alias in node.names))
        for node in ast.walk(ast.parse(source))
    )


def test_one_module_reads_environment_variables() -> None:
    sources = [path for path in FUNCTIONS.rglob("*.py") if reads_environment(path.read_text("utf-8"))]
    assert [path.relative_to(FUNCTIONS).as_posix() for path in sources] == ["environment.py"]


@pytest.mark.parametrize(
    ("read", "variable"),
    [
        (environment.backup_bucket, "BACKUP_BUCKET"),
        (environment.customer_names, "CUSTOMER_NAMES"),
        (environment.database_secret, "DATABASE_SECRET"),
        (environment.dead_letter_queue_url, "DEAD_LETTER_QUEUE_URL"),
        (environment.function_name, "AWS_LAMBDA_FUNCTION_NAME"),
        (environment.idempotency_table, "IDEMPOTENCY_TABLE"),
        (environment.master_secret, "MASTER_SECRET"),
        (environment.menu_index, "MENU_INDEX"),
        (environment.menu_table, "MENU_TABLE"),
        (environment.orders_api_key_sha256, "ORDERS_API_KEY_SHA256"),
        (environment.origin_secret_sha256, "ORIGIN_SECRET_SHA256"),
        (environment.queue_url, "QUEUE_URL"),
        (environment.status_secret, "STATUS_SECRET"),
        (environment.topic_arn, "TOPIC_ARN"),
    ],
)
def test_a_variable_is_read_by_its_name(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[], str | None], variable: str
) -> None:
    monkeypatch.setenv(variable, f"the value of {variable}")
    assert read() == f"the value of {variable}"


@pytest.mark.parametrize(
    ("read", "variable", "default"),
    [
        (environment.customer_names, "CUSTOMER_NAMES", "initial"),
        (environment.function_name, "AWS_LAMBDA_FUNCTION_NAME", ""),
        (environment.orders_api_key_sha256, "ORDERS_API_KEY_SHA256", None),
        (environment.origin_secret_sha256, "ORIGIN_SECRET_SHA256", None),
    ],
)
def test_a_variable_that_may_be_missing_has_a_default(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[], str | None], variable: str, default: str | None
) -> None:
    monkeypatch.delenv(variable, raising=False)
    assert read() == default


@pytest.mark.parametrize("read", [environment.queue_url, environment.table_names, environment.time_zone])
def test_a_required_variable_has_no_default(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[], object]
) -> None:
    for name in ("QUEUE_URL", "ORDERS_TABLE", "TIME_ZONE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(KeyError):
        read()


@pytest.mark.parametrize(
    ("read", "variable"),
    [(environment.signed_in_only, "SIGNED_IN_ONLY"), (environment.sqs_has_ipv6, "SQS_DUALSTACK")],
)
def test_a_switch_is_on_when_its_variable_is_set_to_any_value(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[], bool], variable: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    assert not read()
    monkeypatch.setenv(variable, "")
    assert read()


def test_each_table_has_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORDERS_TABLE", "MENU_TABLE", "METRICS_TABLE"):
        monkeypatch.setenv(name, name)
    assert environment.table_names() == TableNames("ORDERS_TABLE", "MENU_TABLE", "METRICS_TABLE")


def test_the_time_zone_is_read_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIME_ZONE", "Europe/Berlin")
    assert environment.time_zone().key == "Europe/Berlin"


# Import a handler in a new process; print all modules, and the number of results in each function's cache.
SCRIPT = """
import json, sys
sys.path.insert(0, {path!r})
import {handler}
cached = {{name: each for name, each in vars({handler}).items() if hasattr(each, "cache_info")}}
results = {{name: each.cache_info().currsize for name, each in cached.items()}}
print(json.dumps([list(sys.modules), results]))
"""


@functools.cache
def started(handler: str, **variables: str) -> tuple[set[str], dict[str, int]]:
    """Import a handler; return all modules, and the number of results in each function's cache."""
    script = SCRIPT.format(path=str(FUNCTIONS), handler=handler)
    environment = {"PATH": os.environ["PATH"], **VARIABLES, **variables}
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True
    )
    modules, results = json.loads(ran.stdout)
    return set(modules), results


def started_by_lambda(handler: str) -> tuple[set[str], dict[str, int]]:
    return started(handler, AWS_LAMBDA_FUNCTION_NAME="function")


@pytest.mark.parametrize(
    ("handler", "opened"),
    [
        ("place_order", "topic"),
        ("place_order", "keys"),
        ("order_processor", "ledger"),
        ("get_order_status", "read_status"),
        ("get_menu", "menu"),
        ("staff_orders", "items"),
        ("public_orders", "tracking_keys"),
    ],
)
def test_clients_are_created_while_lambda_starts_the_function(handler: str, opened: str) -> None:
    assert started_by_lambda(handler)[1][opened] == 1
    assert started(handler)[1][opened] == 0


@pytest.mark.parametrize(
    "handler",
    [
        "place_order",
        "order_processor",
        "get_order_status",
        "get_menu",
        "staff_orders",
        "public_orders",
        "reconcile_orders",
        "migrate_database",
    ],
)
def test_importing_a_function_does_not_import_the_sdk(handler: str) -> None:
    assert not {"boto3", "s3transfer", "botocore.session"} & started(handler)[0]


@pytest.mark.parametrize("handler", ["place_order", "order_processor", "get_order_status", "get_menu"])
def test_a_functions_clients_need_no_boto3(handler: str) -> None:
    assert not {"boto3", "s3transfer"} & started_by_lambda(handler)[0]
