"""A fake stack: an API and a page over HTTP on loopback, tables, queues and logs in moto."""

from __future__ import annotations

import functools
import io
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cli.aws import Clients
from cli.stack import Stack
from orders.http_request import parse
from orders.order import InvalidOrderError
from tests.moto_state import make_or_copy

REGION = "eu-central-1"
BUCKET = "orders-backup-dev-0a1b2c3"
LOG_GROUPS = {
    name: f"/cafe/dev/{name}"
    for name in ("PlaceOrder", "OrderProcessor", "ReconcileOrders", "StaffOrders", "BackupOrders")
}
CONFIG = """export const settings = {"apiBase": "/prod", "timeZone": "UTC", "locale": "en-US",
"access": "public", "signIn": null, "staffSignIn": null, "warnMinutes": 3, "overdueMinutes": 6,
"ordersApiKey": false, "version": "1"};
"""
PAGE = "<!doctype html><html><head><title>Cafe orders</title></head></html>"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to the API."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A response of the API; `status` 0 closes the connection without one."""

    status: int = 200
    body: object = field(default_factory=dict)
    content_type: str = "application/json"

    def encoded(self) -> bytes:
        """Return the encoded body."""
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class Server(ThreadingHTTPServer):
    """Ignores clients that disconnect early, as some tests do."""

    daemon_threads = True
    request_queue_size = 64  # all connections of a run are opened at once

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print errors of the fake itself."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FakeApi:
    """An HTTP server with `POST /prod/orders`, `GET /prod/order-status` and the page.

    Attributes
    ----------
    replies
        Responses to the next orders; without one, an order is accepted.
    on_order
        Called with the id and body of each accepted order: the worker, if there is one.
    ids
        The accepted orders' ids, by their idempotency keys.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.replies: list[Reply] = []
        self.status: Reply = Reply(body={})
        self.page: Reply = Reply(body=PAGE, content_type="text/html; charset=utf-8")
        self.config: Reply = Reply(body=CONFIG, content_type="text/javascript; charset=utf-8")
        self.on_order: Callable[[str, Any], None] = lambda _id, _body: None
        self.on_status: Callable[[], None] = lambda: None
        self.ids: dict[str, str] = {}
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> FakeApi:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return int(self._server.server_address[1])

    @property
    def orders(self) -> list[Request]:
        """The requests that placed an order, with repeated ones."""
        return [request for request in self.requests if request.method == "POST"]

    @property
    def order_ids(self) -> set[str]:
        """The ids of the accepted orders."""
        return set(self.ids.values())

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the stack that this API belongs to."""
        api = f"http://127.0.0.1:{self.port}/prod"
        return {
            "page_url": f"http://d123.cloudfront.localhost:{self.port}/order-status",
            "api_url": api,
            "orders_url": f"{api}/orders",
            "order_status_url": f"{api}/order-status",
            "topic_arn": f"arn:aws:sns:{REGION}:123456789012:OrderTopic-dev",
        }

    def respond(self, request: Request) -> Reply:
        """Return the response of the stack."""
        with self._lock:
            self.requests.append(request)
            if request.method == "POST":
                return self._take(request)
        if request.headers["Host"].startswith("d123.cloudfront.localhost"):
            return self.config if request.path == "/config.js" else self.page
        if request.path == "/prod/order-status":
            self.on_status()
            return self.status
        return Reply(status=404, body={"message": "Not here"})

    def _take(self, request: Request) -> Reply:
        reply = self.replies.pop(0) if self.replies else None
        if reply is not None and reply.status not in {0, 202}:
            return reply
        key = request.headers["Idempotency-Key"]
        try:
            parse(json.dumps(request.body), key, with_api_key=False)
        except InvalidOrderError as error:
            return Reply(status=400, body={"message": str(error), "errors": error.errors})
        known = key in self.ids
        order_id = self.ids.setdefault(key, f"order-{len(self.ids) + 1}")
        if not known:
            self.on_order(order_id, request.body)
        return reply or Reply(status=202, body={"orderId": order_id, "message": "Order accepted"})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

            def _serve(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                reply = api.respond(
                    Request(
                        method=self.command,
                        path=self.path,
                        headers=dict(self.headers),
                        body=json.loads(sent) if sent else None,
                        connection=self.client_address,
                    )
                )
                if reply.status == 0:
                    self.close_connection = True
                    return
                body = reply.encoded()
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


@functools.cache
def administrator() -> Clients:
    """Return clients for moto, shared by all tests: making them takes longer than a test."""
    return Clients(Stack(name="dev", outputs={}, region=REGION))


class FakeAws:
    """The stack's tables, queues and log group in moto, and a worker that writes to them.

    Attributes
    ----------
    left_out
        Steps that the worker omits: `record`, `menu`, `total`, `days`, `log` or `row`.
    others
        Number of other orders that the worker counts at the same time.
    rows
        The orders in MySQL, as StaffOrders returns them.
    deployed
        The settings of the last deploy.
    """

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.left_out: set[str] = set()
        self.others = 0
        self.rows: list[dict[str, Any]] = []
        self.deployed: dict[str, Any] = {
            "databaseSnapshot": "",
            "databaseStorage": 20,
            "deletionProtection": True,
        }
        self._held: list[tuple[str, str]] = []
        self.log_line = "Order processed successfully"
        clients = administrator()
        self.dynamodb, self.sqs, self.logs, self.sns = (
            clients.dynamodb,
            clients.sqs,
            clients.logs,
            clients.sns,
        )
        self.events = clients.events
        self.queue_url, self.dead_letter_queue_url, self.undelivered_url, self.subscription = make_or_copy(
            self._make, REGION, "dynamodb", "events", "logs", "sns", "sqs"
        )
        api.on_order = self.work

    def _make(self) -> tuple[str, str, str, str]:
        """Make tables, queues, topic, rules and logs; return the queues' addresses and the subscription."""
        for table, key in {"Orders": "orderId", "CafeMenu": "item", "CafeOrderMetrics": "metric"}.items():
            self.dynamodb.create_table(
                TableName=f"{table}-dev",
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        topic = self.sns.create_topic(Name="OrderTopic-dev")["TopicArn"]
        queue = topic.replace(":sns:", ":sqs:").replace("OrderTopic", "OrderQueue")  # its ARN
        policy = json.dumps(_accepts(topic, queue))
        queue_url = self.sqs.create_queue(QueueName="OrderQueue-dev", Attributes={"Policy": policy})[
            "QueueUrl"
        ]
        dead_letter_queue_url = self.sqs.create_queue(QueueName="OrderDLQ-dev")["QueueUrl"]
        undelivered_url = self.sqs.create_queue(QueueName="OrderSubscriptionDLQ-dev")["QueueUrl"]
        subscription = self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
        for rule in ("ReconcileOrders-dev", "AuditOrders-dev"):
            self.events.put_rule(Name=rule, ScheduleExpression="rate(1 minute)")
            arn = topic.replace(":sns:", ":lambda:").replace("OrderTopic", "function:ReconcileOrders")
            self.events.put_targets(Rule=rule, Targets=[{"Id": rule, "Arn": arn}])
        for group in LOG_GROUPS.values():
            self.logs.create_log_group(logGroupName=group)
            self.logs.create_log_stream(logGroupName=group, logStreamName="1")
        return queue_url, dead_letter_queue_url, undelivered_url, subscription

    def outputs(self) -> dict[str, str]:
        """Return all outputs of the stack."""
        return self.api.outputs() | {
            "queue_url": self.queue_url,
            "dead_letter_queue_url": self.dead_letter_queue_url,
            "subscription_dead_letter_queue_url": self.undelivered_url,
            "worker_mapping": "4b9a1a2e-0000-4000-8000-000000000000",
            "reconcile_function": "ReconcileOrders-dev",
            "migrate_function": "MigrateDatabase-dev",
            "backup_function": "BackupOrders-dev",
            "erase_function": "EraseOrders-dev",
            "backup_log_group": LOG_GROUPS["BackupOrders"],
            "backup_bucket": BUCKET,
            "staff_function": "StaffOrders-dev",
            "waiting_alarm_minutes": "0",
            "orders_table": "Orders-dev",
            "menu_table": "CafeMenu-dev",
            "metrics_table": "CafeOrderMetrics-dev",
            "log_groups": json.dumps(LOG_GROUPS),
            "worker_log_group": LOG_GROUPS["OrderProcessor"],
            "database_identifier": "cafe-db-dev-1234567",
            "deployed_settings": json.dumps(self.deployed),
        }

    def make_bucket(self) -> Any:
        """Make the bucket of the copies, and return a client."""
        s3 = administrator().s3
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        return s3

    def put(self, body: str, url: str | None = None, **attributes: str) -> str:
        """Send a message to a queue, by default the dead-letter queue; return its id."""
        sent = self.sqs.send_message(
            QueueUrl=url or self.dead_letter_queue_url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
        return sent["MessageId"]

    def bodies(self, url: str) -> list[str]:
        """Return the bodies of a queue's visible messages, which stay visible."""
        bodies: list[str] = []
        while response := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60
        ).get("Messages", []):
            self._held += [(url, message["ReceiptHandle"]) for message in response]
            bodies += [message["Body"] for message in response]
        while self._held:
            held_url, receipt = self._held.pop()
            self.sqs.change_message_visibility(QueueUrl=held_url, ReceiptHandle=receipt, VisibilityTimeout=0)
        return bodies

    def work(self, order_id: str, order: Any) -> None:
        """Process one order, without the steps to omit."""
        steps: dict[str, Callable[[], object]] = {
            "record": lambda: self._record(order_id, order),
            "menu": lambda: self._add("CafeMenu", "item", order["item"], "orders", order["quantity"]),
            "total": lambda: self._count("TOTAL_ORDERS", 1 + self.others),
            "days": self._count_day,
            "log": lambda: self.log({"level": "INFO", "message": self.log_line, "orderId": order_id}),
            "row": lambda: self.rows.append(
                order | {"order_id": order_id, "number": "K42", "state": "received", "version": 1}
            ),
        }
        for name, step in steps.items():
            if name not in self.left_out:
                step()

    def _record(self, order_id: str, order: Any) -> None:
        item = {"orderId": order_id, "item": order["item"]}
        typed: dict[str, Any] = {name: {"S": value} for name, value in item.items()}
        quantity = {"quantity": {"N": str(order["quantity"])}}
        self.dynamodb.put_item(TableName="Orders-dev", Item=typed | quantity)

    def _count_day(self) -> None:
        for hour in ("", "T14"):
            self._count(f"ORDERS#2026-11-22{hour}", 1)

    def _count(self, metric: str, number: int) -> None:
        self._add("CafeOrderMetrics", "metric", metric, "count", number)

    def _add(self, table: str, key: str, value: str, attribute: str, number: int) -> None:
        self.dynamodb.update_item(
            TableName=f"{table}-dev",
            Key={key: {"S": value}},
            UpdateExpression="ADD #a :n",
            ExpressionAttributeNames={"#a": attribute},
            ExpressionAttributeValues={":n": {"N": str(number)}},
        )

    def log(self, line: Mapping[str, object] | str, ago: float = 0, function: str = "OrderProcessor") -> None:
        """Write a line to a function's log, with a time so many seconds ago."""
        message = line if isinstance(line, str) else json.dumps(line)
        self.logs.put_log_events(
            logGroupName=LOG_GROUPS[function],
            logStreamName="1",
            logEvents=[{"timestamp": int((time.time() - ago) * 1000), "message": message}],
        )


def _accepts(topic: str, queue: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


class FakeFunctions:
    """A fake client of Lambda, with functions and the worker's mapping.

    Attributes
    ----------
    status
        The response of the function behind the status API.
    responses
        Responses to the next invocations, or exceptions to raise; without one, `usual` is called.
    events
        The events of the invocations.
    """

    def __init__(self) -> None:
        self.status: dict[str, Any] = {}
        self.responses: list[Any] = []
        self.events: list[dict[str, Any]] = []
        self.usual: Callable[[dict[str, Any]], Any] = lambda _event: {}
        self.state = "Enabled"
        self.states: list[str] = []  # that were requested
        self.last = "No records processed"
        self.changed_at = datetime.now(UTC)

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """Invoke one of the functions."""
        if FunctionName == "GetOrderStatusLambda-dev":
            return _invoked(self.status)
        assert FunctionName in {
            "BackupOrders-dev",
            "EraseOrders-dev",
            "ReconcileOrders-dev",
            "MigrateDatabase-dev",
            "StaffOrders-dev",
        }
        event = json.loads(Payload)
        self.events.append(event)
        response = self.responses.pop(0) if self.responses else self.usual(event)
        if isinstance(response, Exception):
            raise response
        return _invoked(response)

    def get_event_source_mapping(self, *, UUID: str) -> dict[str, Any]:  # noqa: N803
        """Return the mapping; a change is complete at the second request."""
        state = self.state
        self.state = {"Enabling": "Enabled", "Disabling": "Disabled"}.get(state, state)
        return {
            "UUID": UUID,
            "State": state,
            "LastProcessingResult": self.last,
            "LastModified": self.changed_at,
        }

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803
        """Begin to pause or resume."""
        self.state = "Enabling" if Enabled else "Disabling"
        self.states.append(self.state)


def _invoked(response: Any) -> dict[str, Any]:
    """Return a function's response as Lambda does."""
    failed = {"FunctionError": "Unhandled"} if response and "errorMessage" in response else {}
    return {"Payload": io.BytesIO(json.dumps(response).encode()), **failed}
