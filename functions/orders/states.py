"""The states of an order, and the rules for its moves between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum

RECALLABLE_FOR = timedelta(minutes=30)
# Orders that were sent longer ago are looked up in DynamoDB before they are put: a restored database may lack
# their states. No restore takes less time.
LATE_AFTER = timedelta(minutes=10)
RESTORED = "restored"  # the actor of a state that was taken from DynamoDB after the database was restored
ERASED_ACTOR = "erased"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O, which look like digits
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class State(StrEnum):
    """State of an order; the API and both stores use these values."""

    RECEIVED = "received"
    PREPARING = "preparing"
    READY = "ready"
    COLLECTED = "collected"
    CANCELLED = "cancelled"


TO_MAKE = (State.RECEIVED, State.PREPARING)
OPEN = (*TO_MAKE, State.READY)
CLOSED = (State.COLLECTED, State.CANCELLED)
FORWARD = (*OPEN, State.COLLECTED)  # states may be skipped


class Role(IntEnum):
    """Role of a user; each includes the permissions of the previous one."""

    NONE = 0
    VIEWER = 1
    STAFF = 2
    MANAGER = 3


@dataclass(frozen=True, slots=True)
class Progress:
    """State, version and times of an order."""

    state: State
    version: int  # 1 for an order that was never moved; it grows with every change
    at: datetime | None
    """When it entered its state, or when it was sent if it was never moved; None for a test order."""
    ready_at: datetime | None = None  # when it last became ready; None if it was recalled from there


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an order's state: a row of `order_events`."""

    version: int
    came_from: State
    to: State
    at: datetime
    actor: str
    reason: str | None = None


class MoveError(Exception):
    """An order must not move, for the reason in the text."""


class NotAllowedError(MoveError):
    """An order cannot move from its state to the target."""


class ManagerNeededError(MoveError):
    """Only a manager may make the move."""


class ReasonNeededError(MoveError):
    """The move needs a reason."""


def first(at: datetime | None) -> Progress:
    """Return the progress of an order that was sent at a time and never moved."""
    return Progress(State.RECEIVED, 1, at)


def targets(progress: Progress, latest: Change | None, role: Role, now: datetime) -> list[State]:
    """Return the states to which a role may move an order now."""
    found = []
    for target in State:
        try:
            check(progress, latest, target, role, "any", now)
        except MoveError:
            continue
        found.append(target)
    return found


def check(
    progress: Progress, latest: Change | None, target: State, role: Role, reason: str | None, now: datetime
) -> None:
    """Raise MoveError if an order may not move to a target; `latest` is its latest change."""
    state = progress.state
    if target is State.CANCELLED and state in OPEN:
        if state is State.READY and role < Role.MANAGER:
            raise ManagerNeededError("Only a manager may cancel an order that is ready.")
        if state is not State.RECEIVED and not reason:
            raise ReasonNeededError("A reason is needed to cancel an order that staff have started.")
        return
    is_forward = state in OPEN and target in FORWARD and FORWARD.index(target) > FORWARD.index(state)
    if not (is_forward or target is recall_target(latest, now)):
        raise NotAllowedError(f"An order that is {state} cannot become {target}.")


def recall_target(latest: Change | None, now: datetime) -> State | None:
    """Return the state before the latest change, to which a recall leads for `RECALLABLE_FOR`."""
    if latest is None or latest.actor == RESTORED or latest.came_from not in OPEN:
        return None
    return latest.came_from if now - latest.at <= RECALLABLE_FOR else None


def next_change(
    progress: Progress, target: State, now: datetime, actor: str, reason: str | None = None
) -> Change:
    """Return the change that moves an order.

    Its version is the time in microseconds, so that versions grow even after the database is restored.
    """
    version = max(progress.version + 1, (now - EPOCH) // timedelta(microseconds=1))
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return Change(version, progress.state, target, at, actor, reason)


def after(progress: Progress, change: Change) -> Progress:
    """Return the progress of an order after a change; a test order stays one."""
    ready_at = progress.ready_at
    if change.to is State.READY:
        # An order that is recalled from `collected` has been ready all the time.
        ready_at = ready_at if progress.state is State.COLLECTED and ready_at else change.at
    elif change.to not in CLOSED:
        ready_at = None
    return Progress(change.to, change.version, progress.at and change.at, ready_at)


def pickup_number(row_id: int) -> str:
    """Return the pickup number of a row: a letter and two digits, unique among 2,400 orders in a row."""
    return f"{LETTERS[row_id // 100 % len(LETTERS)]}{row_id % 100:02}"
