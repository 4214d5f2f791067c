"""`POST /orders`: validate an order, give it an id, and publish it to `OrderTopic`."""

from __future__ import annotations

from functools import cache
from typing import Any

import environment
from http_responses import HttpResponse, body_text, has_secret, header, response
from log import log
from orders.failures import StoreUnavailableError
from orders.http_request import KeyReusedError, OrderRequest, TooLargeError, parse
from orders.message import own_id
from orders.order import InvalidOrderError
from orders.tokens import sign
from stores.dynamodb.idempotency import IdempotencyKeys
from stores.sns import OrderTopic
from stores.tracking_keys import TrackingKeys


@cache
def topic() -> OrderTopic:
    """Return the topic, created once per process."""
    return OrderTopic(environment.topic_arn())


@cache
def keys() -> IdempotencyKeys:
    """Return the idempotency keys, created once per process."""
    return IdempotencyKeys(environment.idempotency_table())


@cache
def tracking_keys() -> TrackingKeys:
    """Return the keys that sign customers' tokens, created once per process."""
    return TrackingKeys(environment.tracking_secret())


def handler(event: dict[str, Any], context: object) -> HttpResponse:
    """Accept an order with `202`, or refuse it with a `4xx` that names each wrong field."""
    order_id, body = None, ""
    try:
        body = _body(event)
        order = parse(body, header(event, "idempotency-key"), with_api_key=_has_api_key(event))
        order_id = order.identify(keys)
        topic().publish(order.message(order_id))
    except TooLargeError as error:
        return response(413, {"message": str(error)})
    except InvalidOrderError as error:
        _log_refused(event, body, error)
        return response(400, {"message": str(error), "errors": error.errors})
    except KeyReusedError as error:
        _log_refused(event, body, error)
        return response(422, {"message": str(error)})
    except StoreUnavailableError as error:
        log("ERROR", "Order not published", orderId=order_id, reason=str(error))
        return response(503, {"message": "Ordering is temporarily unavailable; please send the order again."})
    log("INFO", "Order accepted", orderId=order_id)
    return response(202, {"orderId": order_id, "message": "Order accepted", **_tracking(order, order_id)})


def _log_refused(event: dict[str, Any], body: str, error: ValueError) -> None:
    """Log a refused order if a caller with the API key chose its id; strangers' requests are not logged."""
    if _has_api_key(event) and (order_id := own_id(body)):
        log("WARNING", "Order refused", orderId=order_id, reason=str(error))


def _tracking(order: OrderRequest, order_id: str) -> dict[str, str]:
    """Return the field with the address of the customer's page, if there is one.

    An order whose id the caller chose gets none: the id may belong to another order, or be guessed.
    """
    if order.fields.order_id is not None:
        return {}
    try:
        token = sign(order_id, *tracking_keys().current())
        # Browsers do not send what follows the `#`, so the token is in no log.
        return {"track_url": f"{environment.page_origin()}/track#{token}"}
    except StoreUnavailableError as error:
        log("ERROR", "Customer's page not available", orderId=order_id, reason=str(error))
        return {}


def _has_api_key(event: dict[str, Any]) -> bool:
    """Return whether the request has the API key; False if the stack has none.

    API Gateway also checks the key, but the deploy that introduces it updates this function first.
    """
    sha256 = environment.orders_api_key_sha256()
    return sha256 is not None and has_secret(event, "x-api-key", sha256)


def _body(event: dict[str, Any]) -> str:
    try:
        return body_text(event)
    except ValueError:
        raise InvalidOrderError({"body": "The order must be a JSON object; this is not text."}) from None


if environment.function_name():
    topic()  # create the clients during Lambda's init phase, not in the first invocation
    keys()
    tracking_keys()
