"""Parse an HTTP request to move an order to another state, and move the order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import Any, Protocol

from orders import states
from orders.exact_json import decode
from orders.failures import StoreUnavailableError
from orders.http_request import BAD_KEY, KEY, MAX_BODY
from orders.names import INVISIBLE, is_unicode
from orders.order import MAX_PATH, Order
from orders.screens import staff_order
from orders.states import Change, Progress, Role, State

ATTEMPTS = 3
MAX_REASON = 200  # characters
MAX_ACTOR = 128  # characters
ETAG = re.compile(r'(?:W/)?"([0-9]{1,16})"')  # caches weaken ETags
STATES = f"{', '.join(list(State)[:-1])} and {list(State)[-1]}"

NOT_AN_OBJECT = "The change must be a JSON object."
BAD_ETAG = 'If-Match must be the version of the order that the request changes, such as "1".'
NO_ETAG = 'Send the version of the order that the request changes in the header If-Match, such as "1".'
KEY_REUSED = (
    "This Idempotency-Key was used for another change of this order: send each change with a new key, and "
    "a key only again with the same change."
)
NOT_RECORDED = "The order was not found. An order is recorded a second after it is accepted."
OUTDATED = "The order has changed since the version that If-Match names."
NO_STATE = "This order was recorded before orders had states."


class RefusedError(Exception):
    """The order is not changed; `status` and `document` are those of the response."""

    def __init__(self, status: int, message: str, **details: object) -> None:
        super().__init__(message)
        self.status = status
        self.document: dict[str, Any] = {"message": message, **details}


def invalid(errors: dict[str, str]) -> RefusedError:
    """Return the error for a request with wrong fields or headers, each with a sentence."""
    return RefusedError(400, " ".join(errors.values()), errors=errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """A valid request."""

    order_id: str
    target: State
    version: int
    """Version of the order that the caller saw."""
    reason: str | None = None
    key: str | None = None
    actor: str
    role: Role

    @property
    def key_hash(self) -> bytes | None:
        """Return the hash of the idempotency key, which is stored with the change."""
        return None if self.key is None else hashlib.sha256(self.key.encode()).digest()

    @property
    def request_hash(self) -> bytes:
        """Return the hash of the request, which is compared with that of others with the same key."""
        return hashlib.sha256(f"{self.target}\n{self.reason or ''}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Found:
    """An order with its changes, as of `now` by the database's clock."""

    order: Order
    changes: Sequence[Change]
    now: datetime
    repeated: tuple[int, bytes] | None = None  # version and request hash of the change with the same key
    is_moved: bool = False  # by the request

    @property
    def latest(self) -> Change | None:
        """Return the latest change."""
        return self.changes[-1] if self.changes else None

    @property
    def document(self) -> dict[str, Any]:
        """Return the order as staff see it."""
        return staff_order(self.order, self.latest, self.now)


class Database(Protocol):
    """Orders with their changes (`stores.mysql.changes.OrderChanges`)."""

    def find(self, order_id: str, key_hash: bytes | None = None) -> Found | None: ...
    def change(self, found: Found, event: Change, request: ChangeRequest) -> bool: ...


def parse(
    order_id: str, body: str, if_match: str | None, key: str | None, *, actor: str, role: Role
) -> ChangeRequest:
    """Validate a request; raise RefusedError with a sentence for each wrong field or header."""
    if len(body.encode(errors="replace")) > MAX_BODY:
        raise RefusedError(413, f"The body must not be larger than {MAX_BODY} bytes.")
    errors: dict[str, str] = {}
    target, reason = _fields(body, errors)
    if key is not None and not KEY.fullmatch(key):
        errors["Idempotency-Key"] = BAD_KEY
    etag = None if if_match is None else ETAG.fullmatch(if_match.strip())
    if if_match is not None and etag is None:
        errors["If-Match"] = BAD_ETAG
    if errors or target is None:
        raise invalid(errors)
    if etag is None:
        raise RefusedError(428, NO_ETAG)
    return ChangeRequest(
        order_id=order_id,
        target=target,
        version=int(etag[1]),
        reason=reason,
        key=key,
        actor=actor[:MAX_ACTOR],
        role=role,
    )


def find(database: Database, order_id: str, key_hash: bytes | None = None) -> Found:
    """Read an order with its changes; raise RefusedError if it is not recorded."""
    found = database.find(order_id, key_hash)
    if found is None:
        raise RefusedError(404, NOT_RECORDED)
    return found


def change(database: Database, request: ChangeRequest) -> Found:
    """Move an order once; return it as it is afterwards, or as it was after an earlier, equal request.

    Raises RefusedError if the order is not moved, StoreUnavailableError if the outcome is unknown.
    """
    for _ in range(ATTEMPTS):
        found = find(database, request.order_id, request.key_hash)
        seen = found.order.progress
        if seen is None:
            raise RefusedError(409, NO_STATE, order=found.document, allowed=[])
        if found.repeated:
            return _first_response(found, seen, *found.repeated, request)
        if seen.state is request.target:
            return found
        _check(found, seen, request)
        event = states.next_change(seen, request.target, found.now, request.actor, request.reason)
        if database.change(found, event, request):
            order = replace(found.order, progress=states.after(seen, event))
            return replace(found, order=order, changes=[*found.changes, event], is_moved=True)
        # Another request was faster, or this one was committed without confirmation. The order has another
        # version now, with which the next attempt returns it or refuses the request.
    raise StoreUnavailableError("The order changes too often")


def _first_response(
    found: Found, seen: Progress, version: int, request_hash: bytes, request: ChangeRequest
) -> Found:
    """Return an order as it was after the change with the same idempotency key."""
    if request_hash != request.request_hash:
        raise RefusedError(422, KEY_REUSED)
    changes = [each for each in found.changes if each.version <= version]
    start = states.first(seen.at and (found.order.created_at or seen.at))
    then = reduce(states.after, changes, start)
    return replace(found, order=replace(found.order, progress=then), changes=changes)


def _check(found: Found, seen: Progress, request: ChangeRequest) -> None:
    """Raise RefusedError unless the request may move the order from the version that the caller saw."""
    if request.version != seen.version:
        raise RefusedError(412, OUTDATED, order=found.document)
    try:
        states.check(seen, found.latest, request.target, request.role, request.reason, found.now)
    except states.ReasonNeededError as error:
        raise invalid({"reason": str(error)}) from None
    except states.ManagerNeededError as error:
        raise RefusedError(403, str(error)) from None
    except states.MoveError as error:
        allowed = states.targets(seen, found.latest, request.role, found.now)
        raise RefusedError(409, str(error), order=found.document, allowed=allowed) from None


def _fields(body: str, errors: dict[str, str]) -> tuple[State | None, str | None]:
    try:
        fields = decode(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        errors["body"] = NOT_AN_OBJECT
        return None, None
    for name in fields.keys() - {"state", "reason"}:
        short = name[:MAX_PATH].encode(errors="replace").decode()
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
