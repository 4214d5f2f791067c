"""Orders among the dead letters: an outage put them there, and nobody has to take them out by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orders.ledger import Ledger, Refused
from orders.message import parse_batch


class DeadLetters(Protocol):
    """What was given up on."""

    def take(self) -> Sequence[Mapping[str, Any]]:
        """Take some messages, which nobody else sees for a while."""

    def delete(self, message_ids: Sequence[str]) -> None:
        """Delete messages."""

    def put_back(self, message_ids: Sequence[str]) -> None:
        """Let everybody see messages again."""


@dataclass(slots=True)
class Swept:
    """What became of the dead letters."""

    recorded: list[str] = field(default_factory=list)  # order ids
    left: int = 0  # messages that were looked at and stay
    reason: str | None = None  # why orders stay: a store does not take them now


def sweep(dead_letters: DeadLetters, ledger: Ledger, left: Callable[[], float]) -> Swept:
    """Record every order among the dead letters, and leave to a person what holds none.

    A message keeps its id and its time of sending when SQS gives up on it, so that the order is the
    same that it was on the queue.

    Parameters
    ----------
    left
        Seconds until this has to end.

    Raises
    ------
    StoreUnavailableError
        If the queue does not answer. What was recorded by then is.
    """
    swept, staying = Swept(), set[str]()
    try:
        while left() > 0 and not swept.reason:
            messages = dead_letters.take()
            # One that was put back by the clock has gone round: all were seen.
            if not messages or any(str(message["messageId"]) in staying for message in messages):
                staying.update(str(message["messageId"]) for message in messages)
                break
            received, _ = parse_batch(messages)
            failures = ledger.record([message.order for message in received])
            done = {m.message_id: m.order.order_id for m in received if m.order.order_id not in failures}
            staying.update(str(m["messageId"]) for m in messages if str(m["messageId"]) not in done)
            dead_letters.delete(list(done))
            swept.recorded += done.values()
            swept.reason = next((why for why in failures.values() if not isinstance(why, Refused)), None)
    finally:
        dead_letters.put_back(sorted(staying))
    swept.left = len(staying)
    return swept
