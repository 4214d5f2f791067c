"""Client of `EraseOrders`, which finds and erases personal data in both stores, in slices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from cli.aws import Clients
from cli.errors import OperationError
from cli.forget import Kind
from cli.functions import Function
from cli.stack import Stack

T = TypeVar("T", bound="Slice")


SELECTORS = {Kind.CUSTOMER: "customer", Kind.ORDER: "orderId", Kind.STAFF: "actor"}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A customer, an order, or a user of the kitchen."""

    kind: Kind
    values: tuple[str, ...] = field(repr=False)  # several for a user who has several names in histories

    def events(self, action: str) -> Iterator[dict[str, Any]]:
        """Yield the function's events."""
        for value in self.values:
            yield {"action": action, SELECTORS[self.kind]: value}


class Fields(BaseModel):
    """Number of values by field."""

    customer: int = 0
    attributes: int = 0
    history: int = 0


class Slice(BaseModel):
    """Base of the responses; `cursor` is where the next one continues."""

    cursor: Any = None


class Found(Slice):
    """Orders with personal data of a subject."""

    orders: int = 0
    already_erased: int = Field(default=0, alias="alreadyErased")
    first: datetime | None = None
    last: datetime | None = None
    fields: Fields = Fields()

    def plus(self, other: Found) -> Found:
        """Return the sum of two slices."""
        counts = {
            name: getattr(self.fields, name) + getattr(other.fields, name) for name in Fields.model_fields
        }
        return Found(
            orders=self.orders + other.orders,
            alreadyErased=self.already_erased + other.already_erased,
            first=min(filter(None, (self.first, other.first)), default=None),
            last=max(filter(None, (self.last, other.last)), default=None),
            fields=Fields(**counts),
        )


class ErasedSlice(Slice):
    """Result of one slice."""

    erased: int = 0
    failed: list[str] = Field(default_factory=list)


@dataclass(kw_only=True)
class Erased:
    """Result of erasing; `failed` has ids of orders."""

    orders: int = 0
    failed: list[str] = field(default_factory=list)
    problem: str | None = None  # why it ended early
    interrupted: bool = False

    @property
    def ended_early(self) -> bool:
        """Return whether something may be left in MySQL."""
        return self.interrupted or self.problem is not None


class Eraser(Function):
    """The function of one stack."""

    @classmethod
    def of(cls, stack: Stack, clients: Clients) -> Eraser:
        """Return the function of a stack."""
        # The text of an error may contain the name.
        return cls(functions=clients.functions, name=stack.output("erase_function"), hides_messages=True)

    def find(self, subject: Subject, stop: threading.Event) -> Found:
        """Return what would be erased."""
        found = Found()
        for page in self._slices(subject.events("find"), Found, stop):
            found = found.plus(page)
        if stop.is_set():
            raise KeyboardInterrupt
        return found

    def erase(
        self, subject: Subject, stop: threading.Event, advance: Callable[[int], object] = lambda _number: None
    ) -> Erased:
        """Erase until nothing is left or Ctrl-C is typed; the same call again continues."""
        erased = Erased()
        try:
            for page in self._slices(subject.events("erase"), ErasedSlice, stop):
                erased.orders += page.erased
                erased.failed += page.failed
                advance(page.erased)
        except OperationError as error:
            erased.problem = str(error)
        erased.interrupted = stop.is_set()
        return erased

    def apply(self) -> int:
        """Erase every order whose id is kept; return how many had a name."""
        slices = self._slices([{"action": "apply"}], ErasedSlice, threading.Event())
        return sum(page.erased for page in slices)

    def _slices(self, events: Iterable[dict[str, Any]], kind: type[T], stop: threading.Event) -> Iterator[T]:
        for event in events:
            cursor: dict[str, Any] = {}
            while not stop.is_set():
                page = self.call(event | cursor, kind)
                yield page
                if page.cursor is None:
                    break
                cursor = {"cursor": page.cursor}
