"""Dead letters of a customer or an order."""

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cli.dlq.dead_letters import Listing
from cli.forget.eraser import Kind, Subject
from cli.messages import Message
from orders.exact_json import encode
from orders.ledger import conflict
from orders.order import Order

Recorded = Callable[[Iterable[str]], Mapping[str, Order | None]]


@dataclass(frozen=True, kw_only=True)
class Matching:
    """Messages of one queue, by what has to be done with them; by message id."""

    recorded: set[str] = field(default_factory=set)  # of recorded orders: to be deleted
    bodies: dict[str, str] = field(default_factory=dict)  # to be sent to the worker, without personal data
    order_ids: set[str] = field(default_factory=set)  # of the orders that are not recorded
    unclear: list[str] = field(default_factory=list)  # that contain the name or id elsewhere: left unchanged
    held_by_others: int = 0

    @property
    def count(self) -> int:
        """Return the number of messages to delete or to send."""
        return len(self.recorded) + len(self.bodies)


def matching(listing: Listing, subject: Subject, recorded: Recorded) -> Matching:
    """Find the messages of a subject; raise OperationError if DynamoDB is unavailable."""
    messages = listing.messages
    mine = [message for message in messages if message.order and _is_of(message, message.order, subject)]
    found = recorded({message.identity for message in mine}) if mine else {}
    result = Matching(held_by_others=listing.held_by_others)
    for message in mine:
        other = found.get(message.identity)
        clash = message.order and other and conflict(message.order, other)
        if message.identity not in found:
            result.order_ids.add(message.identity)
        if message.identity in found and not clash:
            result.recorded.add(message.message_id)
        else:
            result.bodies[message.message_id] = without_personal_data(message)
    names = {message.message_id for message in mine}
    result.unclear.extend(
        message.message_id
        for message in messages
        if message.message_id not in names and any(mentions(message.body, value) for value in subject.values)
    )
    return result


def without_personal_data(message: Message) -> str:
    """Return the body of the same order at the same time, without the name and further fields."""
    order = message.order
    assert order is not None  # noqa: S101 - it is a message of the subject
    fields = {"orderId": message.identity, "item": order.item, "quantity": order.quantity}
    return message.corrected(encode(fields, ensure_ascii=False)).body


def mentions(body: str, value: str) -> bool:
    """Return whether a body contains a text, as it is or escaped by JSON, once or twice."""
    forms = {value}
    for _ in range(2):
        forms |= {json.dumps(form, ensure_ascii=escaped)[1:-1] for form in forms for escaped in (True, False)}
    return any(form in body for form in forms)


def _is_of(message: Message, order: Order, subject: Subject) -> bool:
    match subject.kind:
        case Kind.CUSTOMER:
            return _name(order.customer_name) in map(_name, subject.values)
        case Kind.ORDER:
            return message.identity in subject.values
    return False


def _name(text: str) -> str:
    """Return a name as `EraseOrders` compares it."""
    return unicodedata.normalize("NFC", text.rstrip(" "))
