"""The earlier system's worker: a secret and a connection per batch, a commit and two updates per order."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import boto3
import pymysql

secrets = boto3.client("secretsmanager")
dynamodb = boto3.resource("dynamodb")
menu = dynamodb.Table("CafeMenu")
metrics = dynamodb.Table("CafeOrderMetrics")


def handler(event: dict[str, Any], context: object) -> dict[str, int]:
    """Insert and count orders one by one; an error fails the whole batch."""
    login = json.loads(secrets.get_secret_value(SecretId="CafeDevDBSM")["SecretString"])
    connection = pymysql.connect(
        host=login["host"],
        port=login["port"],  # the system had the default one
        user=login["username"],
        password=login["password"],
        database=login["dbname"],
        connect_timeout=10,
    )
    with connection.cursor() as cursor:
        for record in event["Records"]:
            order = json.loads(record["body"])
            quantity = int(order["quantity"])
            cursor.execute(
                "INSERT INTO orders (customer_name, item, quantity) VALUES (%s, %s, %s)",
                (order["customer_name"], order["item"], quantity),
            )
            connection.commit()
            menu.update_item(
                Key={"item": order["item"]},
                UpdateExpression="ADD orders :inc",
                ExpressionAttributeValues={":inc": Decimal(quantity)},
            )
            metrics.update_item(
                Key={"metric": "TOTAL_ORDERS"},
                UpdateExpression="ADD #c :inc",
                ExpressionAttributeNames={"#c": "count"},
                ExpressionAttributeValues={":inc": Decimal(1)},
            )
            print("Order processed successfully:", order)
    return {"statusCode": 200}
