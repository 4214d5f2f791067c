"""The order status, as tables in a terminal.

Pydantic ignores fields of later versions in the response.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
from pydantic import BaseModel, Field, ValidationError
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.text import Text

from cli import http
from cli.errors import OperationError
from cli.stack import Stack
from cli.tables import Kind, Table
from cli.terminal import plain
from cli.times import local_time

if TYPE_CHECKING:
    from cli.aws import Clients

KINDS = {
    "Count": Kind.NUMBER,
    "Quantity": Kind.NUMBER,
    "Orders": Kind.NUMBER,
    "Time": Kind.WHOLE,
    "Order": Kind.ID,
}


class Metric(BaseModel):
    """A counter, such as `TOTAL_ORDERS`; the count is None while it is unknown."""

    metric: str
    count: int | None


class RecentOrder(BaseModel):
    """An order in MySQL; fields of legacy rows may be None."""

    order_id: str | None = None
    customer_name: str | None = None
    item: str | None = None
    quantity: int | None = None
    created_at: datetime | None = None


class TopItem(BaseModel):
    """The quantity of an item that was ordered."""

    item: str
    quantity: int


class Today(BaseModel):
    """Today's number of orders, and yesterday's by the same time."""

    count: int | None = None
    same_time_yesterday: int | None = None


class RdsOrders(BaseModel):
    """The number of rows, and when they were counted."""

    count: int
    as_of: datetime


class DeadLetters(BaseModel):
    """The messages in the dead-letter queue at the last sweep."""

    rejected: int
    conflicting: int = 0  # missing in the previous release
    waiting: int


class Sync(BaseModel):
    """Orders in transit and in both stores; None while a number is unknown."""

    waiting: int | None = None
    in_flight: int | None = None
    dead_lettered: int | None = None
    dead_letters: DeadLetters | None = None
    rds_orders: RdsOrders | None = None
    dynamodb_orders: int | None = None
    in_sync: bool | None = None
    unknown_since: datetime | None = None
    unknown_reason: str | None = None


class OrderStatus(BaseModel):
    """The whole response."""

    metrics: list[Metric] = Field(default_factory=list)
    today: Today = Today()
    recent_orders: list[RecentOrder] = Field(default_factory=list)
    top_items: list[TopItem] = Field(default_factory=list)
    sync: Sync = Sync()
    generated_at: datetime | None = None
    degraded: list[str] = Field(default_factory=list)


def read(stack: Stack, client: httpx.Client, clients: "Callable[[], Clients]") -> object:
    """Return the JSON document of the order status: from the API if it is public, else from its function.

    The function is invoked with the operator's own IAM identity, without the page's sign-in or networks.
    Raises OperationError without a document.
    """
    if not stack.is_public:
        from cli.functions import Function

        function = Function(functions=clients().functions, name=stack.output("status_function"))
        code, document = function.http({})
        if code != httpx.codes.OK:
            message = str(document.get("message", "no message")).rstrip(".")
            raise OperationError(f"{function.name} returned {code}: {message}.")
        return document
    url = stack.output("order_status_url")
    try:
        response = client.get(url)
    except httpx.TransportError as error:
        raise OperationError(f"{url} is not reachable: {http.problem(error)}.") from error
    if response.status_code != httpx.codes.OK:
        raise OperationError(f"{url} returned {http.message_of(response)}.")
    try:
        return response.json()
    except ValueError:
        raise OperationError(f"{url} did not return JSON.") from None


def parse(document: object) -> OrderStatus:
    """Parse the API's response; raise OperationError with the first field that is invalid."""
    try:
        return OrderStatus.model_validate(document)
    except ValidationError as problem:
        first = problem.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "its top level"
        raise OperationError(f"The status API's response is invalid at {field}: {first['msg']}.") from None


def render(status: OrderStatus) -> RenderableType:
    """Return tables, with times in this machine's zone."""
    parts: list[RenderableType] = []
    if status.degraded:
        sources = ", ".join(plain(source) for source in status.degraded)
        parts.append(Text(f"Incomplete, because these could not be read: {sources}", style="yellow"))
    parts.append(
        Columns([_metrics(status), _sync(status.sync), _top_items(status.top_items)], padding=(0, 3))
    )
    parts.append(_recent(status.recent_orders))
    if status.generated_at is not None:
        parts.append(Text(f"As of {local_time(status.generated_at)}", style="dim"))
    return Group(*parts)


def _table(title: str, *columns: str) -> Table:
    return Table(title, {name: KINDS.get(name, Kind.NAME) for name in columns})


def _metrics(status: OrderStatus) -> Table:
    table = _table("Metrics", "Metric", "Count")
    for metric in status.metrics:
        table.add_row(Text(plain(metric.metric)), _known(metric.count))
    table.add_row("Yesterday by now", _known(status.today.same_time_yesterday))
    return table


def _sync(sync: Sync) -> Table:
    table = _table("In transit", "Where", "Orders")
    table.add_row("Waiting in the queue", _known(sync.waiting))
    table.add_row("With the worker", _known(sync.in_flight))
    table.add_row("Dead-lettered", _alarming(sync.dead_lettered))
    if sync.dead_lettered and sync.dead_letters:
        left = sync.dead_letters
        table.add_row("  without a valid order", _alarming(left.rejected))
        table.add_row("  with the id of another order", _alarming(left.conflicting))
        table.add_row("  waiting for a store", _known(left.waiting))
        unseen = sync.dead_lettered - left.rejected - left.conflicting - left.waiting
        if unseen > 0:  # they arrived after the last sweep
            table.add_row("  not read yet", _known(unseen))
    counted = "" if sync.rds_orders is None else f" ({local_time(sync.rds_orders.as_of)})"
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
    return Text(f"unknown since {local_time(sync.unknown_since)}{reason}", style="yellow")


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
            "unknown" if order.created_at is None else local_time(order.created_at),
            Text(plain(order.customer_name or "")),
            Text(plain(order.item or "")),
            _known(order.quantity),
            Text(plain(order.order_id or "")),
        )
    return table
