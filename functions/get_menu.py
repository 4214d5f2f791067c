"""`GET /menu`: what can be ordered, and what it costs."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

import environment
from http_responses import HttpResponse, answer, cached_response
from log import log
from orders.errors import StoreUnavailableError
from stores.dynamodb.menu import Menu


@cache
def menu() -> Menu:
    """Open the menu once per process."""
    return Menu(environment.menu_table(), environment.menu_index())


def handler(event: dict[str, Any], context: object) -> HttpResponse:
    """Return the items and their prices, sorted by item; `503` if the table is not available."""
    try:
        prices = menu().prices()
    except StoreUnavailableError as error:
        log("ERROR", "Menu not read", reason=str(error))
        return answer(503, {"message": "The menu is not available just now; please try again."})
    items = [{"item": item, "price": _number(price)} for item, price in prices.items()]
    return cached_response(event, {"menu": items})


def _number(price: Decimal) -> int | Decimal:
    """Return a price that reads as a person writes it: 5 and not 5.0 or 5E+0."""
    return int(price) if price == int(price) else price


if environment.function_name():
    menu()  # while Lambda starts the function: no invocation waits for the clients
