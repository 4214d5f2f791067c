"""Log lines and metrics of the messages that the worker could not process."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from log import log, metrics
from orders.backoff import VISIBILITY_PER_TIMEOUT
from orders.failures import Conflict, is_final
from orders.message import Received, Rejected

FAILED_ORDERS = "FailedOrders"
CONFLICTING_ORDERS = "ConflictingOrders"
MALFORMED_MESSAGES = "MalformedMessages"


class FailureLog:
    """Logs the failures of a batch, and counts each failed order in a metric once.

    An order is counted at its first reported failure. A message whose failure was reported is received again
    within seconds. If all its earlier receives ended in a crash or a timeout, it was hidden for the queue's
    whole visibility timeout each time, and its failure has not been counted yet.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]], context: Any) -> None:
        timeout = context.get_remaining_time_in_millis() / 1000 if context else float("inf")
        self._uncounted = set[str]()
        self.receives = dict[str, int]()  # by message id; 1 at the first receive
        for record in records:
            message_id, attributes = str(record["messageId"]), record.get("attributes", {})
            receive = int(attributes.get("ApproximateReceiveCount", "1"))
            self.receives[message_id] = receive
            if _is_first(attributes, receive - 1, VISIBILITY_PER_TIMEOUT * timeout):
                self._uncounted.add(message_id)
        self._counted = set[tuple[object, ...]]()  # orders of this batch

    def rejected(self, message: Rejected) -> None:
        """Log a message without a valid order, or one on which the parser failed."""
        name = MALFORMED_MESSAGES if is_final(message.reason) else FAILED_ORDERS
        counted = metrics({name: 1}) if message.message_id in self._uncounted else {}
        about: dict[str, object] = {"orderId": message.order_id} if message.order_id else {}
        about |= self._about(message.message_id, message.reason)
        log("ERROR", "Message rejected", **about, **counted)

    def failed(self, message: Received, reason: str) -> None:
        """Log an order that is not in both stores; a conflict has its own metric: no store is at fault."""
        order = message.order
        identity = (order.order_id, *order.contents)
        counted = {}
        if message.message_id in self._uncounted and identity not in self._counted:
            self._counted.add(identity)
            counted = metrics({CONFLICTING_ORDERS if isinstance(reason, Conflict) else FAILED_ORDERS: 1})
        about = {"orderId": order.order_id, **self._about(message.message_id, reason)}
        # `refused`: not recorded until a person corrects it.
        refused = {"refused": True} if is_final(reason) else {}
        conflict = {"conflict": True} if isinstance(reason, Conflict) else {}
        log("ERROR", "Order not processed", **about, **refused, **conflict, **counted)

    def _about(self, message_id: str, reason: str) -> dict[str, object]:
        return {"messageId": message_id, "receive": self.receives[message_id], "reason": reason}


def _is_first(attributes: Mapping[str, str], earlier: int, visibility: float) -> bool:
    first = int(attributes.get("ApproximateFirstReceiveTimestamp", "0")) / 1000
    return not earlier or time.time() - first >= earlier * visibility
