"""The start of a function: environment variables, imports and clients."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
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


def imported(handler: str, expression: str, **variables: str) -> str:
    """Return what an expression is in a new process that has imported a handler."""
    script = f"import sys; sys.path.insert(0, {str(FUNCTIONS)!r}); import {handler}; print({expression})"
    environment = {"PATH": os.environ["PATH"], **VARIABLES, **variables}
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True
    )
    return ran.stdout.strip()


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
    number = f"{handler}.{opened}.cache_info().currsize"
    assert imported(handler, number, AWS_LAMBDA_FUNCTION_NAME="function") == "1"
    assert imported(handler, number) == "0"


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
    unwanted = "{'boto3', 's3transfer', 'botocore.session'} & set(sys.modules)"
    assert imported(handler, f"sorted({unwanted})") == "[]"


@pytest.mark.parametrize("handler", ["place_order", "order_processor", "get_order_status", "get_menu"])
def test_a_functions_clients_need_no_boto3(handler: str) -> None:
    unwanted = "sorted({'boto3', 's3transfer'} & set(sys.modules))"
    assert imported(handler, unwanted, AWS_LAMBDA_FUNCTION_NAME="function") == "[]"
