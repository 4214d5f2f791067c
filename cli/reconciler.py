"""`ReconcileOrders`, asked by a person: it alone reaches the database of a stack on AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from cli.functions import Function
from cli.times import iso
from orders import exact_json

PAGE = 500  # orders that are read at once


class Corrections(BaseModel):
    """By how much counters were changed, by the keys of their items."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    metrics: dict[str, int] = Field(default_factory=dict)
    menu: dict[str, int] = Field(default_factory=dict)


class Outcome(BaseModel):
    """What one run found and did; what a later version adds is no error."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    compared: bool = True
    checked: int = 0
    repaired: int = 0
    counted: int = 0
    bad_rows: dict[str, str] = Field(default_factory=dict)
    drift: int = 0
    rds_orders: int | None = None
    swept: int = 0
    left: int = 0
    rejected: int = 0
    rejected_reason: str | None = None
    conflicting: int = 0
    conflicting_reason: str | None = None
    waiting: int = 0
    waiting_reason: str | None = None
    unchecked: str | None = None
    next: Any = None
    reason: str | None = None
    corrected: Corrections = Field(default_factory=lambda: Corrections())


class DatabaseState(BaseModel):
    """What the function sees of the database."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    reachable: bool
    reason: str | None = None
    refuses_writes: str | None = None
    narrow_for: float | None = None  # seconds that it takes to widen the table, None if it is wide
    version: int | None = Field(default=None, alias="schema")


class TablesState(BaseModel):
    """What the function sees of DynamoDB."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    reachable: bool = True
    reason: str | None = None


class CheckResponse(BaseModel):
    """Response of `ReconcileOrders` to the command `check`, which compares nothing."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    database: DatabaseState
    dynamodb: TablesState = TablesState()
    rds_orders: int | None = None
    drift: int | None = None
    as_of: datetime | None = None
    unknown_since: datetime | None = None
    unknown_reason: str | None = None
    last_order_at: datetime | None = None
    future_orders: int | None = None


def _decoded(order: object) -> object:
    return exact_json.decode(order) if isinstance(order, str) else order


class Page(BaseModel):
    """Some orders of a period, each with the fields of its message and `created_at`.

    A function of the previous release gives objects in which decimals are floats.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    orders: list[Annotated[dict[str, Any], BeforeValidator(_decoded)]]
    bad_rows: dict[str, str] = Field(default_factory=dict)
    next: Any = None


class BehindResponse(BaseModel):
    """Ids of orders that DynamoDB has, and the database lacks or has in an older state."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    missing: list[str]
    older: list[str]


class Reconciler(Function):
    """The function of one stack."""

    def check(self) -> CheckResponse:
        """Return the state of the stores without comparing them."""
        return self.ask({"command": "check"}, CheckResponse)

    def run(self, command: str | None, on_step: Callable[[Report], object] = lambda _report: None) -> Report:
        """Compare and repair, as far as it takes; `on_step` is called between the function's runs.

        Parameters
        ----------
        command
            None: the last minutes. `full`: and every counter. `rebuild`: and write every order again.
        """
        report = Report()
        event: dict[str, Any] = {"command": command} if command else {}
        while True:
            outcome = self.ask(event, Outcome)
            report.add(outcome)
            on_step(report)
            if outcome.next is None:
                break
            event = {"command": command, "after": outcome.next}
        # What a run found, it has mostly repaired; another look tells what is still different.
        if report.drift and report.reason is None:
            again = self.ask({}, Outcome)
            report.remaining, report.reason = again.drift, again.reason
            report.unchecked, report.compared = again.unchecked, again.compared
        return report

    def behind(self, versions: Mapping[str, int]) -> BehindResponse:
        """Look up orders that DynamoDB has with these versions of their states."""
        return self.ask({"command": "behind", "versions": dict(versions)}, BehindResponse)

    def orders(
        self, start: datetime, end: datetime, bad_rows: dict[str, str] | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """Read the orders of a period, page by page; add to `bad_rows` why rows hold none, by their ids."""
        event: dict[str, Any] = {"command": "read", "from": iso(start), "to": iso(end), "limit": PAGE}
        while True:
            page = self.ask(event, Page)
            if bad_rows is not None:
                bad_rows |= page.bad_rows
            yield page.orders
            if page.next is None:
                return
            event = event | {"after": page.next}


@dataclass(kw_only=True)
class Report:
    """What all runs together found and did.

    Attributes
    ----------
    compared
        Whether the last comparison was possible; if not, nothing is known of what differs.
    counted
        Rows that nobody had counted.
    bad_rows
        Why, by id, for each row in which there is no order.
    drift
        By how many orders the stores differed; most of it is repaired by now.
    remaining
        What still differs.
    reason
        Why something was left undone.
    unchecked
        What could not be compared, and why.
    corrected
        By how much each counter was changed.
    swept, left
        Messages of the dead-letter queue that were recorded, and that stay there.
    rejected, conflicting, waiting
        Of those that stay, what holds no order, what has the id of another order, and what could not be
        recorded now; each with a reason.
    """

    runs: int = 0
    compared: bool = True
    checked: int = 0
    repaired: int = 0
    counted: int = 0
    bad_rows: dict[str, str] = field(default_factory=dict)
    drift: int = 0
    remaining: int = 0
    rds_orders: int | None = None
    swept: int = 0
    left: int = 0
    rejected: int = 0
    rejected_reason: str | None = None
    conflicting: int = 0
    conflicting_reason: str | None = None
    waiting: int = 0
    waiting_reason: str | None = None
    unchecked: str | None = None
    reason: str | None = None
    corrected: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Add one run."""
        self.runs += 1
        self.checked += outcome.checked
        self.repaired += outcome.repaired
        self.counted += outcome.counted
        self.bad_rows |= outcome.bad_rows
        self.compared = self.compared and outcome.compared
        self.drift += outcome.drift
        self.rds_orders = outcome.rds_orders if outcome.rds_orders is not None else self.rds_orders
        self.swept += outcome.swept
        self.left = outcome.left
        self.rejected, self.rejected_reason = outcome.rejected, outcome.rejected_reason
        self.conflicting, self.conflicting_reason = outcome.conflicting, outcome.conflicting_reason
        self.waiting, self.waiting_reason = outcome.waiting, outcome.waiting_reason
        self.reason, self.unchecked = outcome.reason, outcome.unchecked
        menu = {f"CafeMenu {item}": change for item, change in outcome.corrected.menu.items()}
        for counter, change in (outcome.corrected.metrics | menu).items():
            self.corrected[counter] = self.corrected.get(counter, 0) + change
