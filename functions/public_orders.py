"""`GET /ready` and `GET /track`: the pickup numbers for everybody, and a customer's own order."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import environment
from http_responses import HttpResponse, cached_response, header, response
from log import log
from orders import screens
from orders.failures import StoreUnavailableError
from orders.screens import Cutoffs
from orders.tokens import verify
from stores.mysql.connection import MySql
from stores.mysql.login import LoginSecret
from stores.mysql.screens import Screens
from stores.tracking_keys import TrackingKeys

TIMEOUT = 4.0  # seconds
IDLE = 60  # seconds; the user's connections are limited, and an ended process must not keep one for long

INVALID_LINK = "This link is not valid: use the one that came with the order."
CLOSED = "This order is closed."
UNAVAILABLE = "Orders are temporarily unavailable; please try again."


@cache
def database() -> Screens:
    """Return the database, opened once per process."""
    login = LoginSecret(environment.database_secret())
    return Screens(MySql(login, timeout=TIMEOUT, idle=IDLE))


@cache
def tracking_keys() -> TrackingKeys:
    """Return the keys that sign customers' tokens, created once per process."""
    return TrackingKeys(environment.tracking_secret())


def handler(event: dict[str, Any], context: object) -> HttpResponse:
    """Return the pickup numbers, or the order of a token."""
    cutoffs = Cutoffs.of(datetime.now(UTC), environment.open_hours())
    try:
        if event["resource"] == "/ready":
            return cached_response(event, screens.ready(database().numbers(cutoffs), cutoffs), volatile="now")
        order_id = verify(header(event, "track-token") or "", tracking_keys().get)
        if order_id is None:
            return response(401, {"message": INVALID_LINK})
        document = screens.track(database().track(order_id, cutoffs), cutoffs)
    except screens.GoneError:
        return response(410, {"message": CLOSED})
    except StoreUnavailableError as error:
        log("ERROR", "Orders not available", reason=str(error))
        return response(503, {"message": UNAVAILABLE})
    return cached_response(event, document, volatile="now", cache_control="no-store")


if environment.function_name():
    database()  # create the clients during Lambda's init phase, not in the first invocation
    tracking_keys()
