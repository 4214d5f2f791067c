"""Checks of one order on its way through the whole system.

The order stays in the stack's counts. It is marked as a test, so that no screen shows it, and is cancelled at
the end. Other orders may arrive at the same time.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_exponential

from cli import aws, logs, page, queues
from cli.checks import Check
from cli.error_codes import explain
from cli.errors import CafeError, OperationError
from cli.kitchen import Kitchen, NotRecordedError
from cli.plurals import messages
from cli.traffic.audit import ZERO, read_counters
from cli.traffic.client import Order, OrderClient
from cli.worker_log import FAILED, PROCESSED
from orders.counters import TOTAL_ORDERS, item_name
from orders.states import State

QUANTITY = 2  # not 1, so that pieces and orders differ
# Seconds to wait for an empty queue: its numbers are approximate, and other orders may arrive.
GRACE = 2.0
LOG_TIMEOUT = 10.0  # seconds until the line of a recorded order is in CloudWatch
CLOCK_SKEW = timedelta(minutes=5)  # by which this machine's clock may be ahead of AWS's


class NotYetError(OperationError):
    """A check failed, and may pass later."""


class PendingError(Exception):
    """The result is not available yet, and nothing else is wrong."""


class Verification:
    """Places one order, and checks for `timeout` seconds that it is processed; each check at least once."""

    def __init__(self, client: httpx.Client, clients: aws.Clients, *, item: str, timeout: float) -> None:
        self.order_id: str | None = None  # until it is accepted
        self._stack = clients.stack
        self._client = client
        self._clients = clients
        self._timeout = timeout
        # Unique, so that the order can be found in the table.
        name = f"verify-{secrets.token_hex(4)}"
        self._order = Order(item=item, quantity=QUANTITY, customer_name=name, test_order=True)
        self._item = item_name(item)
        self._started = 0.0
        self._log_start = datetime.now(UTC)

    def run(self) -> Iterator[Check]:
        """Yield each check as soon as its result is known."""
        menu_before = self._before(self._item)
        total_before = self._before(TOTAL_ORDERS)
        self._started = time.monotonic()
        self._log_start = datetime.now(UTC) - CLOCK_SKEW
        yield self._check("order_accepted", "The order is accepted", self._place)
        yield self._check("queue_drained", "The worker took it from the queue", self._drained)
        yield self._check("rds_row", "Its row is in RDS", self._row)
        yield self._check(
            "menu_grew", f"CafeMenu grew by {QUANTITY}", lambda: self._grew(self._item, QUANTITY, menu_before)
        )
        yield self._check(
            "total_grew", "TOTAL_ORDERS grew by 1", lambda: self._grew(TOTAL_ORDERS, 1, total_before)
        )
        yield self._check("worker_logged", f"The worker logged “{PROCESSED}”", self._logged)
        yield self._check("order_cancelled", "No screen shows it, and it is cancelled", self._cancelled)
        yield self._check("page_served", "The page is served", lambda: page.check(self._stack, self._client))

    def _check(self, name: str, title: str, check: Callable[[], str]) -> Check:
        started = time.monotonic()
        pending = False
        try:
            ok, detail = True, check()
        except PendingError as error:
            ok, detail, pending = True, str(error), True
        except CafeError as error:
            ok, detail = False, str(error)
        except (BotoCoreError, ClientError) as error:
            ok, detail = False, aws.problem(error)
        seconds = time.monotonic() - started
        return Check(name=name, title=title, ok=ok, detail=detail, seconds=seconds, pending=pending)

    def _poll(self, check: Callable[[], str], at_most: float = float("inf")) -> str:
        """Repeat a check while it raises `NotYetError`, until the timeout."""
        left = max(0.0, min(at_most, self._started + self._timeout - time.monotonic()))
        attempts = Retrying(
            retry=retry_if_exception_type(NotYetError),
            wait=wait_exponential(multiplier=0.05, max=2),
            stop=stop_before_delay(left),
            reraise=True,
        )
        return attempts(check)

    def _accepted(self) -> str:
        if self.order_id is None:
            raise OperationError("Not checked, because no order was accepted.")
        return self.order_id

    # The order

    def _place(self) -> str:
        url = self._stack.output("orders_url")
        client = OrderClient(self._client, url, timeout=self._timeout, api_key=self._stack.orders_api_key)
        self.order_id = client.place(self._order.json())
        return self.order_id

    # The queue

    def _drained(self) -> str:
        order_id = self._accepted()

        def consumed() -> str:
            if not self._is_recorded(order_id):
                raise NotYetError(f"Not taken within {self._timeout:g} s: {self._depths()}.")
            return order_id

        try:
            self._poll(consumed)
        except NotYetError as error:
            reason = self._workers_reason(order_id)
            raise OperationError(f"{error} {reason}" if reason else str(error)) from error
        deadline = min(self._started + self._timeout, time.monotonic() + GRACE)
        while (waiting := self._queue_length()) and time.monotonic() < deadline:
            time.sleep(0.1)
        # Other orders, or ours again, if ReconcileOrders recorded it instead of the worker.
        left = f"taken and recorded; {messages(waiting)} in the queue or with the worker"
        return left if waiting else "the queue is empty"

    def _is_recorded(self, order_id: str) -> bool:
        """Return whether both stores have the order; DynamoDB is written after MySQL."""
        keys = [{"orderId": {"S": order_id}}]
        return any(aws.items(self._clients.dynamodb, self._stack.output("orders_table"), keys))

    def _queue_length(self, output: str = "queue_url") -> int:
        return queues.depth(self._clients.sqs, self._stack.output(output)).total

    def _depths(self) -> str:
        queue, dead = self._queue_length(), self._queue_length("dead_letter_queue_url")
        return f"{queue} in the queue or with the worker, {dead} in the dead-letter queue"

    # The source of truth

    @cached_property
    def _kitchen(self) -> Kitchen:
        return Kitchen.of(self._clients)

    def _row(self) -> str:
        """Compare the order with its row, which StaffOrders reads in MySQL."""
        order_id = self._accepted()

        def compared() -> str:
            try:
                row = self._kitchen.order(order_id)
            except NotRecordedError:
                raise NotYetError(f"No row with order_id {order_id} after {self._timeout:g} s.") from None
            found = replace(
                self._order, item=row.item, quantity=row.quantity, customer_name=row.customer_name
            )
            if found != self._order:
                raise OperationError(f"It differs: {found.body()} instead of {self._order.body()}.")
            return row.goods

        return self._poll(compared)

    # The counters

    def _before(self, counter: str) -> int | str:
        """Return a counter before the order, or why it cannot be read."""
        try:
            return self._read(counter)
        except (BotoCoreError, ClientError) as error:
            return aws.problem(error).rstrip(".")

    def _read(self, counter: str) -> int:
        return read_counters(self._clients, [counter]).get(counter, ZERO).value

    def _grew(self, counter: str, growth: int, before: int | str) -> str:
        self._accepted()

        def grew() -> str:
            now = self._read(counter)
            if isinstance(before, str):
                raise OperationError(f"It could not be read before the order: {before}.")
            change = f"{before} → {now}"
            if now - before < growth:
                raise NotYetError(f"{change} after {self._timeout:g} s, +{growth} was expected.")
            if now - before == growth:
                return change
            return f"{change}, so at least our {growth}: other orders arrived at the same time"

        return self._poll(grew)

    # The log

    def _logged(self) -> str:
        order_id = self._accepted()
        group = self._stack.output("worker_log_group")
        lines: list[logs.Line] = []

        def logged() -> str:
            lines[:] = logs.read(self._clients.logs, {group: group}, self._log_start, about=order_id)
            if any(line.message == PROCESSED for line in lines):
                return group
            raise NotYetError(f"No such line for {order_id} in {group} after {self._timeout:g} s.")

        try:
            is_recorded = self._is_recorded(order_id)
        except (BotoCoreError, ClientError):
            is_recorded = False  # another check fails
        try:
            return self._poll(logged, at_most=LOG_TIMEOUT if is_recorded else float("inf"))
        except NotYetError as error:
            if is_recorded and not lines:
                raise PendingError(f"The order is recorded; its line is not in {group} yet.") from error
            raise OperationError(self._workers_reason(order_id) or str(error)) from error

    def _workers_reason(self, order_id: str) -> str | None:
        """Return why the worker could not record the order, None if its log has no reason."""
        group = self._stack.output("worker_log_group")
        try:
            lines = logs.read(self._clients.logs, {group: group}, self._log_start, about=order_id)
        except CafeError as error:
            return f"The worker's log could not be read: {error}"
        reasons = [line.reason for line in lines if line.message == FAILED]
        return f"The worker could not record it: {explain(reasons[-1])}." if reasons else None

    # The kitchen

    def _cancelled(self) -> str:
        order = self._kitchen.order(self._accepted())
        if any(listed.order_id == order.order_id for listed in self._kitchen.board().listed):
            raise OperationError(f"The kitchen's screen shows the test order, as {order.number}.")
        self._kitchen.move(order, State.CANCELLED, "test order")
        return order.number
