"""Record the orders that an outage moved to `OrderDLQ`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orders.failures import Conflict, Refused, StoreUnavailableError, is_final
from orders.ledger import Ledger
from orders.message import parse_batch


class DeadLetters(Protocol):
    """Messages in `OrderDLQ` (`stores.sqs.DeadLetters`)."""

    def receive(self) -> Sequence[Mapping[str, Any]]: ...
    def delete(self, message_ids: Sequence[str]) -> None: ...
    def release(self, message_ids: Sequence[str]) -> None: ...


@dataclass(slots=True)
class SweepResult:
    """Result of a sweep, with the latest reason of each kind."""

    recorded: list[str] = field(default_factory=list)  # ids of the orders that both stores have now
    rejected: int = 0  # messages without a valid order: a person has to correct them
    rejected_reason: str | None = None
    conflicting: int = 0  # orders whose id belongs to another order: a person has to decide
    conflicting_reason: str | None = None
    waiting: int = 0  # orders that could not be recorded now: the next sweep retries them
    waiting_reason: str | None = None
    reason: str | None = None  # why not all messages were read, if the queue was unavailable

    @property
    def left(self) -> int:
        """Return the number of messages that stay."""
        return self.rejected + self.conflicting + self.waiting

    def leave(self, reason: str) -> None:
        """Count a message that stays."""
        if isinstance(reason, Conflict):
            self.conflicting += 1
            self.conflicting_reason = reason
        elif is_final(reason):
            self.rejected += 1
            self.rejected_reason = reason
        else:
            self.waiting += 1
            self.waiting_reason = reason


def sweep(dead_letters: DeadLetters, ledger: Ledger, seconds_left: Callable[[], float]) -> SweepResult:
    """Record the orders among the dead letters while time is left; other messages stay in the queue.

    A message keeps its id and its `SentTimestamp` when SQS moves it to the dead-letter queue, so it is still
    the same order. Once a store is unavailable, the rest is only counted. A conflict is retried by each
    sweep, as the order with its id may have been deleted; that costs one statement.
    """
    swept, staying = SweepResult(), set[str]()
    unavailable: str | None = None
    try:
        while seconds_left() > 0:
            # A message that becomes visible again during the sweep has been counted.
            messages = {
                str(m["messageId"]): m for m in dead_letters.receive() if str(m["messageId"]) not in staying
            }
            if not messages:
                break
            received, rejected = parse_batch(messages.values())
            orders = {message.message_id: message.order for message in received}
            failures = dict.fromkeys(orders, unavailable) if unavailable else ledger.record(orders)
            unavailable = unavailable or next(
                (r for r in failures.values() if not isinstance(r, Refused)), None
            )
            done = {name: order.order_id for name, order in orders.items() if name not in failures}
            staying.update(messages.keys() - done.keys())
            dead_letters.delete(list(done))
            swept.recorded += done.values()
            for reason in (*failures.values(), *(message.reason for message in rejected)):
                swept.leave(reason)
    except StoreUnavailableError as error:
        swept.reason = str(error)
    try:
        dead_letters.release(sorted(staying))
    except StoreUnavailableError as error:
        swept.reason = str(error)
    return swept
