"""Orders in `OrderDLQ`: an outage put them there, and they are recorded without a person's help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orders.errors import Refused, StoreUnavailableError, is_final
from orders.ledger import Failures, Ledger
from orders.message import Received, Rejected, parse_batch


class DeadLetters(Protocol):
    """Messages in `OrderDLQ`; each method raises StoreUnavailableError if the queue does not answer."""

    def take(self) -> Sequence[Mapping[str, Any]]:
        """Take some messages, which nobody else sees for a while."""

    def delete(self, message_ids: Sequence[str]) -> None:
        """Delete messages."""

    def put_back(self, message_ids: Sequence[str]) -> None:
        """Let everybody see messages again."""


@dataclass(slots=True)
class Swept:
    """Result of a sweep.

    Attributes
    ----------
    recorded
        Ids of the orders that both stores have now.
    rejected, rejected_reason
        Messages that hold no valid order, or one that a store refuses for good, and why the latest does:
        they need a person.
    waiting, waiting_reason
        Orders that could not be recorded now, and why: the next sweep tries them again.
    reason
        Why not every message was looked at, if the queue did not answer.
    """

    recorded: list[str] = field(default_factory=list)
    rejected: int = 0
    rejected_reason: str | None = None
    waiting: int = 0
    waiting_reason: str | None = None
    reason: str | None = None

    @property
    def left(self) -> int:
        """Return how many messages stay."""
        return self.rejected + self.waiting


def sweep(dead_letters: DeadLetters, ledger: Ledger, left: Callable[[], float]) -> Swept:
    """Record every order among the dead letters, and leave the rest where it is.

    A message keeps its id and its time of sending when SQS moves it to the dead-letter queue, so it is the
    same order that it was. Once a store is unavailable, the rest is only read and counted.

    Parameters
    ----------
    left
        Seconds until this has to end.
    """
    swept, staying = Swept(), set[str]()
    is_away: str | None = None
    try:
        while left() > 0:
            # A message that becomes visible again during the sweep was counted already.
            messages = {
                str(m["messageId"]): m for m in dead_letters.take() if str(m["messageId"]) not in staying
            }
            if not messages:
                break
            received, rejected = parse_batch(messages.values())
            failures = _record(received, ledger, is_away)
            is_away = is_away or next((r for r in failures.values() if not isinstance(r, Refused)), None)
            done = {m.message_id: m.order.order_id for m in received if m.order.order_id not in failures}
            staying.update(messages.keys() - done.keys())
            dead_letters.delete(list(done))
            swept.recorded += done.values()
            _count(swept, received, rejected, failures)
    except StoreUnavailableError as error:
        swept.reason = str(error)
    try:
        dead_letters.put_back(sorted(staying))
    except StoreUnavailableError as error:
        swept.reason = str(error)
    return swept


def _record(received: Sequence[Received], ledger: Ledger, is_away: str | None) -> Failures:
    orders = [message.order for message in received]
    return dict.fromkeys((order.order_id for order in orders), is_away) if is_away else ledger.record(orders)


def _count(
    swept: Swept, received: Sequence[Received], rejected: Sequence[Rejected], failures: Failures
) -> None:
    failed = [failures[m.order.order_id] for m in received if m.order.order_id in failures]
    for reason in [*failed, *(bad.reason for bad in rejected)]:
        if is_final(reason):
            swept.rejected += 1
            swept.rejected_reason = reason
        else:
            swept.waiting += 1
            swept.waiting_reason = reason
