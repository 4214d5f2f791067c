"""The boundaries at which faults hit a run of the worker, and the faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, unique

from pymysql.constants import CR, ER


class Place(Enum):
    """A call that enters or leaves the process."""

    BATCH = "the batch"
    SECRET = "the secret"
    CONNECT = "a connection"
    STATEMENT = "a statement"
    COMMIT = "a commit"
    ROLLBACK = "a rollback"
    READ = "a read from DynamoDB"  # by the reconciler; the worker reads nothing there
    PUT = "a put of orders"
    UPDATE = "an update of a counter"
    RESPONSE = "the response"

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


@dataclass(frozen=True, slots=True)
class Boundary:
    """The moment before a call has an effect outside the process, or after it had one."""

    place: Place
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.place.value}"


def before(place: Place) -> Boundary:
    """Return the moment before a call has had any effect."""
    return Boundary(place)


def after(place: Place) -> Boundary:
    """Return the moment after a call has had its effect, before the process has the response."""
    return Boundary(place, after=True)


@unique
class Fault(Enum):
    """A fault that can hit a run."""

    # Anywhere.
    EXCEPTION = "an unexpected exception"
    PROCESS_GONE = "the process is gone"
    # Secrets Manager.
    SECRET_UNREACHABLE = "Secrets Manager is unreachable"
    # MySQL, by the number of its error.
    TOO_MANY_CONNECTIONS = ER.CON_COUNT_ERROR
    LOGIN_REFUSED = ER.ACCESS_DENIED_ERROR
    LOCK_WAIT_TIMEOUT = ER.LOCK_WAIT_TIMEOUT
    DEADLOCK = ER.LOCK_DEADLOCK
    UNREACHABLE = CR.CR_CONN_HOST_ERROR
    SERVER_GONE = CR.CR_SERVER_GONE_ERROR
    SERVER_LOST = CR.CR_SERVER_LOST
    # DynamoDB, by the code of its error.
    THROUGHPUT_EXCEEDED = "ProvisionedThroughputExceededException"
    THROTTLED = "ThrottlingException"
    LIMIT_EXCEEDED = "RequestLimitExceeded"
    CONFLICT = "TransactionConflictException"  # with the previous release, which writes in transactions
    SERVER_ERROR = "InternalServerError"
    REFUSED = "ValidationException"
    UNPROCESSED = "all items are returned as unprocessed, all statements as throttled"
    HALF_UNPROCESSED = "every other item is returned as unprocessed, every other statement as throttled"
    NO_RESPONSE = "no response in time"
    NO_ROUTE = "no connection to DynamoDB"
    LATE = "no response in time, and the write arrives later"
    # SQS.
    HALF_DELETED = "only every other message is deleted"

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


ANYWHERE = (Fault.EXCEPTION, Fault.PROCESS_GONE)
LOST = (Fault.SERVER_GONE, Fault.SERVER_LOST)
THROTTLES = (Fault.THROUGHPUT_EXCEEDED, Fault.THROTTLED, Fault.LIMIT_EXCEEDED)
UNAVAILABLE = (Fault.NO_RESPONSE, Fault.NO_ROUTE)

POSSIBLE: dict[Boundary, tuple[Fault, ...]] = {
    before(Place.BATCH): ANYWHERE,
    before(Place.SECRET): (Fault.SECRET_UNREACHABLE, *ANYWHERE),
    before(Place.CONNECT): (
        Fault.UNREACHABLE,
        Fault.TOO_MANY_CONNECTIONS,
        Fault.LOGIN_REFUSED,
        *ANYWHERE,
    ),
    after(Place.CONNECT): (Fault.SERVER_LOST, *ANYWHERE),
    before(Place.STATEMENT): (Fault.DEADLOCK, Fault.LOCK_WAIT_TIMEOUT, *LOST, *ANYWHERE),
    after(Place.STATEMENT): (Fault.SERVER_LOST, *ANYWHERE),
    before(Place.COMMIT): (*LOST, *ANYWHERE),
    after(Place.COMMIT): (Fault.SERVER_LOST, *ANYWHERE),
    before(Place.ROLLBACK): (*LOST, *ANYWHERE),
    after(Place.ROLLBACK): (Fault.SERVER_LOST, *ANYWHERE),
    before(Place.READ): (
        *THROTTLES,
        *UNAVAILABLE,
        Fault.UNPROCESSED,
        Fault.HALF_UNPROCESSED,
        Fault.SERVER_ERROR,
        *ANYWHERE,
    ),
    after(Place.READ): (Fault.NO_RESPONSE, *ANYWHERE),
    before(Place.PUT): (
        *THROTTLES,
        *UNAVAILABLE,
        Fault.UNPROCESSED,
        Fault.HALF_UNPROCESSED,
        Fault.REFUSED,
        Fault.SERVER_ERROR,
        Fault.LATE,
        *ANYWHERE,
    ),
    after(Place.PUT): (Fault.NO_RESPONSE, Fault.SERVER_ERROR, *ANYWHERE),
    before(Place.UPDATE): (
        *THROTTLES,
        *UNAVAILABLE,
        Fault.UNPROCESSED,
        Fault.HALF_UNPROCESSED,
        Fault.CONFLICT,
        Fault.SERVER_ERROR,
        Fault.LATE,
        *ANYWHERE,
    ),
    after(Place.UPDATE): (Fault.NO_RESPONSE, Fault.SERVER_ERROR, *ANYWHERE),
    before(Place.RESPONSE): (Fault.HALF_DELETED, *ANYWHERE),
}
"""The possible faults at each boundary: an error *after* a call is a lost response."""

LASTING: dict[Place, tuple[Fault, ...]] = {
    Place.SECRET: (Fault.SECRET_UNREACHABLE,),
    Place.CONNECT: (Fault.UNREACHABLE, Fault.TOO_MANY_CONNECTIONS, Fault.LOGIN_REFUSED),
    Place.STATEMENT: (*LOST, Fault.DEADLOCK, Fault.LOCK_WAIT_TIMEOUT),
    Place.READ: (*THROTTLES, *UNAVAILABLE, Fault.UNPROCESSED),
    Place.PUT: (*THROTTLES, *UNAVAILABLE, Fault.UNPROCESSED),
    Place.UPDATE: (*THROTTLES, *UNAVAILABLE),
}
"""Faults that may last longer than the worker retries."""


def each() -> Iterator[tuple[Boundary, Fault]]:
    """List every fault at every boundary."""
    for boundary, faults in POSSIBLE.items():
        for fault in faults:
            yield boundary, fault
