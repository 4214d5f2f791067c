"""A request to move an order to another state: from HTTP's headers and body to the change."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from orders import states
from orders.errors import StoreUnavailableError
from orders.exact_json import decode
from orders.names import INVISIBLE, is_unicode
from orders.order import Order
from orders.request import BAD_KEY, KEY, MAX_BODY, TooLargeError
from orders.states import Change, Progress, Role, State

ATTEMPTS = 3
MAX_REASON = 200  # characters
MAX_ACTOR = 128  # characters
LONGEST_NAME = 60  # characters of an unknown field's name that the message repeats
ETAG = re.compile(r'(?:W/)?"([0-9]{1,16})"')  # caches weaken ETags
STATES = f"{', '.join(list(State)[:-1])} and {list(State)[-1]}"

NO_OBJECT = "The change must be a JSON object."
BAD_ETAG = 'If-Match must be the version of the order that the request is about, such as "1".'
NO_ETAG = 'Send the version of the order that the request is about in the header If-Match, such as "1".'
KEY_REUSED = (
    "This Idempotency-Key was used for another change of this order: send each change with a new key, and "
    "a key only again with the same change."
)
OUTDATED = "The order has changed since the version that If-Match names."
NO_STATE = "This order was recorded before orders had states."


class InvalidChangeError(ValueError):
    """A request is wrong; `errors` has a sentence for each wrong field or header."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = errors


class VersionNeededError(ValueError):
    """The request has no `If-Match`."""


class KeyReusedError(ValueError):
    """The idempotency key belongs to another change of the order."""


class NotRecordedError(LookupError):
    """The order is not recorded."""


class RefusedChangeError(Exception):
    """The order stays as it is, for the reason in the message.

    Attributes
    ----------
    found
        The order.
    allowed
        The states to which the caller may move it now.
    """

    def __init__(self, reason: str, found: Found, allowed: Sequence[State] = ()) -> None:
        super().__init__(reason)
        self.found = found
        self.allowed = allowed


class OutdatedError(RefusedChangeError):
    """The order has changed since the version that the request saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """A valid request."""

    order_id: str
    target: State
    version: int
    """Of the order, as the caller saw it."""
    reason: str | None = None
    key: str | None = None
    actor: str
    role: Role

    @property
    def key_hash(self) -> bytes | None:
        """Return what is kept of the idempotency key."""
        return None if self.key is None else hashlib.sha256(self.key.encode()).digest()

    @property
    def request_hash(self) -> bytes:
        """Return what is kept of the request, to compare others with the same key."""
        return hashlib.sha256(f"{self.target}\n{self.reason or ''}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Found:
    """An order with its changes, as of `now` by the database's clock.

    Attributes
    ----------
    repeated
        Version and request hash of the change with the same idempotency key; None without one.
    is_moved
        Whether the request has moved it.
    """

    order: Order
    changes: Sequence[Change]
    now: datetime
    repeated: tuple[int, bytes] | None = None
    is_moved: bool = False

    @property
    def reason(self) -> str | None:
        """Return the reason of the latest change."""
        return self.changes[-1].reason if self.changes else None


class Database(Protocol):
    """Orders with their changes; every method raises StoreUnavailableError if it does not answer."""

    def find(self, order_id: str, key_hash: bytes | None = None) -> Found | None:
        """Read an order with its changes; None if it is not recorded."""

    def change(self, found: Found, event: Change, moved: Progress, request: ChangeRequest) -> bool:
        """Move an order, if it still has the version that was found; return whether it did."""


def parse(
    order_id: str, body: str, if_match: str | None, key: str | None, *, actor: str, role: Role
) -> ChangeRequest:
    """Validate a request.

    Raises
    ------
    TooLargeError, VersionNeededError
    InvalidChangeError
        With a sentence per wrong field or header.
    """
    if len(body.encode(errors="replace")) > MAX_BODY:
        raise TooLargeError(f"The body must not be larger than {MAX_BODY} bytes.")
    errors: dict[str, str] = {}
    target, reason = _fields(body, errors)
    if key is not None and not KEY.fullmatch(key):
        errors["Idempotency-Key"] = BAD_KEY
    etag = None if if_match is None else ETAG.fullmatch(if_match.strip())
    if if_match is not None and etag is None:
        errors["If-Match"] = BAD_ETAG
    if errors or target is None:
        raise InvalidChangeError(errors)
    if etag is None:
        raise VersionNeededError(NO_ETAG)
    return ChangeRequest(
        order_id=order_id,
        target=target,
        version=int(etag[1]),
        reason=reason,
        key=key,
        actor=actor[:MAX_ACTOR],
        role=role,
    )


def change(database: Database, request: ChangeRequest) -> Found:
    """Move an order, once; return it as it is then, or as it was after the request that this one repeats.

    Raises
    ------
    NotRecordedError, KeyReusedError, InvalidChangeError, OutdatedError, RefusedChangeError, states.MoveError
    """
    for _ in range(ATTEMPTS):
        found = database.find(request.order_id, request.key_hash)
        if found is None:
            raise NotRecordedError(request.order_id)
        seen = found.order.progress
        if seen is None:
            raise RefusedChangeError(NO_STATE, found)
        if found.repeated:
            return _first_response(found, seen, *found.repeated, request)
        if seen.state is request.target:
            return found
        _check(found, seen, request)
        moved = states.moved(seen, request.target, found.now)
        event = Change(moved.version, seen.state, moved.state, found.now, request.actor, request.reason)
        if database.change(found, event, moved, request):
            order = replace(found.order, progress=moved)
            return replace(found, order=order, changes=[*found.changes, event], is_moved=True)
        # Another request was faster, or this one was committed and its confirmation lost: the order has
        # another version now, so the next attempt ends.
    raise StoreUnavailableError("The order changes all the time")


def _first_response(
    found: Found, seen: Progress, version: int, request_hash: bytes, request: ChangeRequest
) -> Found:
    """Return an order as it was after the change with the same idempotency key."""
    if request_hash != request.request_hash:
        raise KeyReusedError(KEY_REUSED)
    changes = [each for each in found.changes if each.version <= version]
    start = states.first(seen.at and (found.order.created_at or seen.at))
    then = states.replayed(start, changes)
    return replace(found, order=replace(found.order, progress=then), changes=changes)


def _check(found: Found, seen: Progress, request: ChangeRequest) -> None:
    """Raise an error unless the request may move the order from the version that it saw."""
    if request.version != seen.version:
        raise OutdatedError(OUTDATED, found)
    try:
        states.check(seen, found.changes, request.target, request.role, request.reason, found.now)
    except states.NotAllowedError as error:
        allowed = states.targets(seen, found.changes, request.role, found.now)
        raise RefusedChangeError(str(error), found, allowed) from None
    except states.ReasonNeededError as error:
        raise InvalidChangeError({"reason": str(error)}) from None


def _fields(body: str, errors: dict[str, str]) -> tuple[State | None, str | None]:
    try:
        fields = decode(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        errors["body"] = NO_OBJECT
        return None, None
    for name in fields.keys() - {"state", "reason"}:
        short = name[:LONGEST_NAME].encode(errors="replace").decode()
        errors[short] = f"{short} is not a field of a change: send state and reason."
    target = None
    try:
        target = State(fields["state"])
    except (KeyError, ValueError):
        errors["state"] = f"state must be one of {STATES}."
    reason = fields.get("reason")
    if reason is None:
        return target, None
    if isinstance(reason, str) and is_unicode(reason):
        reason = reason.strip()
        if len(reason) <= MAX_REASON and not INVISIBLE.fullmatch(reason):
            return target, reason
    errors["reason"] = f"reason must be text of 1 to {MAX_REASON} characters that are not all invisible."
    return target, None
