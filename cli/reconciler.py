"""Calls of `ReconcileOrders`, which alone reaches the database of a stack on AWS.

Pydantic ignores fields of later versions in its responses.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field

from cli.aws import Clients
from cli.functions import Function
from orders import exact_json
from orders.times import iso

PAGE = 500  # orders that are read at once
SUMS = ("checked", "repaired", "counted", "drift", "swept")  # fields that count over several runs


class Findings(BaseModel):
    """Results of one or more runs."""

    compared: bool = True  # if not, the differences are unknown
    checked: int = 0
    repaired: int = 0
    counted: int = 0  # rows that were not in the counters
    bad_rows: dict[str, str] = Field(default_factory=dict)  # why, by id, rows have no valid order
    drift: int = 0  # orders that differed
    rds_orders: int | None = None
    swept: int = 0  # dead letters that were recorded
    left: int = 0  # dead letters that stay, of these three kinds or for another reason
    rejected: int = 0  # without a valid order
    rejected_reason: str | None = None
    conflicting: int = 0  # with the id of another order
    conflicting_reason: str | None = None
    waiting: int = 0  # not recorded now
    waiting_reason: str | None = None
    unchecked: str | None = None  # what could not be compared, and why
    reason: str | None = None  # why something was left undone


class Outcome(Findings):
    """Response to one run; `next` is where the next one continues."""

    next: Any = None
    corrected: dict[str, dict[str, int]] = Field(default_factory=dict)  # of `metrics` and `menu`


class Report(Findings):
    """Results of all runs of a command."""

    runs: int = 0
    remaining: int = 0  # orders that still differ
    corrected: dict[str, int] = Field(default_factory=dict)  # changes of counters, by name

    def add(self, outcome: Outcome) -> None:
        """Add one run: the sums of what it did, and the dead letters that it left."""
        found = {name: getattr(outcome, name) for name in Findings.model_fields}
        found |= {name: getattr(self, name) + found[name] for name in SUMS}
        found["bad_rows"] = self.bad_rows | outcome.bad_rows
        found["compared"] = self.compared and outcome.compared
        if outcome.rds_orders is None:
            found["rds_orders"] = self.rds_orders
        for name, value in found.items():
            setattr(self, name, value)
        self.runs += 1
        changes = Counter(self.corrected)
        changes.update(outcome.corrected.get("metrics", {}))
        changes.update({f"CafeMenu {item}": n for item, n in outcome.corrected.get("menu", {}).items()})
        self.corrected = dict(changes)


class StoreState(BaseModel):
    """State of a store."""

    reachable: bool = True
    reason: str | None = None


class DatabaseState(StoreState):
    """State of the database."""

    refuses_writes: str | None = None
    narrow_for: float | None = None  # seconds that it takes to widen the table
    version: int | None = Field(default=None, alias="schema")


class CheckResponse(BaseModel):
    """Response to the command `check`, which compares nothing."""

    database: DatabaseState
    dynamodb: StoreState = StoreState()
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

    A function of the previous release returns objects, in which decimals are floats.
    """

    orders: list[Annotated[dict[str, Any], BeforeValidator(_decoded)]]
    bad_rows: dict[str, str] = Field(default_factory=dict)
    next: Any = None


class BehindResponse(BaseModel):
    """Ids of orders that DynamoDB has, and that the database lacks or has in an older state."""

    missing: list[str]
    older: list[str]


class Reconciler(Function):
    """The function of one stack."""

    @classmethod
    def of(cls, clients: Clients) -> Self:
        """Return the function of a stack."""
        return cls(functions=clients.functions, name=clients.stack.output("reconcile_function"))

    def check(self) -> CheckResponse:
        """Return the state of the stores without comparing them."""
        return self.call({"command": "check"}, CheckResponse)

    def run(self, command: str | None, on_step: Callable[[Report], object] = lambda _report: None) -> Report:
        """Compare and repair to the end; `on_step` is called between the function's runs.

        Without a command it compares the last minutes; `full` also audits every counter, and `rebuild` also
        writes every order again.
        """
        report = Report()
        event: dict[str, Any] = {"command": command} if command else {}
        while True:
            outcome = self.call(event, Outcome)
            report.add(outcome)
            on_step(report)
            if outcome.next is None:
                break
            event = {"command": command, "after": outcome.next}
        # Most differences are repaired by now; a second run counts the others.
        if report.drift and report.reason is None:
            again = self.call({}, Outcome)
            report.remaining, report.reason = again.drift, again.reason
            report.unchecked, report.compared = again.unchecked, again.compared
        return report

    def behind(self, versions: Mapping[str, int]) -> BehindResponse:
        """Look up orders that DynamoDB has with these versions of their states."""
        return self.call({"command": "behind", "versions": dict(versions)}, BehindResponse)

    def orders(
        self, start: datetime, end: datetime, bad_rows: dict[str, str] | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """Read the orders of a period in pages; add to `bad_rows` why rows hold none, by their ids."""
        event: dict[str, Any] = {"command": "read", "from": iso(start), "to": iso(end), "limit": PAGE}
        while True:
            page = self.call(event, Page)
            if bad_rows is not None:
                bad_rows |= page.bad_rows
            yield page.orders
            if page.next is None:
                return
            event = event | {"after": page.next}
