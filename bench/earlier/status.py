"""The earlier system's order status: a secret, a connection, a scan and a sort of the table per request."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pymysql

secrets = boto3.client("secretsmanager")
dynamodb = boto3.resource("dynamodb")
metrics_table = dynamodb.Table("CafeOrderMetrics")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return all metrics and the last 20 orders."""
    login = json.loads(secrets.get_secret_value(SecretId="CafeDevDBSM")["SecretString"])
    connection = pymysql.connect(
        host=login["host"],
        port=login["port"],
        user=login["username"],
        password=login["password"],
        database=login["dbname"],
        connect_timeout=5,
        cursorclass=pymysql.cursors.DictCursor,
    )
    metrics = metrics_table.scan()["Items"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_name, item, quantity, created_at FROM orders ORDER BY created_at DESC LIMIT 20"
        )
        orders = cursor.fetchall()
    return {
        "statusCode": 200,
        "headers": {"Access-Control-Allow-Origin": "*"},
        "body": json.dumps({"metrics": metrics, "recent_orders": orders}, default=str),
    }
