"""Changes of one order in any interleaving, with crashes at each boundary, on both stores.

Reads commute, so running one action between two steps of another covers every order of their steps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders import change
from orders.change import ChangeRequest, Found
from orders.order import Order
from orders.states import Change, Role, State
from stores.mysql.changes import OrderChanges
from tests.dynamodb import NAMES
from tests.unit.api import Api
from tests.unit.both_stores import BothStores

numbers = count(1)


class CrashError(BaseException):
    """Ends an action; no code catches it."""


@dataclass(frozen=True)
class Action:
    """An action on the order, and the boundary at which it crashes, if any."""

    kind: str
    target: State = State.READY
    role: Role = Role.STAFF
    key: str | None = None
    is_stale: bool = False
    crash_at: int | None = None


ACTIONS = st.lists(
    st.builds(
        Action,
        kind=st.sampled_from(["move", "erase"] * 3 + ["redeliver", "late_put", "reconcile"]),
        target=st.sampled_from(State),
        role=st.sampled_from([Role.STAFF, Role.MANAGER]),
        key=st.sampled_from([None, "k1", "k2"]),
        is_stale=st.booleans(),
        crash_at=st.sampled_from([None, None, 1, 2, 3, 4]),
    ),
    min_size=1,
    max_size=7,
)


class Interleaving:
    """One order, the actions on it, and the boundaries at which another action runs."""

    def __init__(self, api: Api, actions: list[Action], nested: list[bool]) -> None:
        self.api = api
        self.both = api.both
        self.both.slept = timedelta(0)
        self.pending = list(actions)
        self.nested: Iterator[bool] = iter(nested)
        self.order = Order(f"p{next(numbers)}", datetime.now(UTC), "Latte", 2, "Ada", {"note": "for Ada"})
        (recorded,) = self.both.database.record([self.order]).values()
        assert recorded is not None
        self.recorded = recorded
        # So long ago that the reconciler finds it by its changes only.
        self.both.sql("UPDATE orders SET recorded_in = 1")
        self.commits = 0
        self.is_erased = False

    def run(self) -> None:
        """Run all actions, and compare once more at the end."""
        self.both.projection.write([self.recorded], {})
        while self.pending:
            self._start(self.pending.pop())
        self.both.recent()

    def _start(self, action: Action) -> None:
        boundaries = count(1)

        def boundary() -> None:
            """Run another action here, or crash."""
            is_nested = next(self.nested, False)
            if self.pending and is_nested:
                self._start(self.pending.pop())
            if next(boundaries) == action.crash_at:
                raise CrashError

        with contextlib.suppress(CrashError, change.RefusedError):
            getattr(self, f"_{action.kind}")(action, boundary)

    def _move(self, action: Action, boundary: Callable[[], None]) -> None:
        database = _Database(self, boundary)
        seen = database.find(self.order.order_id)
        assert seen is not None
        assert seen.order.progress is not None
        request = ChangeRequest(
            order_id=self.order.order_id,
            target=action.target,
            version=1 if action.is_stale else seen.order.progress.version,
            reason="a reason",
            key=action.key,
            actor="ada",
            role=action.role,
        )
        found = change.change(database, request)
        boundary()
        self.api.items.put_unless_newer(found.order)

    def _redeliver(self, action: Action, boundary: Callable[[], None]) -> None:
        kept = self.both.database.record([self.order])
        boundary()
        self.both.projection.write([order for order in kept.values() if order], {})

    def _late_put(self, action: Action, boundary: Callable[[], None]) -> None:
        """Put the first version, as a worker that froze after it recorded the order."""
        boundary()
        self.both.projection.write([self.recorded], {})

    def _reconcile(self, action: Action, boundary: Callable[[], None]) -> None:
        boundary()
        self.both.recent()

    def _erase(self, action: Action, boundary: Callable[[], None]) -> None:
        eraser, order_ids = self.both.eraser, [self.order.order_id]
        boundary()
        eraser.ids.add(order_ids)
        boundary()
        eraser.database.erase(order_ids)
        boundary()
        eraser.projection.erase(order_ids)
        self.is_erased = True


class _Database:
    """MySQL, with a boundary before and after each transaction."""

    def __init__(self, run: Interleaving, boundary: Callable[[], None]) -> None:
        self._run = run
        self._boundary = boundary
        self._changes = OrderChanges(run.both.mysql)

    def find(self, order_id: str, key_hash: bytes | None = None) -> Found | None:
        found = self._changes.find(order_id, key_hash)
        self._boundary()
        return found

    def change(self, found: Found, event: Change, request: ChangeRequest) -> bool:
        is_changed = self._changes.change(found, event, request)
        if is_changed:
            self._run.commits += 1
            assert found.order.progress is not None
            assert request.version == found.order.progress.version, (
                "no change overwrites a version that it has not read"
            )
        self._boundary()
        return is_changed


def names(both: BothStores, order_id: str) -> set[str | None]:
    """Return the name in each store; None for an erased one."""
    ((name, attributes),) = both.sql(
        "SELECT customer_name, attributes FROM orders WHERE order_id = %s", order_id
    )
    found = both.dynamodb.get_item(TableName=NAMES.orders, Key={"orderId": {"S": order_id}})["Item"]
    assert (attributes is None, "note" in found) == (name == "", "customer_name" in found)
    return {name or None, found.get("customer_name", {}).get("S")}


def projected(both: BothStores, order_id: str) -> tuple[str, int]:
    found: dict[str, Any] = both.dynamodb.get_item(TableName=NAMES.orders, Key={"orderId": {"S": order_id}})
    return found["Item"]["order_state"]["S"], int(found["Item"]["state_version"]["N"])


@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(actions=ACTIONS, nested=st.lists(st.booleans(), max_size=30))
def test_in_any_interleaving_each_change_is_made_once_and_finally_projected(
    api: Api, actions: list[Action], nested: list[bool]
) -> None:
    run = Interleaving(api, actions, nested)
    run.run()
    both, order_id = api.both, run.order.order_id
    ((row_id, *row),) = both.sql("SELECT id, state, state_version FROM orders WHERE order_id = %s", order_id)
    columns = "SELECT from_state, to_state, version, key_hash FROM order_events"
    events = both.sql(f"{columns} WHERE order_row = %s ORDER BY version", row_id)
    assert len(events) == run.commits
    chain = [("", State.RECEIVED, 1, None), *events]
    for (_, before, first, _), (came_from, to, second, _) in pairwise(chain):
        assert before == came_from != to
        assert first < second
    assert tuple(row) == chain[-1][1:3] == projected(both, order_id)
    keys = [key for *_, key in events if key]
    assert len(keys) == len(set(keys))
    assert both.audit().corrected == {}
    if run.is_erased:
        assert names(both, order_id) == {None}
    both.eraser.apply(None)  # as the schedule does, also after a crash
    if any(order_id in page for page in both.erased_ids.pages(None)):
        assert names(both, order_id) == {None}
        personal = "SELECT actor, reason FROM order_events WHERE order_row = %s"
        assert set(both.sql(personal, row_id)) <= {("erased", None)}
    else:
        assert names(both, order_id) == {"Ada"}
