"""`POST /orders`: check an order and publish it to `OrderTopic`."""

from __future__ import annotations

import base64
import os
from functools import cache
from typing import Any

from http_answers import HttpAnswer, answer, header
from log import log
from orders.errors import StoreUnavailableError
from orders.order import InvalidOrderError
from orders.request import TooLargeError, place
from stores.sns import OrderTopic


@cache
def topic() -> OrderTopic:
    """Make the topic's client once per process."""
    return OrderTopic(os.environ["TOPIC_ARN"])


def handler(event: dict[str, Any], context: object) -> HttpAnswer:
    """Accept an order with `202`, or say in a `4xx` what is wrong with it."""
    try:
        order = place(_body(event), header(event, "idempotency-key"))
        topic().publish(order.message)
    except TooLargeError as error:
        return answer(413, {"message": str(error)})
    except InvalidOrderError as error:
        return answer(400, {"message": str(error), "errors": error.errors})
    except StoreUnavailableError as error:
        log("ERROR", "Order not published", orderId=order.order_id, reason=str(error))
        return answer(503, {"message": "The order could not be taken just now; please send it again."})
    log("INFO", "Order accepted", orderId=order.order_id)
    return answer(202, {"orderId": order.order_id, "message": "Order accepted"})


def _body(event: dict[str, Any]) -> str:
    body = str(event.get("body") or "")
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body).decode()
    except ValueError:
        raise InvalidOrderError({"body": "The order must be a JSON object; this is not text."}) from None
