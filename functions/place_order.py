"""`POST /orders`: validate an order, give it an id, and publish it to `OrderTopic`."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import environment
from http_answers import HttpAnswer, answer, has_secret, header
from log import log
from orders.errors import StoreUnavailableError
from orders.order import InvalidOrderError
from orders.request import KeyReusedError, TooLargeError, parse
from stores.dynamodb.idempotency import IdempotencyKeys
from stores.sns import OrderTopic


@cache
def topic() -> OrderTopic:
    """Make the topic's client once per process."""
    return OrderTopic(environment.topic_arn())


@cache
def keys() -> IdempotencyKeys:
    """Make the client of the idempotency keys once per process."""
    return IdempotencyKeys(environment.idempotency_table())


def handler(event: dict[str, Any], context: object) -> HttpAnswer:
    """Accept an order with `202`, or say in a `4xx` what is wrong with it."""
    order_id = None
    try:
        order = parse(_body(event), header(event, "idempotency-key"), with_api_key=_has_api_key(event))
        order_id = order.identify(keys)
        topic().publish(order.message(order_id))
    except TooLargeError as error:
        return answer(413, {"message": str(error)})
    except InvalidOrderError as error:
        return answer(400, {"message": str(error), "errors": error.errors})
    except KeyReusedError as error:
        return answer(422, {"message": str(error)})
    except StoreUnavailableError as error:
        log("ERROR", "Order not published", orderId=order_id, reason=str(error))
        return answer(503, {"message": "The order could not be taken just now; please send it again."})
    log("INFO", "Order accepted", orderId=order_id)
    return answer(202, {"orderId": order_id, "message": "Order accepted"})


def _has_api_key(event: dict[str, Any]) -> bool:
    """Return whether the API key was sent; a stack whose orders need none has none.

    API Gateway checks it, too, but only once a deploy that introduces the key has reached it.
    """
    sha256 = environment.orders_api_key_sha256()
    return sha256 is not None and has_secret(event, "x-api-key", sha256)


def _body(event: dict[str, Any]) -> str:
    body = str(event.get("body") or "")
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body).decode()
    except ValueError:
        raise InvalidOrderError({"body": "The order must be a JSON object; this is not text."}) from None


if environment.function_name():
    topic()  # while Lambda starts the function: no invocation waits for the clients
    keys()
