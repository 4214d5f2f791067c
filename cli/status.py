"""`GET /order-status`, as tables in a terminal."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.text import Text

from cli import http
from cli.errors import AnswerError
from cli.stack import Stack
from cli.tables import Column, Kind, Table
from cli.terminal import plain
from cli.times import spoken

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from cli.aws import Clients

LONGEST_SHOWN = 200  # characters of an invalid response in a message
KINDS = {
    "Count": Kind.NUMBER,
    "Quantity": Kind.NUMBER,
    "Orders": Kind.NUMBER,
    "Time": Kind.WHOLE,
    "Order": Kind.ID,
}


class Answer(BaseModel):
    """Base of the answer's parts; what a later version of the API adds is no error."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Metric(Answer):
    """A counter, `TOTAL_ORDERS` for one; the count is `None` where it is not known at the moment."""

    metric: str
    count: int | None


class RecentOrder(Answer):
    """An order of the source of truth; of rows older than this system any part may be unknown."""

    order_id: str | None = None
    customer_name: str | None = None
    item: str | None = None
    quantity: int | None = None
    created_at: datetime | None = None


class TopItem(Answer):
    """How many of an item were ordered."""

    item: str
    quantity: int


class Today(Answer):
    """The day's orders so far, and how many there were yesterday by the same time."""

    count: int | None = None
    same_time_yesterday: int | None = None


class RdsOrders(Answer):
    """The number of rows, and when they were counted."""

    count: int
    as_of: datetime


class DeadLetters(Answer):
    """What the messages in the dead-letter queue were when they were last looked at."""

    rejected: int
    conflicting: int = 0  # the previous release reports none
    waiting: int


class Sync(Answer):
    """Where orders are on their way; `None`: not known at the moment."""

    waiting: int | None = None
    in_flight: int | None = None
    dead_lettered: int | None = None
    dead_letters: DeadLetters | None = None
    rds_orders: RdsOrders | None = None
    dynamodb_orders: int | None = None
    in_sync: bool | None = None
    unknown_since: datetime | None = None
    unknown_reason: str | None = None


class OrderStatus(Answer):
    """The whole answer."""

    metrics: list[Metric] = Field(default_factory=list)
    today: Today = Today()
    recent_orders: list[RecentOrder] = Field(default_factory=list)
    top_items: list[TopItem] = Field(default_factory=list)
    sync: Sync = Sync()
    generated_at: datetime | None = None
    degraded: list[str] = Field(default_factory=list)


def source(stack: Stack, client: httpx.Client, clients: "Clients | None" = None) -> Callable[[], object]:
    """Return what tells the order status: the API where it is public, else its function.

    The function is called with the operator's own IAM identity; neither the page's sign-in nor its networks
    matter then.
    """
    if stack.is_public:
        url = stack.output("order_status_url")
        return lambda: fetch(client, url)
    name = stack.output("status_function")
    if clients is None:
        from cli import aws

        clients = aws.Clients(stack)
    functions = clients.functions
    return lambda: call(functions, name)


def call(functions: "LambdaClient", name: str) -> object:
    """Return the JSON document that the function behind the status API answers with.

    Raises
    ------
    AnswerError
        It cannot be called, or it answers anything but 200 with JSON.
    """
    from cli.functions import http_response

    code, body = http_response(functions, name, {})
    try:
        document = json.loads(body)
        if code == httpx.codes.OK:
            return document
        problem = f"{code}: {document['message']}"
    except (KeyError, TypeError, ValueError):
        problem = f"{code} with {body[:LONGEST_SHOWN]!r}"
    raise AnswerError(f"{name} answered {problem.rstrip('.')}.")


def fetch(client: httpx.Client, url: str) -> object:
    """Return the JSON document that the status API answers with.

    Raises
    ------
    AnswerError
        It cannot be reached, or it answers anything but 200 with JSON.
    """
    try:
        response = client.get(url)
    except httpx.TransportError as error:
        raise AnswerError(f"{url} was not reached: {http.problem(error)}.") from error
    if response.status_code != httpx.codes.OK:
        raise AnswerError(f"{url} answered {http.message_of(response)}.")
    try:
        return response.json()
    except ValueError:
        raise AnswerError(f"{url} answered, but not with JSON.") from None


def parse(document: object) -> OrderStatus:
    """Parse the API's response; raise AnswerError with the first field that is invalid."""
    try:
        return OrderStatus.model_validate(document)
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "its top level"
        raise AnswerError(f"The status API's response is invalid at {place}: {first['msg']}.") from None


def render(status: OrderStatus) -> RenderableType:
    """Return `status` as tables, with times in the time zone of whoever reads them."""
    parts: list[RenderableType] = []
    if status.degraded:
        sources = ", ".join(plain(source) for source in status.degraded)
        parts.append(Text(f"Could not be read, so part of this is missing: {sources}", style="yellow"))
    parts.append(
        Columns(
            [_metrics(status), _sync(status.sync), _top_items(status.top_items)],
            padding=(0, 3),
        )
    )
    parts.append(_recent(status.recent_orders))
    if status.generated_at is not None:
        parts.append(Text(f"As of {spoken(status.generated_at)}", style="dim"))
    return Group(*parts)


def _table(title: str, *columns: str) -> Table:
    return Table(title, tuple(Column(name, KINDS.get(name, Kind.NAME)) for name in columns))


def _metrics(status: OrderStatus) -> Table:
    table = _table("Metrics", "Metric", "Count")
    for metric in status.metrics:
        table.add_row(Text(plain(metric.metric)), _known(metric.count))
    table.add_row("Yesterday by now", _known(status.today.same_time_yesterday))
    return table


def _sync(sync: Sync) -> Table:
    table = _table("On the way", "Hop", "Orders")
    table.add_row("Waiting in the queue", _known(sync.waiting))
    table.add_row("With the worker", _known(sync.in_flight))
    table.add_row("Dead-lettered", _alarming(sync.dead_lettered))
    if sync.dead_lettered and sync.dead_letters:
        left = sync.dead_letters
        table.add_row("  without a valid order", _alarming(left.rejected))
        table.add_row("  with the id of another order", _alarming(left.conflicting))
        table.add_row("  waiting for a store", _known(left.waiting))
        unseen = sync.dead_lettered - left.rejected - left.conflicting - left.waiting
        if unseen > 0:  # they came after the last sweep
            table.add_row("  not looked at yet", _known(unseen))
    counted = "" if sync.rds_orders is None else f" ({spoken(sync.rds_orders.as_of)})"
    table.add_row(f"In RDS{counted}", _known(sync.rds_orders.count if sync.rds_orders else None))
    table.add_row("In DynamoDB", _known(sync.dynamodb_orders))
    table.add_row("In sync", _verdict(sync))
    return table


def _verdict(sync: Sync) -> Text:
    if sync.in_sync is not None:
        return Text("yes", style="green") if sync.in_sync else Text("no", style="yellow")
    if sync.unknown_since is None:
        return Text("unknown")
    reason = f": {plain(sync.unknown_reason)}" if sync.unknown_reason else ""
    return Text(f"unknown since {spoken(sync.unknown_since)}{reason}", style="yellow")


def _known(count: int | None) -> Text:
    return Text("unknown" if count is None else f"{count:,}")


def _alarming(count: int | None) -> Text:
    text = _known(count)
    if count:
        text.stylize("bold red")
    return text


def _top_items(items: list[TopItem]) -> Table:
    table = _table("Most ordered", "Item", "Quantity")
    for item in items:
        table.add_row(Text(plain(item.item)), f"{item.quantity:,}")
    return table


def _recent(orders: list[RecentOrder]) -> Table:
    table = _table("Recent orders", "Time", "Customer", "Item", "Quantity", "Order")
    for order in orders:
        table.add_row(
            "unknown" if order.created_at is None else spoken(order.created_at),
            Text(plain(order.customer_name or "")),
            Text(plain(order.item or "")),
            _known(order.quantity),
            Text(plain(order.order_id or "")),
        )
    return table
