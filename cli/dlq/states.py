"""States of the orders in dead letters: recorded, invalid, conflicting, refused, or waiting."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from cli import aws, worker_log
from cli.aws import Clients
from cli.error_codes import explain
from cli.errors import OperationError
from cli.logs import Line
from cli.messages import Message
from cli.plurals import orders
from orders.ledger import conflict
from orders.order import ERASED, Order

LOG = timedelta(days=1)  # how far back the worker's log is searched for reasons
FIELDS = {  # of an item of `Orders`; `item` is a reserved word in DynamoDB
    "ProjectionExpression": "orderId, created_at, #item, quantity, customer_name",
    "ExpressionAttributeNames": {"#item": "item"},
}


class Kind(StrEnum):
    """Kind of a state."""

    RECORDED = "recorded"
    INVALID = "invalid"  # the message has no valid order
    CONFLICTING = "conflicting"  # the order's id belongs to another order
    REFUSED = "refused"  # a store cannot hold the order
    WAITING = "waiting"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class State:
    """State of a message's order."""

    kind: Kind
    reason: str | None = None  # why it is not recorded
    other: Order | None = None  # the order to which its id belongs, if that is known

    @property
    def sentence(self) -> str:
        """Return a sentence for the user."""
        why = explain(self.reason) if self.reason else None
        match self.kind:
            case Kind.RECORDED:
                return "Recorded: the next sweep removes the message."
            case Kind.INVALID:
                return why or "It has no valid order."
            case Kind.CONFLICTING:
                return f"Not recorded: {why}. `cafe dlq edit` gives it another id."
            case Kind.REFUSED:
                return f"The order cannot be recorded until it is corrected: {why}"
            case Kind.WAITING if why:
                return f"The order could not be recorded: {why}"
            case Kind.WAITING:
                return "The order could not be recorded or delivered."
            case Kind.UNKNOWN:
                return f"It is unknown whether the order is recorded: {why}"


def states(clients: Clients, messages: Sequence[Message]) -> dict[str, State]:
    """Return the state of each message, by its id."""
    found = {
        message.message_id: State(kind=Kind.INVALID, reason=message.reason)
        for message in messages
        if message.order is None
    }
    valid = [message for message in messages if message.order is not None]
    try:
        known = _recorded(clients, valid)
    except OperationError as error:
        unknown = State(kind=Kind.UNKNOWN, reason=str(error))
        return found | dict.fromkeys((message.message_id for message in valid), unknown)
    return found | known | _waiting(clients, [m for m in valid if m.message_id not in known])


def conflicts(clients: Clients, messages: Sequence[Message]) -> dict[str, str]:
    """Return the reasons, by message id, of messages whose order has the id of another order."""
    known = _recorded(clients, [message for message in messages if message.order is not None])
    return {name: state.reason or "" for name, state in known.items() if state.kind is Kind.CONFLICTING}


def recorded(clients: Clients, order_ids: Iterable[str]) -> dict[str, Order | None]:
    """Return the recorded orders with these ids: `Orders` is written last.

    None stands for an item that lacks fields of the order. Raises OperationError.
    """
    keys = ({"orderId": {"S": order_id}} for order_id in order_ids)
    with aws.translated_errors():
        items = aws.items(clients.dynamodb, clients.stack.output("orders_table"), keys, **FIELDS)
        return {item["orderId"]["S"]: _order(item) for item in items}


def _order(item: Any) -> Order | None:
    values = {name: next(iter(typed.values())) for name, typed in item.items()}
    try:
        return Order(
            order_id=values["orderId"],
            created_at=datetime.fromisoformat(values["created_at"]) if "created_at" in values else None,
            item=values["item"],
            quantity=int(values["quantity"]),
            customer_name=values.get("customer_name", ERASED),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _recorded(clients: Clients, messages: Sequence[Message]) -> dict[str, State]:
    """Return the state of each message whose order's id is recorded, whichever order that is."""
    found = recorded(clients, {message.identity for message in messages})
    return {
        message.message_id: _compare(message.order, found[message.identity])
        for message in messages
        if message.order and message.identity in found
    }


def _compare(order: Order, other: Order | None) -> State:
    if other and (reason := conflict(order, other)):
        return State(kind=Kind.CONFLICTING, reason=reason, other=other)
    return State(kind=Kind.RECORDED)


def _waiting(clients: Clients, messages: Sequence[Message]) -> dict[str, State]:
    if not messages:
        return {}
    since = max(min(message.sent for message in messages), datetime.now(UTC) - LOG)
    try:
        failures, _ = worker_log.failures(clients.logs, clients.stack.output("worker_log_group"), since)
    except OperationError as error:
        reason = f"the reason is unknown, because the worker's log could not be read: {error}"
        return {message.message_id: State(kind=Kind.WAITING, reason=reason) for message in messages}
    latest = {line.fields.get("messageId"): _state_after(line) for line in failures}
    return {m.message_id: latest.get(m.message_id, State(kind=Kind.WAITING)) for m in messages}


def _state_after(failure: Line) -> State:
    is_conflict, is_refused = failure.fields.get("conflict"), failure.fields.get("refused")
    kind = Kind.CONFLICTING if is_conflict else Kind.REFUSED if is_refused else Kind.WAITING
    return State(kind=kind, reason=failure.reason)


def summary(found: Sequence[State], *, swept: bool) -> str:
    """Return how many messages are in each state, with a reason for each; `swept` messages are retried."""
    parts = []
    for kind, words in (
        (Kind.INVALID, "without a valid order"),
        (Kind.CONFLICTING, "whose id belongs to another order"),
        (Kind.REFUSED, "that cannot be recorded until corrected"),
        (Kind.WAITING, "not recorded now" + (", and retried every minute" if swept else "")),
        (Kind.RECORDED, "recorded, and removed by the next sweep"),
        (Kind.UNKNOWN, "not known to be recorded"),
    ):
        same = [state for state in found if state.kind is kind]
        if not same:
            continue
        count = f"{len(same):,}" if kind is Kind.INVALID else orders(len(same))
        reason = next((state.reason for state in same if state.reason), None)
        parts.append(f"{count} {words}" + (f": {explain(reason).rstrip('.')}" if reason else ""))
    return "; ".join(parts)
