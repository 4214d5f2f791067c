"""Migrate the database, set up its users, and write the menu to DynamoDB."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

import environment
from log import log
from orders import counters
from orders.audit import audit, time_zone_marker
from orders.failures import SchemaError
from orders.names import parse_name
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.projection import Projection
from stores.mysql import migrations, users, widening
from stores.mysql.audit import AuditDatabase
from stores.mysql.connection import MySql
from stores.mysql.login import Login, LoginSecret, await_access
from stores.mysql.reconciliation import ReconciliationDatabase

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MIGRATIONS = Path(__file__).parent / "migrations"
RESERVE = 15.0  # seconds of the function's time, reserved for its last steps
STATEMENT_TIMEOUT = 800  # seconds; adding an index to a large table is slow


@dataclass(slots=True)
class MasterLogin:
    """The master user's name and password from RDS's secret, the host and database from the application's."""

    master: LoginSecret
    application: LoginSecret

    def get(self) -> Login:
        """Return the login."""
        login, values = self.application.get(), self.master.values()
        return Login(login.host, login.port, values["username"], values["password"], login.database)

    def forget(self) -> None:
        """Fetch both secrets again at the next use: RDS rotates the master user's password."""
        self.master.forget()
        self.application.forget()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Bring everything up to date for a deploy, or widen the table; an error fails the deploy.

    The event is `{"menu": {"Latte": "5"}}`, with the menu's items and prices, or `{"command": "widen"}`, with
    `"dry_run": true` for an estimate.
    """
    # First, so that an invalid menu fails the deploy before any change.
    menu = {parse_name(item): Decimal(price) for item, price in event.get("menu", {}).items()}
    application, status, master = (
        LoginSecret(secret_id())
        for secret_id in (environment.database_secret, environment.status_secret, environment.master_secret)
    )
    login = MasterLogin(master, application)
    if event.get("dry_run"):
        # Without a change, it needs neither the lock nor the long timeout.
        return _estimate(MySql(login))
    await_access([application, status, master])
    mysql = MySql(login, timeout=STATEMENT_TIMEOUT, client_flag=CLIENT.MULTI_STATEMENTS)
    try:
        if event.get("command") == "widen":
            return migrations.locked(mysql, _widen)
        return _bring_up_to_date(mysql, application, status, menu, context)
    finally:
        mysql.close()


def _bring_up_to_date(
    mysql: MySql, application: LoginSecret, status: LoginSecret, menu: Mapping[str, Decimal], context: Any
) -> dict[str, Any]:
    """Apply all missing changes; return the applied migrations and the menu's items, by name."""
    zone = environment.time_zone()
    applied = migrations.migrate(mysql, migrations.read(MIGRATIONS))
    users.set_up_worker(mysql, application.get())
    users.set_up_status(mysql, status.get())
    projection = Projection(DynamoDb(), environment.table_names(), zone)
    projection.set_up(menu)
    _count(mysql, projection, zone, context)
    narrow = migrations.locked(mysql, _widen_small)
    log("INFO", "Database up to date", applied=applied, menu=len(menu), narrow=narrow)
    return {"applied": applied, "menu": sorted(menu)}


def _widen_small(cursor: Cursor) -> list[str]:
    """Widen a small table; return the columns that are still narrow."""
    table = widening.inspect(cursor)
    try:
        if not table.is_small:
            return list(table.narrow)
        widening.widen(cursor, table)
    except SchemaError as error:
        # The table works as it is; `cafe doctor` prints the command that widens it.
        log("WARNING", "Table not widened", reason=str(error))
        return list(table.narrow)
    return []


def _estimate(mysql: MySql) -> dict[str, Any]:
    """Return how long widening the table would take."""
    try:
        table = mysql.read(widening.inspect)
    finally:
        mysql.close()
    return _described(table, table.seconds)


def _widen(cursor: Cursor) -> dict[str, Any]:
    """Widen a table of any size; return how long that took."""
    table = widening.inspect(cursor)
    started = time.monotonic()
    if table.narrow:
        widening.widen(cursor, table)
    return _described(table, time.monotonic() - started)


def _described(table: widening.Table, seconds: float) -> dict[str, Any]:
    return {
        "columns": table.narrow,
        "rows": table.rows,
        "megabytes": table.bytes // 1_000_000,
        "seconds": round(seconds, 1),
    }


def _count(mysql: MySql, projection: Projection, zone: ZoneInfo, context: Any) -> None:
    """Count existing rows at the first deploy, or after a change of the time zone, while orders come in.

    Later deploys leave this to the hourly audit.
    """
    database = ReconciliationDatabase(mysql, zone)
    if time_zone_marker(zone) in database.names():
        return
    database.create_counters([counters.TOTAL_ORDERS])
    audit(AuditDatabase(mysql), zone, lambda: context.get_remaining_time_in_millis() / 1000 - RESERVE)
    now = datetime.now(UTC)
    names = [
        n for n in database.names() if counters.is_projected(n) and not counters.is_expired(n, zone, now)
    ]
    projection.write([], database.counted(names))
