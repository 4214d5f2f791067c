"""Client of a running local stack, for customers' requests and for reading its stores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pymysql

from local.database.instance import tls_context
from tests.local_stack import LocalStack


@dataclass
class System:
    """A running system: places orders as customers do, and reads queues and stores as operators do."""

    stack: LocalStack
    http: httpx.Client

    def __post_init__(self) -> None:
        self.sns, self.sqs, self.dynamodb = map(self.stack.client, ("sns", "sqs", "dynamodb"))
        self.outputs = self.stack.outputs
        self._connection: pymysql.Connection[pymysql.cursors.Cursor] | None = None

    def post(self, body: Any = None, *, text: str | None = None, **headers: str) -> httpx.Response:
        """Place an order over HTTP."""
        content = json.dumps(body) if text is None else text
        headers = {"Content-Type": "application/json", **headers}
        return self.http.post(self.outputs["orders_url"], content=content, headers=headers)

    def publish(self, message: str) -> None:
        """Publish a message, as any system with access to the topic does."""
        self.sns.publish(TopicArn=self.outputs["topic_arn"], Message=message)

    def send(self, body: str) -> str:
        """Send a message to the queue, and return its id."""
        sent = self.sqs.send_message(QueueUrl=self.outputs["queue_url"], MessageBody=body)
        return str(sent["MessageId"])

    def status(self) -> dict[str, Any]:
        """Return the response of the status API."""
        response = self.http.get(self.outputs["order_status_url"])
        response.raise_for_status()
        return response.json()  # type: ignore[no-any-return]

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return rows, on a connection that stays open: logging in takes longer than most queries."""
        if self._connection is not None:
            with suppress(pymysql.OperationalError, pymysql.InterfaceError):  # it was cut
                return _rows(self._connection, sql, values)
        self._connection = self._connect()
        return _rows(self._connection, sql, values)

    @contextmanager
    def database(self, user: str | None = None, password: str = "") -> Iterator[pymysql.cursors.Cursor]:
        """Log in to the database, as the tools' user or as another."""
        with self._connect(user, password) as connection, connection.cursor() as cursor:
            yield cursor

    def _connect(
        self, user: str | None = None, password: str = ""
    ) -> pymysql.Connection[pymysql.cursors.Cursor]:
        login = self.stack.database
        return pymysql.connect(
            host=login["host"],
            port=login["port"],
            user=user or login["user"],
            password=password or login["password"],
            database=login["name"],
            ssl=tls_context(login["ca"]),
            autocommit=True,
        )

    def item(self, table: str, **key: str) -> dict[str, Any] | None:
        """Return an item, with all values as text."""
        found = self.dynamodb.get_item(
            TableName=self.outputs[table],
            Key={name: {"S": value} for name, value in key.items()},
            ConsistentRead=True,
        ).get("Item")
        return {name: next(iter(value.values())) for name, value in found.items()} if found else None

    def is_recorded(self, order_id: str) -> bool:
        """Return whether both stores have an order."""
        in_database = self.rows("SELECT COUNT(*) FROM orders WHERE order_id = %s", order_id) == [(1,)]
        return in_database and self.item("orders_table", orderId=order_id) is not None

    def total(self) -> int:
        """Read `TOTAL_ORDERS`."""
        return int((self.item("metrics_table", metric="TOTAL_ORDERS") or {})["count"])

    def ordered(self, item: str) -> int:
        """Return the ordered quantity of an item."""
        return int((self.item("menu_table", item=item) or {}).get("orders", 0))

    def depth(self, queue: str = "queue_url") -> int:
        """Count messages in a queue, waiting or in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.outputs[queue]
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(map(int, attributes.values()))

    @contextmanager
    def quick_redelivery(self) -> Iterator[None]:
        """Set the visibility timeout to a second: a message that fails is received again at once."""
        url = self.outputs["queue_url"]
        name = "VisibilityTimeout"
        before = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={name: "1"})
        try:
            yield
        finally:
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before})


def _rows(
    connection: pymysql.Connection[pymysql.cursors.Cursor], sql: str, values: Sequence[object]
) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
