"""The hops of an order's path, and where it is or stopped."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cli.dlq.states import Kind
from cli.error_codes import explain
from cli.kitchen import NUMBER, Order
from cli.logs import Line
from cli.plurals import counted, messages
from cli.times import local_time
from cli.trace.sources import (
    API,
    DEAD_LETTERS,
    DYNAMODB,
    MYSQL,
    RECONCILER,
    UNDELIVERED,
    WORKER,
    Letter,
    Sources,
)
from cli.worker_log import FAILED, PROCESSED

ACCEPTED, REFUSED, UNPUBLISHED = "Order accepted", "Order refused", "Order not published"
REJECTED, SWEPT = "Message rejected", "Order recorded from the dead-letter queue"
RECEIVED = frozenset({PROCESSED, FAILED, REJECTED})


class Reached(StrEnum):
    """State of a hop."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"  # the source could not be checked
    UNSEEN = "unseen"  # it left no trace there, without a failure


@dataclass(frozen=True)
class Hop:
    """A step of the path; `at` is when the order reached it, or failed there."""

    name: str
    reached: Reached
    detail: str = ""
    at: datetime | None = None


class Outcome(StrEnum):
    """Result of a trace: the place of the order."""

    SHOWN = "shown"  # in both stores
    NOT_SHOWN = "not shown"  # in MySQL alone
    CONFLICTING = "conflicting"  # recorded, but another order with its id is not
    REFUSED = "refused"  # by the API
    UNDELIVERED = "undelivered"  # in OrderSubscriptionDLQ
    DEAD_LETTER = "dead letter"  # in OrderDLQ
    FAILING = "failing"  # the worker will receive it again
    WAITING = "waiting"  # in OrderQueue
    LOST = "lost"  # accepted, and nowhere now
    NOT_FOUND = "not found"
    UNKNOWN = "unknown"  # a source that decides could not be checked


class Path:
    """The path of an order, by what the sources have."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._failures = self._lines_of(FAILED, REJECTED)

    def hops(self) -> list[Hop]:
        """Return the hops, in the order of the path."""
        return [self._accepted(), self._published(), self._received(), self._recorded(), self._shown()]

    def verdict(self) -> tuple[Outcome, str]:
        """Return where the order is, or where it stopped, and a sentence with the reason and what to do."""
        found = self._sources
        if found.row is not None:
            return self._of_recorded(found.row)
        if MYSQL in found.unchecked and found.item is not None:
            return Outcome.UNKNOWN, "It is in DynamoDB, so it was recorded; MySQL could not be checked."
        if letter := self._letter(DEAD_LETTERS):
            return Outcome.DEAD_LETTER, self._of_dead_letter(letter)
        if self._letter(UNDELIVERED):
            why = "It stopped in OrderSubscriptionDLQ, because SNS could not deliver it to OrderQueue."
            return (
                Outcome.UNDELIVERED,
                f"{why} `cafe doctor` shows why; then type `cafe dlq redrive --queue subscription`.",
            )
        if MYSQL in found.unchecked:
            return Outcome.UNKNOWN, self._unknown()
        return self._of_missing()

    def _of_recorded(self, row: Order) -> tuple[Outcome, str]:
        found = self._sources
        if DYNAMODB in found.unchecked:
            return Outcome.UNKNOWN, f"It is recorded, as {row.number}; DynamoDB could not be checked."
        if found.item is None or found.item.version < row.version:
            reason = "" if self._lines_of(PROCESSED, SWEPT) else self._last_failure()
            what = "lacks it" if found.item is None else "has an older state"
            return Outcome.NOT_SHOWN, (
                f"It is recorded in MySQL, but DynamoDB {what}.{reason} ReconcileOrders corrects that within "
                "two minutes; after more, type `cafe reconcile --rebuild`."
            )
        conflict = next((each for each in found.letters if each.state.kind is Kind.CONFLICTING), None)
        if conflict:
            return Outcome.CONFLICTING, (
                f"It is recorded and shown, as {row.number}, but another order with its id stopped in "
                f"{conflict.queue}. {conflict.state.sentence}"
            )
        state = f"{row.number} is {row.state}" if row.state else f"{row.number} has no state"
        return Outcome.SHOWN, f"It is recorded and shown: {state}."

    def _of_dead_letter(self, letter: Letter) -> str:
        retried = letter.state.kind is Kind.WAITING
        return (
            f"It stopped in OrderDLQ. {letter.state.sentence.rstrip('.')}."
            f"{' ReconcileOrders tries to record it every minute.' if retried else ''}"
            f"{' MySQL could not be checked.' if MYSQL in self._sources.unchecked else ''}"
            f" `cafe dlq show {letter.message.message_id}` shows it."
        )

    def _of_missing(self) -> tuple[Outcome, str]:
        """Return where an order is that no store and no dead-letter queue has."""
        found = self._sources
        if found.item is not None or self._lines_of(PROCESSED, SWEPT):
            return Outcome.LOST, (
                "It was recorded, but MySQL has no such row now: it was deleted, or the database was "
                "restored (`cafe replay --source dynamodb` sends the orders of a period again)."
            )
        depth = found.queued
        queued = depth is None or depth.total > 0
        if self._failures and queued:
            return Outcome.FAILING, (
                f"The worker received it, and could not record it: {self._reason()}. It receives a "
                "message three times before that is moved to OrderDLQ. `cafe doctor` shows the cause."
            )
        if (lines := self._lines_of(REFUSED, UNPUBLISHED)) and not self._lines_of(ACCEPTED):
            reason = lines[-1].reason.rstrip(".")
            return Outcome.REFUSED, f"The API did not accept it: {reason}. The client has to send it again."
        if found.unchecked:
            return Outcome.UNKNOWN, self._unknown()
        paused = " The worker is paused: `cafe worker resume`." if found.is_paused else ""
        if not found.lines:
            return Outcome.NOT_FOUND, self._not_found() + paused
        if depth is not None and queued:
            there = f"{messages(depth.waiting)} there, {depth.in_flight:,} with the worker"
            return Outcome.WAITING, f"It is nowhere else, so it waits in OrderQueue: {there}.{paused}"
        return Outcome.LOST, (
            "It was published, and is in no queue and no store now: SNS has not delivered it, or it was "
            f"deleted from a queue.{self._last_failure()} `cafe doctor` checks the subscription. If it is "
            "sent again with the same orderId, it is the same order."
        )

    def _unknown(self) -> str:
        unknown = "It was not found, and not all could be checked, so it is unknown whether it is recorded."
        return unknown + self._last_failure()

    def _last_failure(self) -> str:
        if not self._failures:
            return ""
        at = local_time(self._failures[-1].at)
        return f" At {at} the worker could not record it: {self._reason()}."

    def _not_found(self) -> str:
        depth = self._sources.queued
        queued = (
            f"it waits in OrderQueue, which has {messages(depth.total)}, " if depth and depth.total else ""
        )
        number = ""
        if NUMBER.fullmatch(self._sources.order_id.upper()):
            number = " The kitchen's screen has no order with this pickup number now: give the order's id."
        return (
            "It is in no store, no dead-letter queue and no log line of this time: the API never accepted "
            f"it, {queued}its id is another, or it was sent earlier (`--since`).{number}"
        )

    def _accepted(self) -> Hop:
        lines, refused = self._lines_of(ACCEPTED), self._lines_of(REFUSED, UNPUBLISHED)
        if lines:
            times = f", {counted(len(lines), 'time')} with one Idempotency-Key" if len(lines) > 1 else ""
            return Hop("accepted", Reached.YES, f"by the API{times}", at=lines[0].at)
        if refused:
            detail = f"{refused[-1].message}: {refused[-1].reason}"
            return Hop("accepted", Reached.NO, detail, at=refused[-1].at)
        found = self._sources
        refused_or = "" if found.row or found.item or self._lines_of(*RECEIVED) else "refused, "
        otherwise = f"no line of the API in this time: sent by another publisher, {refused_or}or earlier"
        return self._without("accepted", f"the log of {API}", otherwise)

    def _published(self) -> Hop:
        found = self._sources
        if accepted := self._lines_of(ACCEPTED):
            return Hop("published", Reached.YES, at=accepted[0].at)
        if found.ordered_at or found.row or found.item or self._lines_of(*RECEIVED):
            return Hop("published", Reached.YES, at=found.ordered_at)
        if self._lines_of(REFUSED, UNPUBLISHED):
            return Hop("published", Reached.NO)
        return self._without("published", f"the log of {API}", "no trace of it")

    def _received(self) -> Hop:
        found = self._sources
        lines, swept = self._lines_of(*RECEIVED), self._lines_of(SWEPT)
        if lines or swept:
            first = (lines or swept)[0]
            return Hop("received", Reached.YES, _receives(lines, swept), at=first.at)
        if self._letter(UNDELIVERED) and found.row is None:
            return Hop("received", Reached.NO, "SNS could not deliver it to OrderQueue")
        nothing = "no line of the worker"
        if found.row is None and found.item is None and f"the log of {WORKER}" not in found.unchecked:
            return Hop("received", Reached.NO, nothing)
        return self._without("received", f"the log of {WORKER}", nothing)

    def _recorded(self) -> Hop:
        found = self._sources
        if row := found.row:
            done = self._lines_of(PROCESSED, SWEPT)
            at = done[0].at if done else None
            return Hop("recorded", Reached.YES, f"in MySQL, as {row.number}", at=at)
        if MYSQL in found.unchecked:
            return Hop("recorded", Reached.UNKNOWN, f"{MYSQL}: {found.unchecked[MYSQL]}")
        if self._failures:
            return Hop("recorded", Reached.NO, self._reason(), at=self._failures[-1].at)
        return Hop("recorded", Reached.NO, "not in MySQL")

    def _shown(self) -> Hop:
        found = self._sources
        if DYNAMODB in found.unchecked:
            return Hop("shown", Reached.UNKNOWN, f"{DYNAMODB}: {found.unchecked[DYNAMODB]}")
        if (item := found.item) is None:
            return Hop("shown", Reached.NO, "not in DynamoDB")
        detail = f"in DynamoDB, {item.state or 'without a state'}, version {item.version}"
        if found.row and item.version < found.row.version:
            newer = f"MySQL has {found.row.state}, version {found.row.version}"
            return Hop("shown", Reached.NO, f"{detail}; {newer}")
        return Hop("shown", Reached.YES, detail)

    def _without(self, name: str, source: str, otherwise: str) -> Hop:
        """Return a hop without a line."""
        if problem := self._sources.unchecked.get(source):
            return Hop(name, Reached.UNKNOWN, f"{source}: {problem}")
        return Hop(name, Reached.UNSEEN, otherwise)

    def _lines_of(self, *kinds: str) -> list[Line]:
        return [line for line in self._sources.lines if line.message in kinds]

    def _letter(self, queue: str) -> Letter | None:
        return next((letter for letter in self._sources.letters if letter.queue == queue), None)

    def _reason(self) -> str:
        return explain(self._failures[-1].reason.rstrip("."))


def _receives(lines: list[Line], swept: list[Line]) -> str:
    """Return how often the worker received an order, in how many messages."""
    receives: dict[str, int] = {}
    for line in lines:
        name = str(line.fields.get("messageId"))
        # A receive that ended in a crash has no line.
        receives[name] = max(receives.get(name, 0) + 1, int(line.fields.get("receive", 1)))
    parts = [f"{counted(sum(receives.values()), 'time')}, in {messages(len(receives))}"] if lines else []
    if swept:
        parts.append(f"{counted(len(swept), 'time')} from OrderDLQ by {RECONCILER}")
    return ", ".join(parts)
