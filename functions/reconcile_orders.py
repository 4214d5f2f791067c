"""Compare the projection with MySQL and repair it, audit the counters, and record orders in `OrderDLQ`.

A schedule runs it every minute, and the audit every hour. Operators invoke it with a command
(functions/README.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from typing import Any

import environment
from log import log, metrics
from orders import counters
from orders.audit import OutOfTimeError, audit
from orders.failures import StoreUnavailableError, location_of
from orders.ledger import Ledger
from orders.reconciliation import Clock, Outcome, Reconciler
from orders.replay import replay
from orders.screens import Cutoffs
from orders.sweep import SweepResult, sweep
from orders.sync import DeadLetterCounts, RdsOrders
from orders.times import MAX_AHEAD, iso
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.metrics import Metrics
from stores.dynamodb.projection import Projection
from stores.mysql import widening
from stores.mysql.audit import AuditDatabase
from stores.mysql.connection import MySql
from stores.mysql.login import LoginSecret
from stores.mysql.reconciliation import ReconciliationDatabase
from stores.mysql.screens import Screens
from stores.sqs import DeadLetters

SCHEDULED = 45.0  # seconds of a scheduled run; the next one starts after a minute
SWEEP = 25.0  # seconds of a run, reserved for the sweep, which has thousands of messages after an outage
RESERVE = 60.0  # seconds of the function's time, reserved for its last steps
CHECK_TIMEOUT = 3.0  # seconds
SCHEDULE = "aws.events"  # source of the schedule's events


@cache
def mysql() -> MySql:
    """Return the connection, opened once per process."""
    return MySql(LoginSecret(environment.database_secret()))


def database() -> ReconciliationDatabase:
    """Return the database's queries."""
    return ReconciliationDatabase(mysql(), environment.time_zone())


@cache
def dynamodb() -> DynamoDb:
    """Return the client, created once per process."""
    return DynamoDb()


@cache
def projection() -> Projection:
    """Return the projection."""
    return Projection(dynamodb(), environment.table_names(), environment.time_zone())


@cache
def findings() -> Metrics:
    """Return the table with the results of earlier runs."""
    return Metrics(dynamodb(), environment.table_names().metrics)


@cache
def ledger() -> Ledger:
    """Return the ledger, as the worker has it."""
    return Ledger(database(), projection(), environment.time_zone(), environment.retention())


@cache
def dead_letters() -> DeadLetters:
    """Return the dead-letter queue."""
    return DeadLetters(environment.dead_letter_queue_url())


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run the event's command; without one, compare recent orders and sweep `OrderDLQ`."""

    def seconds_left() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000 - RESERVE

    asked_by = str(event.get("source", "operator"))
    match event.get("command"):
        case None:
            return _run(_recent, _until(min(seconds_left(), SCHEDULED)), asked_by)
        case "full":
            return _run(_audit, seconds_left, asked_by)
        case "rebuild":
            after = int(event.get("after") or 0)
            return _run(lambda *state: _rebuild(after, *state), seconds_left, asked_by)
        case "check":
            return check()
        case "read":
            return replay(database(), event)
        case "behind":
            versions = {str(order_id): int(version) for order_id, version in event["versions"].items()}
            return asdict(database().behind(versions))
        case other:
            raise ValueError(f"Unknown command {other!r}: must be full, rebuild, check, read or behind.")


def check() -> dict[str, Any]:
    """Return whether both stores are reachable and the database accepts writes, and the last run's result."""
    return _check_database() | _check_dynamodb()


def _check_database() -> dict[str, Any]:
    mysql = MySql(LoginSecret(environment.database_secret()), timeout=CHECK_TIMEOUT)
    rows = ReconciliationDatabase(mysql, environment.time_zone())
    schema = last_order_at = future_orders = reason = refusal = narrow_for = None
    until = datetime.now(UTC) + MAX_AHEAD
    try:
        schema = rows.schema()
        if schema:
            last_order_at, future_orders = rows.last_order_at(until), rows.count_after(until)
            table = mysql.read(widening.inspect)
            narrow_for = round(table.seconds, 1) if table.narrow else None
    except StoreUnavailableError as error:
        reason = str(error)
    try:
        if schema:
            rows.try_to_write()
    except StoreUnavailableError as error:
        refusal = str(error)
    return {
        "database": {
            "reachable": reason is None,
            "reason": reason,
            "schema": schema,
            "narrow_for": narrow_for,
            "refuses_writes": refusal,
        },
        "last_order_at": iso(last_order_at),
        "future_orders": future_orders,
    }


def _check_dynamodb() -> dict[str, Any]:
    try:
        found, reason = findings().rds_orders(), None
    except StoreUnavailableError as error:
        log("ERROR", "Figures not read", reason=str(error))
        found, reason = RdsOrders(), str(error)
    return {
        "dynamodb": {"reachable": reason is None, "reason": reason},
        "rds_orders": found.count if found.as_of else None,
        "drift": found.drift if found.as_of else None,
        "as_of": iso(found.as_of),
        "unknown_since": iso(found.unknown_since),
        "unknown_reason": found.unknown_reason,
    }


Work = Callable[[Reconciler, Callable[[], float], Outcome], None]


def _run(work: Work, seconds_left: Callable[[], float], asked_by: str) -> dict[str, Any]:
    """Compare and save the result, then sweep the dead letters, even if the comparison failed."""
    outcome = Outcome()
    clock = Clock(seconds_left=lambda: seconds_left() - SWEEP)
    reconciler = Reconciler(database(), projection(), environment.time_zone(), clock)
    try:
        work(reconciler, seconds_left, outcome)
    except (StoreUnavailableError, OutOfTimeError) as error:
        outcome.unchecked = str(error)
    # A defect that one row exposes must not keep valid orders in the dead-letter queue.
    except Exception as error:  # noqa: BLE001
        outcome.unchecked = location_of(error)
    _save(outcome)
    if environment.publishes_oldest_waiting():
        _publish_oldest_waiting()
    swept = SweepResult()
    # The scheduled audit overlaps with runs of the other schedule, of every minute. If both swept, each would
    # count only some of the dead letters.
    if outcome.next is None and not (work is _audit and asked_by == SCHEDULE):
        swept = _sweep(seconds_left)
    reason = outcome.unchecked or outcome.reason or swept.reason or swept.waiting_reason
    # Without this metric, the alarm `ReconcilerSilent` goes off; so it requires that OrderDLQ was read, too.
    if outcome.unchecked is None and outcome.rds_orders is not None and not swept.reason:
        done = {"checked": outcome.checked, "repaired": outcome.repaired, "rdsOrders": outcome.rds_orders}
        log("INFO", "Reconciled", **metrics({"Drift": outcome.drift}), askedBy=asked_by, **done)
    if reason:
        log("ERROR", "Not all was reconciled", reason=reason, askedBy=asked_by)
    result = asdict(outcome) | asdict(swept)
    del result["compared_until"], result["recorded"]
    return result | {
        "compared": outcome.unchecked is None,
        "corrected": _by_table(outcome.corrected),
        "bad_rows": {str(row_id): why for row_id, why in outcome.bad_rows.items()},
        "swept": len(swept.recorded),
        "left": swept.left,
        "reason": reason,
    }


def _recent(reconciler: Reconciler, seconds_left: Callable[[], float], outcome: Outcome) -> None:
    reconciler.recent(findings().rds_orders(), outcome)


def _audit(reconciler: Reconciler, seconds_left: Callable[[], float], outcome: Outcome) -> None:
    """Correct every counter in MySQL by its rows, and then in DynamoDB."""
    _recent(reconciler, seconds_left, outcome)
    found = audit(AuditDatabase(mysql()), environment.time_zone(), seconds_left)
    outcome.checked = found.rows
    outcome.corrected = dict(found.corrected)
    outcome.drift = max(outcome.drift, found.drift)
    outcome.bad_rows |= dict.fromkeys(found.bad_rows, "no item, or no quantity")
    # Before the comparison, which would report a new correction as drift.
    names = [name for name in found.corrected if counters.is_projected(name)]
    projection().write([], database().counted(names))
    reconciler.compare_all_counters(outcome)


def _rebuild(after: int, reconciler: Reconciler, seconds_left: Callable[[], float], outcome: Outcome) -> None:
    """Audit at the first call, and write every order to DynamoDB again."""
    if after == 0:
        _audit(reconciler, seconds_left, outcome)
        outcome.checked = 0
    reconciler.write_all(after, outcome)


def _save(outcome: Outcome) -> None:
    """Save the result for the order-status page and the next run."""
    for row_id, why in outcome.bad_rows.items():
        log("ERROR", "Row holds no order", row=row_id, reason=why)
    now = datetime.now(UTC)
    try:
        last = findings().rds_orders()
        if outcome.unchecked is not None:
            findings().save_unknown(outcome.unchecked, now, outcome.compared_until)
        elif outcome.rds_orders is not None:  # None if a rebuild was continued
            findings().save(
                RdsOrders(
                    count=outcome.rds_orders,
                    as_of=now,
                    drift=outcome.drift,
                    drift_since=(last.drift_since or now) if outcome.drift else None,
                    compared_until=outcome.compared_until or last.compared_until,
                )
            )
    except StoreUnavailableError as error:
        outcome.unchecked = outcome.unchecked or str(error)


def _by_table(corrected: dict[str, int]) -> dict[str, dict[str, int]]:
    """Return the corrections of the projected counters, by table."""
    tables: dict[str, dict[str, int]] = {"metrics": {}, "menu": {}}
    for name, value in corrected.items():
        if item := counters.item_of(name):
            tables["menu"][item] = value
        elif counters.is_projected(name):
            tables["metrics"][name] = value
    return tables


def _sweep(seconds_left: Callable[[], float]) -> SweepResult:
    """Sweep while there is time, and save the counts for the order-status page."""
    swept = sweep(dead_letters(), ledger(), _until(max(SWEEP, seconds_left())))
    for order_id in swept.recorded:
        log("INFO", "Order recorded from the dead-letter queue", orderId=order_id)
    if swept.reason:
        return swept  # the counts are unknown
    numbers = {"RejectedDeadLetters": swept.rejected, "WaitingDeadLetters": swept.waiting}
    if swept.conflicting or not swept.waiting:
        # Otherwise a store is unavailable, and any of the waiting orders may be a conflict.
        numbers["ConflictingDeadLetters"] = swept.conflicting
    log(
        "INFO",
        "Swept",
        **metrics(numbers),
        rejectedReason=swept.rejected_reason,
        conflictingReason=swept.conflicting_reason,
        waitingReason=swept.waiting_reason,
    )
    try:
        findings().save_dead_letters(
            DeadLetterCounts(swept.rejected, swept.conflicting, swept.waiting, datetime.now(UTC))
        )
    except StoreUnavailableError as error:
        log("ERROR", "Dead letters not counted", reason=str(error))
    return swept


def _publish_oldest_waiting() -> None:
    """Publish for how many seconds the oldest order that is not ready has waited; 0 without one."""
    now = datetime.now(UTC)
    try:
        sent_at = Screens(mysql()).oldest_waiting(Cutoffs.of(now, environment.open_hours()))
    except StoreUnavailableError as error:
        log("ERROR", "Oldest waiting order not read", reason=str(error))
        return
    seconds = max(0, round((now - sent_at).total_seconds())) if sent_at else 0
    log("INFO", "Waiting orders", **metrics({"OldestWaiting": seconds}))


def _until(seconds: float) -> Callable[[], float]:
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()
