"""Bring the database's user and schema, and the tables' first items, up to date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymysql.constants import CLIENT

import environment
from log import log
from orders import counters
from orders.audit import audit, time_zone_marker
from orders.names import parse_name
from stores.dynamodb.client import DynamoDb
from stores.dynamodb.projection import Projection
from stores.mysql import migrations, users
from stores.mysql.audit import AuditStore
from stores.mysql.connection import MySql
from stores.mysql.rows import OrderRows
from stores.mysql.secret import Login, LoginSecret

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MIGRATIONS = Path(__file__).parent / "migrations"
RESERVE = 15.0  # seconds of the function's time that are left to end in order
STATEMENT_TIMEOUT = 240  # seconds; an index on a large table takes a while


@dataclass(slots=True)
class MasterLogin:
    """The master user's name and password from RDS's secret, the host and database from the application's."""

    master: LoginSecret
    application: LoginSecret

    def get(self) -> Login:
        """Tell the login."""
        login, values = self.application.get(), self.master.values()
        return Login(login.host, login.port, values["username"], values["password"], login.database)

    def forget(self) -> None:
        """Fetch both secrets again: RDS rotates the master user's password."""
        self.master.forget()
        self.application.forget()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Apply what is missing and return what that was; an error fails the deploy.

    Parameters
    ----------
    event
        `{"menu": {"Latte": "5"}}`: the menu's items and prices.
    """
    menu = {parse_name(item): Decimal(price) for item, price in event["menu"].items()}
    zone = environment.time_zone()
    application = LoginSecret(environment.database_secret())
    login = MasterLogin(LoginSecret(environment.master_secret()), application)
    mysql = MySql(login, timeout=STATEMENT_TIMEOUT, client_flag=CLIENT.MULTI_STATEMENTS)
    try:
        applied = migrations.migrate(mysql, migrations.read(MIGRATIONS))
        users.set_up_worker(mysql, application.get())
        users.set_up_status(mysql, LoginSecret(environment.status_secret()).get())
        projection = Projection(DynamoDb(), environment.table_names(), zone)
        projection.set_up(menu)
        _count(mysql, projection, zone, context)
    finally:
        mysql.close()
    log("INFO", "Database up to date", applied=applied, menu=len(menu))
    return {"applied": applied, "menu": sorted(menu)}


def _count(mysql: MySql, projection: Projection, zone: ZoneInfo, context: Any) -> None:
    """Count the rows that were there before there were counters, or by the cafe's new time zone.

    Orders keep coming meanwhile. Later deploys leave this to the hourly audit.
    """
    rows = OrderRows(mysql, zone)
    if time_zone_marker(zone) in rows.names():
        return
    rows.begin([counters.TOTAL_ORDERS])
    audit(AuditStore(mysql), zone, lambda: context.get_remaining_time_in_millis() / 1000 - RESERVE)
    now = datetime.now(UTC)
    shown = [n for n in rows.names() if counters.is_shown(n) and not counters.is_expired(n, zone, now)]
    projection.write([], rows.counted(shown))
