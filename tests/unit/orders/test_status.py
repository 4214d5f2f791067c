"""The response of the status API, with every source or without some."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orders.failures import StoreUnavailableError
from orders.names import CustomerNames
from orders.screens import Cutoffs
from orders.status import NOT_COMPARED_RECENTLY, AllUnavailableError, order_status
from orders.sync import DeadLetterCounts, Depths, RdsOrders

NOW = datetime(2026, 11, 22, 23, 40, tzinfo=UTC)  # 0:40 on the 23rd in Berlin
BERLIN = ZoneInfo("Europe/Berlin")
COMPARED_AT = NOW - timedelta(minutes=1)
COMPARED = RdsOrders(count=6, as_of=COMPARED_AT)
SWEPT = DeadLetterCounts(rejected=1, conflicting=2, waiting=4, as_of=COMPARED_AT)
SHOWN = {
    "TOTAL_ORDERS": 7,
    "ORDERS#2026-11-22": 9,
    "ORDERS#2026-11-22T00": 4,
    "ORDERS#2026-11-23": 2,
    "ORDERS#2026-11-23T00": 2,
}
QUARTERS = {
    "QUARTER#2026-11-21T22:45": 100,  # the day before yesterday in Berlin
    "QUARTER#2026-11-21T23:00": 5,
    "QUARTER#2026-11-21T23:15": 7,
    "QUARTER#2026-11-21T23:30": 9,  # of which 10 of 15 minutes count
    "QUARTER#2026-11-21T23:45": 100,
}


OPEN_ORDERS = {"received": 3, "preparing": 2, "ready": 1}


class Sources:
    """All three sources in one; `down` names those that fail."""

    def __init__(
        self, *down: str, found: RdsOrders = COMPARED, dead_letters: DeadLetterCounts | None = SWEPT
    ) -> None:
        self.down = down
        self.found = found
        self.dead_letters = dead_letters

    def _return(self, source: str, value: Any) -> Any:
        if source in self.down:
            raise StoreUnavailableError(f"{source} is down")
        return value

    def recent(self, until: datetime, limit: int) -> list[dict[str, Any]]:
        assert (until, limit) == (NOW + timedelta(minutes=5), 20)
        rows = [
            {"order_id": "o1", "customer_name": "Ann Lee", "item": "Tea", "quantity": 1, "created_at": NOW},
            {"order_id": None, "customer_name": None, "item": "Tea", "quantity": 1, "created_at": None},
        ]
        return self._return("rds", rows)  # type: ignore[no-any-return]

    def top_items(self, now: datetime, limit: int) -> list[dict[str, Any]]:
        assert (now, limit) == (NOW, 5)
        return self._return("rds", [{"item": "Tea", "quantity": 2}])  # type: ignore[no-any-return]

    def values(self, names: Collection[str]) -> dict[str, int]:
        counted = {name: value for name, value in QUARTERS.items() if name in names}
        return self._return("rds", counted)  # type: ignore[no-any-return]

    def open_orders(self, cutoffs: Cutoffs) -> dict[str, int]:
        assert cutoffs.open == NOW - timedelta(hours=6)
        return self._return("rds", OPEN_ORDERS)  # type: ignore[no-any-return]

    def read(self, names: Sequence[str]) -> Any:
        counters = {name: SHOWN.get(name, 0) for name in names}
        return self._return("dynamodb", (counters, self.found, self.dead_letters))

    def depths(self) -> Depths:
        return self._return("sqs", Depths(3, 2, 1))  # type: ignore[no-any-return]


def status(*down: str, names: CustomerNames = CustomerNames.FULL, **findings: Any) -> dict[str, Any]:
    sources = Sources(*down, **findings)
    return order_status(sources, sources, sources, BERLIN, names, NOW, 6)[0]


def test_the_response_has_the_fields_that_the_page_of_the_earlier_system_reads() -> None:
    response = status()
    assert response["metrics"] == [
        {"metric": "TOTAL_ORDERS", "count": 7},
        {"metric": "TODAY_ORDERS", "count": 2},
    ]
    assert response["recent_orders"][0] == {
        "order_id": "o1",
        "customer_name": "Ann Lee",
        "item": "Tea",
        "quantity": 1,
        "created_at": "2026-11-22T23:40:00.000Z",
    }


def test_the_number_of_open_orders_is_null_without_the_database() -> None:
    assert status()["open_orders"] == OPEN_ORDERS
    assert status("rds")["open_orders"] is None


def test_a_legacy_row_without_a_time_has_none() -> None:
    assert status()["recent_orders"][1]["created_at"] is None


def test_the_hops_count_the_orders_on_their_way() -> None:
    assert status()["sync"] == {
        "waiting": 3,
        "in_flight": 2,
        "dead_lettered": 1,
        "dead_letters": {
            "rejected": 1,
            "conflicting": 2,
            "waiting": 4,
            "as_of": "2026-11-22T23:39:00.000Z",
        },
        "rds_orders": {"count": 6, "as_of": "2026-11-22T23:39:00.000Z"},
        "dynamodb_orders": 7,
        "in_sync": True,
        "drift": 0,
        "drift_since": None,
        "unknown_since": None,
        "unknown_reason": None,
    }


@pytest.mark.parametrize(("age", "is_known"), [(0, True), (300, True), (301, False)])
def test_dead_letters_are_unknown_without_a_sweep_for_five_minutes(age: int, is_known: bool) -> None:
    found = DeadLetterCounts(rejected=1, conflicting=0, waiting=0, as_of=NOW - timedelta(seconds=age))
    assert (status(dead_letters=found)["sync"]["dead_letters"] is not None) == is_known


@pytest.mark.parametrize("response", [status(dead_letters=None), status("dynamodb")])
def test_dead_letters_are_unknown_before_the_first_sweep_and_without_dynamodb(
    response: dict[str, Any],
) -> None:
    assert response["sync"]["dead_letters"] is None


def test_today_is_compared_with_yesterday_until_the_same_time() -> None:
    assert status()["today"] == {"count": 2, "same_time_yesterday": 5 + 7 + 9 * 10 // 15}


@pytest.mark.parametrize(
    ("down", "count", "same_time_yesterday"), [("rds", 2, None), ("dynamodb", None, 18), ("sqs", 2, 18)]
)
def test_today_comes_from_dynamodb_and_yesterday_from_the_database(
    down: str, count: int | None, same_time_yesterday: int | None
) -> None:
    assert status(down)["today"] == {"count": count, "same_time_yesterday": same_time_yesterday}


@pytest.mark.parametrize(("names", "shown"), [("full", "Ann Lee"), ("initial", "Ann L."), ("none", "")])
def test_customers_names_follow_the_setting(names: str, shown: str) -> None:
    response = status(names=CustomerNames(names))
    assert response["recent_orders"][0]["customer_name"] == shown
    assert names == "full" or "Lee" not in json.dumps(response)


def test_without_the_database_its_orders_are_known_as_of_the_last_comparison() -> None:
    response = status("rds")
    assert response["degraded"] == ["rds"]
    assert response["recent_orders"] == response["top_items"] == []
    assert response["sync"]["rds_orders"] == {"count": 6, "as_of": "2026-11-22T23:39:00.000Z"}


# Three results of a comparison: in sync, different, not possible.


def comparison(**found: Any) -> tuple[Any, ...]:
    sync = status(found=RdsOrders(**found))["sync"]
    return sync["in_sync"], sync["drift"], sync["unknown_since"], sync["unknown_reason"]


def test_before_the_first_comparison_nothing_is_known() -> None:
    assert comparison() == (None, None, None, None)
    assert status(found=RdsOrders())["sync"]["rds_orders"] is None


def test_a_drift_is_out_of_sync_and_has_its_start() -> None:
    found = RdsOrders(count=6, as_of=NOW, drift=1, drift_since=NOW - timedelta(minutes=3))
    sync = status(found=found)["sync"]
    assert (sync["in_sync"], sync["drift"]) == (False, 1)
    assert sync["drift_since"] == "2026-11-22T23:37:00.000Z"


@pytest.mark.parametrize("as_of", [None, COMPARED_AT])
def test_without_a_comparison_in_sync_is_unknown(
    as_of: datetime | None,
) -> None:
    unknown = {"unknown_since": COMPARED_AT, "unknown_reason": "MySQL error 2003"}
    drift = None if as_of is None else 0
    assert comparison(as_of=as_of, **unknown) == (
        None,
        drift,
        "2026-11-22T23:39:00.000Z",
        "MySQL error 2003",
    )


@pytest.mark.parametrize(("age", "in_sync"), [(300, True), (301, None)])
def test_a_comparison_older_than_five_minutes_is_ignored(age: int, in_sync: bool | None) -> None:
    as_of = NOW - timedelta(seconds=age)
    since, reason = ("2026-11-22T23:34:59.000Z", NOT_COMPARED_RECENTLY) if in_sync is None else (None, None)
    assert comparison(as_of=as_of) == (in_sync, 0, since, reason)


@pytest.mark.parametrize("age", [1, 6])
@pytest.mark.parametrize("unknown", [{}, {"unknown_since": COMPARED_AT, "unknown_reason": "no time left"}])
def test_a_drift_stays_until_a_comparison_finds_none(age: int, unknown: dict[str, Any]) -> None:
    found = RdsOrders(as_of=NOW - timedelta(minutes=age), drift=2, **unknown)
    assert status(found=found)["sync"]["in_sync"] is False


def test_the_last_24_hours_end_with_the_cafes_current_hour() -> None:
    hourly = status()["hourly"]
    assert len(hourly) == 24
    assert hourly[-1] == {"hour": "2026-11-23T00", "count": 2}


@pytest.mark.parametrize(
    ("down", "unknown"),
    [("dynamodb", "rds_orders"), ("dynamodb", "dynamodb_orders"), ("sqs", "waiting")],
)
def test_an_unavailable_source_is_named_and_the_rest_is_complete(down: str, unknown: str) -> None:
    response = status(down)
    assert response["degraded"] == [down]
    assert response["sync"][unknown] is None
    assert sum(value is not None for value in response["sync"].values()) >= 3


def test_without_any_source_there_is_no_status() -> None:
    with pytest.raises(AllUnavailableError, match="sqs is down"):
        status("rds", "dynamodb", "sqs")
