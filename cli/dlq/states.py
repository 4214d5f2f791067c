"""State of the orders in dead letters: recorded, invalid, refused, or not recorded now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from cli import worker_log
from cli.errors import AnswerError
from cli.plurals import orders
from cli.reasons import explained

if TYPE_CHECKING:
    from cli.aws import Clients
    from cli.messages import Message
    from cli.stack import Stack
    from cli.worker_log import Failure

LOG = timedelta(days=1)  # how far back the worker's reasons are looked for


class Kind(StrEnum):
    """Kind of a state."""

    RECORDED = "recorded"
    INVALID = "invalid"  # the message holds no valid order
    REFUSED = "refused"  # an order that a store cannot hold
    WAITING = "waiting"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class State:
    """State of a message's order, and why it is invalid, refused, waits, or is unknown."""

    kind: Kind
    reason: str | None = None

    @property
    def sentence(self) -> str:
        """Sentence for a person."""
        why = explained(self.reason) if self.reason else None
        match self.kind:
            case Kind.RECORDED:
                return "Recorded: the next sweep removes the message."
            case Kind.INVALID:
                return why or "There is no order in it."
            case Kind.REFUSED:
                return f"An order that cannot be recorded until it is corrected: {why}"
            case Kind.WAITING if why:
                return f"An order that could not be recorded: {why}"
            case Kind.WAITING:
                return "An order, but it could not be recorded or delivered."
            case Kind.UNKNOWN:
                return f"An order; whether it is recorded is not known: {why}"


def states(stack: Stack, clients: Clients, messages: Sequence[Message]) -> dict[str, State]:
    """Return the state of each message, by its id."""
    found = {
        message.message_id: State(kind=Kind.INVALID, reason=message.reason)
        for message in messages
        if message.order is None
    }
    valid = {message.message_id: message for message in messages if message.order is not None}
    if not valid:
        return found
    try:
        ids = {message.identity for message in valid.values()}
        known = worker_log.recorded(clients.dynamodb, stack.output("orders_table"), ids)
    except AnswerError as error:
        return found | dict.fromkeys(valid, State(kind=Kind.UNKNOWN, reason=str(error)))
    recorded = {name for name, message in valid.items() if message.identity in known}
    waiting = [message for name, message in valid.items() if name not in recorded]
    return found | dict.fromkeys(recorded, State(kind=Kind.RECORDED)) | _waiting(stack, clients, waiting)


def _waiting(stack: Stack, clients: Clients, messages: Sequence[Message]) -> dict[str, State]:
    if not messages:
        return {}
    since = max(min(message.sent for message in messages), datetime.now(UTC) - LOG)
    try:
        log = worker_log.failures(clients.logs, stack.output("worker_log_group"), since)
    except AnswerError as error:
        reason = f"the reason is not known, because the worker's log could not be read: {error}"
        return {message.message_id: State(kind=Kind.WAITING, reason=reason) for message in messages}
    return {message.message_id: _tried(log.latest(message.message_id)) for message in messages}


def _tried(failure: Failure | None) -> State:
    if failure is None:
        return State(kind=Kind.WAITING)
    return State(kind=Kind.REFUSED if failure.refused else Kind.WAITING, reason=failure.reason)


def summary(found: Sequence[State], *, swept: bool) -> str:
    """Say how many messages are in each state, with a reason for each.

    Parameters
    ----------
    swept
        Whether ReconcileOrders tries the orders again.
    """
    parts = []
    for kind, words in (
        (Kind.INVALID, "with no order"),
        (Kind.REFUSED, "that cannot be recorded until corrected"),
        (Kind.WAITING, "not recorded now" + (", and tried again every minute" if swept else "")),
        (Kind.RECORDED, "recorded, and removed by the next sweep"),
        (Kind.UNKNOWN, "of which it is not known whether they are recorded"),
    ):
        same = [state for state in found if state.kind is kind]
        if not same:
            continue
        count = f"{len(same):,}" if kind is Kind.INVALID else orders(len(same))
        reason = next((state.reason for state in same if state.reason), None)
        parts.append(f"{count} {words}" + (f": {explained(reason).rstrip('.')}" if reason else ""))
    return "; ".join(parts)
