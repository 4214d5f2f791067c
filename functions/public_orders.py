"""`GET /ready` and `GET /track`: the pickup numbers for everybody, and a customer's own order."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import environment
from http_responses import HttpResponse, answer, cached_response, header
from log import log
from orders import screens
from orders.errors import StoreUnavailableError
from orders.screens import Cutoffs
from orders.tokens import verify
from stores.mysql.connection import MySql
from stores.mysql.login import LoginSecret
from stores.mysql.screens import Screens
from stores.tracking_keys import TrackingKeys

TIMEOUT = 4.0  # seconds
# Seconds. The user's connections are limited, and a process that is gone must not keep one for long.
IDLE = 60

BAD_LINK = "This link is not valid: use the one that came with the order."
GONE = "This order is closed."
AWAY = "Orders are not available just now; please try again."


@cache
def database() -> Screens:
    """Connect once per process."""
    login = LoginSecret(environment.database_secret())
    return Screens(MySql(login, timeout=TIMEOUT, patience=TIMEOUT, idle=IDLE))


@cache
def tracking_keys() -> TrackingKeys:
    """Make the client of the keys that sign customers' tokens once per process."""
    return TrackingKeys(environment.tracking_secret())


def handler(event: dict[str, Any], context: object) -> HttpResponse:
    """Show the numbers, or the order of a token."""
    since = Cutoffs.of(datetime.now(UTC), environment.open_hours())
    try:
        if event["resource"] == "/ready":
            return cached_response(event, screens.ready(database().numbers(since), since), passing="now")
        order_id = verify(header(event, "track-token") or "", tracking_keys().get)
        if order_id is None:
            return answer(401, {"message": BAD_LINK})
        document = screens.track(database().track(order_id, since), since)
    except screens.GoneError:
        return answer(410, {"message": GONE})
    except StoreUnavailableError as error:
        log("ERROR", "Orders not available", reason=str(error))
        return answer(503, {"message": AWAY})
    return cached_response(event, document, passing="now", cache_control="no-store")


if environment.function_name():
    database()  # while Lambda starts the function: no invocation waits for the clients
    tracking_keys()
