"""Check the id of a corrected order: no order is counted under two ids, and no two orders under one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from cli.dlq.states import Kind, State
from cli.messages import Message
from orders.ledger import conflict
from orders.order import InvalidOrderError, Order


@dataclass(frozen=True, kw_only=True)
class Correction:
    """A dead letter that is corrected; `recorded` reads the recorded orders with these ids."""

    message: Message
    state: State
    recorded: Callable[[Iterable[str]], Mapping[str, Order | None]]

    def apply(self, text: str, order_id: str | None = None) -> Message:
        """Return the message with a corrected order; see `Message.corrected`.

        Raises InvalidOrderError if the order is invalid or must not have its id, OperationError if
        DynamoDB is unavailable.
        """
        corrected = self.message.corrected(text, order_id)
        assert corrected.order is not None  # noqa: S101 - else it raises
        if problem := self._problem(corrected.order):
            raise InvalidOrderError({"orderId": problem})
        return corrected

    def _problem(self, order: Order) -> str | None:
        """Return why an order must not have its id, None if it may."""
        present_id = self.message.identity
        recorded = self.recorded({order.order_id, present_id})
        holder = recorded.get(present_id)  # the recorded order that has this message's id
        clash = conflict(replace(order, order_id=present_id), holder) if holder else None
        if order.order_id == present_id:
            return f"{clash}: give it another id, such as {self._free_id()}." if clash else None
        # The order may be recorded with its id, or known by it elsewhere.
        has_id = self.message.own_id is not None or self.message.order is not None
        if has_id and self.state.kind is not Kind.CONFLICTING and clash is None:
            return f"The orderId must stay {present_id}: another id is another order."
        if order.order_id in recorded:
            return f"The orderId {order.order_id} is in use: give it another one, such as {self._free_id()}."
        return None

    def _free_id(self) -> str:
        order_id = self.message.dated_id
        return self.message.message_id if order_id in self.recorded({order_id}) else order_id
