"""Client of `EraseOrders`, which finds and erases personal data in both stores, in slices."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, Field

from cli.aws import Clients
from cli.errors import OperationError
from cli.functions import Function


class Kind(StrEnum):
    """Kinds of subjects, whose data can be erased."""

    CUSTOMER = "customer"
    ORDER = "order"
    STAFF = "staff"


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


class Slice(BaseModel):
    """Response to `find` or `erase`; `cursor` is where the next slice continues."""

    orders: int = 0  # with personal data of the subject
    already_erased: int = Field(default=0, alias="alreadyErased")
    first: datetime | None = None
    last: datetime | None = None
    fields: Counter[str] = Counter()  # numbers of values
    erased: int = 0
    failed: list[str] = []
    cursor: Any = None

    @property
    def days(self) -> tuple[date, date]:
        """Return the days in UTC on which the orders were sent; all days without orders."""
        if self.first is None or self.last is None:
            return date.min, date.max
        return self.first.astimezone(UTC).date(), self.last.astimezone(UTC).date()


@dataclass(kw_only=True)
class Done:
    """Result of erasing; `failed` has ids of orders."""

    orders: int = 0
    failed: list[str] = field(default_factory=list)
    deleted: int = 0  # dead letters
    sent: int = 0  # dead letters
    problems: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def ended_early(self) -> bool:
        """Return whether something may be left in MySQL."""
        return self.interrupted or bool(self.problems)

    def document(self) -> dict[str, Any]:
        """Return the result, for programs."""
        return {
            "erased": self.orders,
            "failed": self.failed,
            "dead_letters_deleted": self.deleted,
            "dead_letters_sent": self.sent,
            "interrupted": self.interrupted,
            **({"error": " ".join(self.problems)} if self.problems else {}),
        }


class Eraser(Function):
    """The function of one stack."""

    hides_messages = True

    @classmethod
    def of(cls, clients: Clients) -> Self:
        """Return the function of a stack."""
        return cls(functions=clients.functions, name=clients.stack.output("erase_function"))

    def find(self, subject: Subject, stop: threading.Event) -> Slice:
        """Return what would be erased."""
        pages = list(self._slices(subject.events("find"), stop))
        if stop.is_set():
            raise KeyboardInterrupt
        return Slice(
            orders=sum(page.orders for page in pages),
            alreadyErased=sum(page.already_erased for page in pages),
            first=min((page.first for page in pages if page.first), default=None),
            last=max((page.last for page in pages if page.last), default=None),
            fields=sum((page.fields for page in pages), Counter[str]()),
        )

    def erase(
        self,
        subject: Subject,
        done: Done,
        stop: threading.Event,
        advance: Callable[[int], object] = lambda _number: None,
    ) -> None:
        """Erase until nothing is left or Ctrl-C is typed; the same call again continues."""
        try:
            for page in self._slices(subject.events("erase"), stop):
                done.orders += page.erased
                done.failed += page.failed
                advance(page.erased)
        except OperationError as error:
            done.problems.append(f"{error} The same command continues.")
        done.interrupted = stop.is_set()

    def apply(self) -> int:
        """Erase every order whose id is kept; return how many had a name."""
        return sum(page.erased for page in self._slices([{"action": "apply"}], threading.Event()))

    def _slices(self, events: Iterable[dict[str, Any]], stop: threading.Event) -> Iterator[Slice]:
        for event in events:
            while not stop.is_set():
                page = self.call(event, Slice)
                yield page
                if page.cursor is None:
                    break
                event["cursor"] = page.cursor
