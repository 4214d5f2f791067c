"""`GET /menu`: the items that can be ordered, with their prices."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

import environment
from http_responses import HttpResponse, cached_response, response
from log import log
from orders.failures import StoreUnavailableError
from stores.dynamodb.menu import Menu


@cache
def menu() -> Menu:
    """Return the menu, created once per process."""
    return Menu(environment.menu_table(), environment.menu_index())


def handler(event: dict[str, Any], context: object) -> HttpResponse:
    """Return the items and their prices, sorted by item; `503` if the table is not available."""
    try:
        prices = menu().prices()
    except StoreUnavailableError as error:
        log("ERROR", "Menu not read", reason=str(error))
        return response(503, {"message": "The menu is temporarily unavailable; please try again."})
    items = [{"item": item, "price": _number(price)} for item, price in prices.items()]
    return cached_response(event, {"menu": items})


def _number(price: Decimal) -> int | Decimal:
    """Return a whole price as an integer: 5, not 5.0 or 5E+0."""
    return int(price) if price == int(price) else price


if environment.function_name():
    menu()  # create the client during Lambda's init phase, not in the first invocation
