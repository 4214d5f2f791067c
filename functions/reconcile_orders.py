"""Compare MySQL with DynamoDB, repair what differs, and record the orders among the dead letters.

Scheduled every minute. An operator calls it with a command, of which functions/README.md has the list.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from stores.dynamodb.tables import OrdersTables, TableNames

from log import log, metrics
from orders.errors import StoreUnavailableError
from orders.ledger import Ledger
from orders.reconciliation import Clock, DeadLetterCounts, NotNowError, Outcome, Reconciler
from orders.replay import replay
from orders.sweep import Swept, sweep
from orders.times import MAX_AHEAD
from stores.dynamodb.metrics import OrderCounts
from stores.mysql.connection import MySql
from stores.mysql.orders import OrdersDatabase
from stores.mysql.rows import OrderRows
from stores.mysql.secret import LoginSecret
from stores.sqs import DeadLetters

SCHEDULED = 45.0  # seconds; the next scheduled run starts a minute after this one
SWEEP = 25.0  # seconds, of that time, that comparing leaves to the sweep, which has thousands after an outage
RESERVE = 60.0  # seconds of the function's time that are left to end in order
CHECK_PATIENCE = 3.0  # seconds


@cache
def mysql() -> MySql:
    """Connect once per process."""
    return MySql(LoginSecret(os.environ["DATABASE_SECRET"]))


@cache
def names() -> TableNames:
    """Tell where the tables are."""
    return TableNames(os.environ["ORDERS_TABLE"], os.environ["MENU_TABLE"], os.environ["METRICS_TABLE"])


@cache
def zone() -> ZoneInfo:
    """Tell the cafe's time zone."""
    return ZoneInfo(os.environ["TIME_ZONE"])


@cache
def ledger() -> Ledger:
    """Record orders as the worker does."""
    return Ledger(OrdersDatabase(mysql()), OrdersTables(names(), zone()))


@cache
def counts() -> OrderCounts:
    """Read and write the tables."""
    return OrderCounts(names())


@cache
def dead_letters() -> DeadLetters:
    """Take messages off `OrderDLQ`."""
    return DeadLetters(os.environ["DEAD_LETTER_QUEUE_URL"])


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do what a command says; without one, what the schedule asks for.

    Returns
    -------
    dict[str, Any]
        Of `check` and `read` see there. Else `checked`, `repaired`, `drift`, `rds_orders`, `next` (where
        to go on: call again with it as `after`), `reason` (why something was left undone), and of the
        dead letters `swept`, `left` = `rejected` + `waiting`, `rejected_reason` and `waiting_reason`
        (see `Swept`); of `rebuild` also `corrected`.
    """
    left = _time_left(context)
    after = int(event.get("after") or 0)
    match event.get("command"):
        case None:
            end = _until(min(left(), SCHEDULED))
            asked_by = str(event.get("source", "operator"))
            return _reconcile(end, lambda reconciler: reconciler.window(), is_window=True, asked_by=asked_by)
        case "full":
            return _reconcile(left, lambda reconciler: reconciler.full(after))
        case "rebuild":
            return _reconcile(left, lambda reconciler: reconciler.rebuild(after), with_corrections=True)
        case "check":
            return check()
        case "read":
            return replay(OrderRows(mysql()), event)
        case other:
            raise ValueError(f"There is no command {other!r}: full, rebuild, check or read.")


def check() -> dict[str, Any]:
    """Return whether both stores answer and the database takes rows, and what the last run found."""
    rows = OrderRows(
        MySql(LoginSecret(os.environ["DATABASE_SECRET"]), timeout=CHECK_PATIENCE, patience=CHECK_PATIENCE)
    )
    schema = last_order_at = future_orders = reason = refusal = None
    until = datetime.now(UTC) + MAX_AHEAD
    try:
        schema = rows.schema()
        if schema:
            last_order_at, future_orders = rows.last_order_at(until), rows.count_after(until)
    except StoreUnavailableError as error:
        reason = str(error)
    try:
        if schema:
            rows.try_to_write()
    except StoreUnavailableError as error:
        refusal = str(error)
    database = {"reachable": reason is None, "reason": reason, "schema": schema, "refuses_writes": refusal}
    answer: dict[str, Any] = {
        "database": database,
        "dynamodb": {"reachable": True, "reason": None},
        "rds_orders": None,
        "drift": None,
        "as_of": None,
        "last_order_at": _iso(last_order_at),
        "future_orders": future_orders,
    }
    try:
        found = counts().rds_orders()
    except StoreUnavailableError as error:
        log("ERROR", "Figures not read", reason=str(error))
        return answer | {"dynamodb": {"reachable": False, "reason": str(error)}}
    if found.as_of:
        answer |= {"rds_orders": found.count, "drift": found.drift, "as_of": _iso(found.as_of)}
    return answer


def _reconcile(
    left: Callable[[], float],
    work: Callable[[Reconciler], Outcome],
    *,
    is_window: bool = False,
    with_corrections: bool = False,
    asked_by: str = "operator",
) -> dict[str, Any]:
    """Compare, and sweep the dead letters."""
    outcome, swept = Outcome(), Swept()
    compared = False
    clock = Clock(left=lambda: left() - SWEEP)
    try:
        outcome = work(Reconciler(OrderRows(mysql()), counts(), ledger(), zone(), clock))
        compared = True
    except (StoreUnavailableError, NotNowError) as error:
        outcome.reason = str(error)
    if outcome.next is None or is_window:
        # Even if a store failed: between two outages there may be no time to compare everything.
        swept = _sweep(left)
        outcome.reason = outcome.reason or swept.reason or swept.waiting_reason
    # Last, and only if OrderDLQ was read, too: without this metric the reconciler counts as silent.
    if compared and not swept.reason:
        _publish_drift(outcome, asked_by)
    if outcome.reason:
        log("ERROR", "Not all was reconciled", reason=outcome.reason, askedBy=asked_by)
    answer: dict[str, Any] = {
        "checked": outcome.checked,
        "repaired": outcome.repaired,
        "drift": outcome.drift,
        "rds_orders": outcome.rds_orders,
        "swept": len(swept.recorded),
        "left": swept.left,
        "rejected": swept.rejected,
        "rejected_reason": swept.rejected_reason,
        "waiting": swept.waiting,
        "waiting_reason": swept.waiting_reason,
        "next": outcome.next,
        "reason": outcome.reason,
    }
    if outcome.unchecked:
        answer["unchecked"] = outcome.unchecked
    if with_corrections:
        corrected = outcome.corrected
        answer["corrected"] = {"metrics": dict(corrected.metrics), "menu": dict(corrected.menu)}
    return answer


def _sweep(left: Callable[[], float]) -> Swept:
    """Sweep as long as there is time, and leave for the order-status page what stays."""
    swept = sweep(dead_letters(), ledger(), _until(max(SWEEP, left())))
    for order_id in swept.recorded:
        log("INFO", "Order recorded from the dead-letter queue", orderId=order_id)
    if swept.reason:
        return swept  # The queue did not answer, so that nobody knows what is in it.
    log(
        "INFO",
        "Swept",
        **metrics({"RejectedDeadLetters": swept.rejected, "WaitingDeadLetters": swept.waiting}),
        rejectedReason=swept.rejected_reason,
        waitingReason=swept.waiting_reason,
    )
    try:
        counts().save_dead_letters(DeadLetterCounts(swept.rejected, swept.waiting, datetime.now(UTC)))
    except StoreUnavailableError as error:
        log("ERROR", "Dead letters not noted", reason=str(error))
    return swept


def _publish_drift(outcome: Outcome, asked_by: str) -> None:
    """Write the drift as a metric, also one of 0."""
    log(
        "INFO",
        "Reconciled",
        **metrics({"Drift": outcome.drift}),
        askedBy=asked_by,
        checked=outcome.checked,
        repaired=outcome.repaired,
        rdsOrders=outcome.rds_orders,
    )


def _time_left(context: Any) -> Callable[[], float]:
    """Tell how many seconds of the function's time may still be used."""
    return lambda: context.get_remaining_time_in_millis() / 1000 - RESERVE


def _until(seconds: float) -> Callable[[], float]:
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
