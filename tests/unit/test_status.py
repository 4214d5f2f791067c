"""The answer of the status API, with every source or without some."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orders.errors import StoreUnavailableError
from orders.names import CustomerNames
from orders.reconciliation import DeadLetterCounts, RdsOrders
from orders.status import NothingKnownError, order_status
from stores.sqs import Depths

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
RECONCILED = RdsOrders(count=6, as_of=NOW - timedelta(minutes=1))
SWEPT = DeadLetterCounts(rejected=1, waiting=4, as_of=NOW - timedelta(minutes=1))
COUNTED = {
    "TOTAL_ORDERS": 7,
    "ORDERS#2026-11-22": 9,
    "ORDERS#2026-11-22T00": 4,
    "ORDERS#2026-11-23": 2,
    "ORDERS#2026-11-23T00": 2,
}


class Source:
    """All three sources in one; `down` names the calls that fail."""

    def __init__(
        self, *down: str, reconciled: RdsOrders = RECONCILED, dead_letters: DeadLetterCounts | None = SWEPT
    ) -> None:
        self.down = down
        self.dead_letters = dead_letters
        self.periods: list[tuple[datetime, datetime]] = []
        self.reconciled = reconciled

    def _tell(self, name: str, value: Any) -> Any:
        if name in self.down:
            raise StoreUnavailableError(f"{name} is down")
        return value

    def recent(self, until: datetime, limit: int) -> list[dict[str, Any]]:
        rows = [
            {"order_id": "o1", "customer_name": "Ann Lee", "item": "Tea", "quantity": 1, "created_at": NOW},
            {"order_id": None, "customer_name": None, "item": "Tea", "quantity": 1, "created_at": None},
        ]
        return self._tell("rds", rows)  # type: ignore[no-any-return]

    def top_items(self, since: datetime, until: datetime, limit: int) -> list[dict[str, Any]]:
        return [{"item": "Tea", "quantity": 2}]

    def count(self, start: datetime, end: datetime) -> int:
        self.periods.append((start, end))
        return 3

    def metrics_and_findings(self, keys: Sequence[str]) -> Any:
        counted = {key: COUNTED.get(key, 0) for key in keys}
        return self._tell("dynamodb", (counted, self.reconciled, self.dead_letters))

    def depths(self) -> Depths:
        return self._tell("sqs", Depths(3, 2, 1))  # type: ignore[no-any-return]


def status(
    *down: str,
    reconciled: RdsOrders = RECONCILED,
    dead_letters: DeadLetterCounts | None = SWEPT,
    names: CustomerNames = CustomerNames.FULL,
    now: datetime = NOW,
) -> dict[str, Any]:
    source = Source(*down, reconciled=reconciled, dead_letters=dead_letters)
    return order_status(source, source, source, BERLIN, names, now)[0]


def test_the_first_documents_page_finds_what_it_reads() -> None:
    answer = status()
    assert answer["metrics"] == [
        {"metric": "TOTAL_ORDERS", "count": 7},
        {"metric": "TODAY_ORDERS", "count": 2},
    ]
    assert answer["recent_orders"][0] == {
        "order_id": "o1",
        "customer_name": "Ann Lee",
        "item": "Tea",
        "quantity": 1,
        "created_at": "2026-11-22T23:30:00.000Z",
    }


def test_a_row_that_never_had_a_time_has_none() -> None:
    assert status()["recent_orders"][1]["created_at"] is None


def test_the_hops_tell_where_orders_are() -> None:
    assert status()["sync"] == {
        "waiting": 3,
        "in_flight": 2,
        "dead_lettered": 1,
        "dead_letters": {"rejected": 1, "waiting": 4, "as_of": "2026-11-22T23:29:00.000Z"},
        "rds_orders": {"count": 6, "as_of": "2026-11-22T23:29:00.000Z"},
        "dynamodb_orders": 7,
        "in_sync": True,
        "drift": 0,
        "drift_since": None,
    }


@pytest.mark.parametrize(("age", "is_known"), [(0, True), (300, True), (301, False)])
def test_what_dead_letters_are_is_unknown_where_nobody_looked_lately(age: int, is_known: bool) -> None:
    found = DeadLetterCounts(rejected=1, waiting=0, as_of=NOW - timedelta(seconds=age))
    assert (status(dead_letters=found)["sync"]["dead_letters"] is not None) == is_known


@pytest.mark.parametrize("answer", [status(dead_letters=None), status("dynamodb")])
def test_what_dead_letters_are_is_unknown_before_the_first_sweep_and_without_dynamodb(
    answer: dict[str, Any],
) -> None:
    assert answer["sync"]["dead_letters"] is None


def test_today_is_compared_with_yesterday_until_this_time() -> None:
    assert status()["today"] == {"count": 2, "same_time_yesterday": 3}
    # The hours that were over are counted in DynamoDB, the begun one in the database.
    assert status(now=NOW + timedelta(hours=1))["today"]["same_time_yesterday"] == 4 + 3


@pytest.mark.parametrize(
    ("down", "count", "same_time_yesterday"), [("rds", 2, None), ("dynamodb", None, None), ("sqs", 2, 3)]
)
def test_what_today_is_compared_with_takes_both_stores(
    down: str, count: int | None, same_time_yesterday: int | None
) -> None:
    assert status(down)["today"] == {"count": count, "same_time_yesterday": same_time_yesterday}


@pytest.mark.parametrize(("names", "told"), [("full", "Ann Lee"), ("initial", "Ann L."), ("none", "")])
def test_customers_names_are_told_as_the_setting_says(names: str, told: str) -> None:
    answer = status(names=CustomerNames(names))
    assert answer["recent_orders"][0]["customer_name"] == told
    assert names == "full" or "Lee" not in json.dumps(answer)


def test_without_the_database_the_orders_in_it_are_known_as_of_the_last_run() -> None:
    answer = status("rds")
    assert (answer["degraded"], answer["recent_orders"]) == (["rds"], [])
    assert answer["sync"]["rds_orders"] == {"count": 6, "as_of": "2026-11-22T23:29:00.000Z"}


def test_a_drift_is_not_in_sync_and_before_the_first_run_nobody_knows() -> None:
    since = NOW - timedelta(minutes=3)
    drifting = status(reconciled=RdsOrders(count=6, as_of=NOW, drift=1, drift_since=since))["sync"]
    assert (drifting["in_sync"], drifting["drift"]) == (False, 1)
    assert drifting["drift_since"] == "2026-11-22T23:27:00.000Z"
    before = status(reconciled=RdsOrders())["sync"]
    assert {before[name] for name in ("rds_orders", "in_sync", "drift", "drift_since")} == {None}


def test_the_last_24_hours_end_with_the_cafes_current_hour() -> None:
    hourly = status()["hourly"]
    assert len(hourly) == 24
    assert hourly[-1] == {"hour": "2026-11-23T00", "count": 2}


@pytest.mark.parametrize(
    ("down", "unknown"),
    [("dynamodb", "rds_orders"), ("dynamodb", "dynamodb_orders"), ("sqs", "waiting")],
)
def test_a_silent_source_is_named_and_the_rest_is_told(down: str, unknown: str) -> None:
    answer = status(down)
    assert answer["degraded"] == [down]
    assert answer["sync"][unknown] is None
    assert sum(value is not None for value in answer["sync"].values()) >= 3


def test_without_any_source_there_is_no_answer() -> None:
    with pytest.raises(NothingKnownError, match="sqs is down"):
        status("rds", "dynamodb", "sqs")
