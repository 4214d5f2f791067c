"""`GET /kitchen`, `/ready` and `/track`: the orders on each screen, and for how long they stay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import public_orders
from orders.failures import StoreUnavailableError
from orders.order import Order
from orders.screens import Cutoffs
from orders.states import State
from orders.tokens import sign, verify
from stores.mysql.orders import first_number
from stores.mysql.screens import Screens
from stores.mysql.status import StatusDatabase
from tests.unit.api import OPEN_HOURS, Api, TrackingKeys

MINUTE = timedelta(minutes=1)
Add = Callable[..., str]


@pytest.fixture
def add(api: Api) -> Add:
    """Return a function that records an order with given times and state, and returns its token."""

    def add(
        order_id: str,
        state: str = "received",
        sent: timedelta = MINUTE,
        since: timedelta | None = None,
        recorded: timedelta | None = None,
        **fields: Any,
    ) -> str:
        now = datetime.now(UTC)
        api.both.record([Order(order_id, now - sent, fields.pop("item", "Latte"), 1, **fields)])
        if recorded is not None:
            number = first_number((now - recorded).timestamp())
            api.both.sql("UPDATE orders SET recorded_in = %s WHERE order_id = %s", number, order_id)
        if state != "received":
            at = (now - (since or timedelta(0))).replace(tzinfo=None)
            ready_at = at if state in ("ready", "collected") else None
            update = "UPDATE orders SET state = %s, state_at = %s, ready_at = %s, state_version = 9"
            api.both.sql(f"{update} WHERE order_id = %s", state, at, ready_at, order_id)
        return sign(order_id, *TrackingKeys().current())

    return add


def ids(orders: list[dict[str, Any]]) -> list[str]:
    return [order["order_id"] for order in orders]


def test_the_kitchen_lists_open_orders_oldest_first(api: Api, add: Add) -> None:
    add("young", sent=MINUTE)
    add("old", sent=9 * MINUTE)
    add("made", "preparing", sent=5 * MINUTE, attributes={"note": "hot"})
    add("done", "ready", sent=7 * MINUTE)
    for state in ("collected", "cancelled"):
        add(state, state)
    kitchen = api.kitchen().body
    assert ids(kitchen["orders"]) == ["old", "done", "made", "young"]
    assert kitchen["orders"][2]["attributes"] == {"note": "hot"}
    assert kitchen["totals"] == {"received": 2, "preparing": 1, "ready": 1, "delayed": 0}
    assert set(ids(kitchen["recent"])) == {"made", "done", "collected", "cancelled"}
    assert kitchen["delayed"] == []


@pytest.mark.parametrize(
    ("state", "limit"), [("received", OPEN_HOURS * 60), ("preparing", OPEN_HOURS * 60), ("ready", 10)]
)
def test_an_order_that_is_never_closed_leaves_the_screens(api: Api, add: Add, state: str, limit: int) -> None:
    for name, age in (("there", limit - 1), ("gone", limit + 1)):
        add(name, state, sent=age * MINUTE, since=age * MINUTE, recorded=age * MINUTE)
    kitchen = api.kitchen().body
    assert ids(kitchen["orders"]) == ["there"]
    assert kitchen["totals"][state] == 1
    if state == "preparing":
        assert api.ready().body["preparing"] == ["A01"]
    if state == "ready":
        assert [each["number"] for each in api.ready().body["ready"]] == ["A01"]


def test_orders_moved_in_the_last_half_hour_are_recent_latest_first(api: Api, add: Add) -> None:
    add("gone", "collected", since=31 * MINUTE)
    add("old", "cancelled", since=29 * MINUTE)
    add("new", "collected", since=MINUTE)
    add("never moved")
    assert ids(api.kitchen().body["recent"]) == ["new", "old"]


def test_an_order_recorded_late_is_delayed_until_it_is_moved(api: Api, add: Add) -> None:
    add("in time", sent=31 * MINUTE, recorded=MINUTE * 31 - 1790 * timedelta(seconds=1))
    add("late", sent=31 * MINUTE)
    add("too late", sent=timedelta(hours=OPEN_HOURS) + MINUTE)
    kitchen = api.kitchen().body
    assert (ids(kitchen["orders"]), ids(kitchen["delayed"])) == (["in time"], ["late"])
    assert kitchen["totals"] == {"received": 1, "preparing": 0, "ready": 0, "delayed": 1}
    api.move("late", "preparing")
    api.move("late", "received")
    kitchen = api.kitchen().body
    assert (ids(kitchen["orders"]), ids(kitchen["delayed"])) == (["in time", "late"], [])


def test_after_an_outage_of_seven_hours_ten_thousand_late_orders_are_apart(api: Api, add: Add) -> None:
    now = datetime.now(UTC)
    first, last = now - timedelta(hours=7), now - 31 * MINUTE
    late = [Order(f"o{n}", first + (last - first) * n / 9_999, "Latte", 1) for n in range(10_000)]
    api.both.insert(late)
    add("in time")
    kitchen = api.kitchen().body
    assert ids(kitchen["orders"]) == ["in time"]
    assert len(kitchen["delayed"]) == 200
    open_for = timedelta(hours=OPEN_HOURS)
    delayed = sum(now - order.created_at < open_for for order in late if order.created_at)
    # Others become too old meanwhile.
    assert kitchen["totals"].pop("delayed") == pytest.approx(delayed, abs=50)
    assert kitchen["totals"] == {"received": 1, "preparing": 0, "ready": 0}


def test_a_list_is_cut_at_200_orders_of_each_state_and_totals_count_all(api: Api) -> None:
    now = datetime.now(UTC)
    api.both.record([Order(f"o{n}", now - timedelta(seconds=n), "Latte", 1) for n in range(205)])
    api.both.sql("UPDATE orders SET state = 'preparing', state_version = 2 LIMIT 3")
    kitchen = api.kitchen().body
    assert len(kitchen["orders"]) == 203
    assert (kitchen["totals"]["received"], kitchen["totals"]["preparing"]) == (202, 3)
    assert ids(kitchen["orders"])[0] == "o204"


def test_large_attributes_are_left_out_of_lists(api: Api, add: Add) -> None:
    add("o1", attributes={"note": "x" * 3000})
    assert api.kitchen().body["orders"][0]["attributes"] == {}
    assert len(api.order("o1").body["attributes"]["note"]) == 3000


def test_an_invalid_row_hides_no_other_order(api: Api, add: Add) -> None:
    for name, attributes in (("o1", "{"), ("o2", "[1]"), ("o3", None)):
        add(name)
        api.both.sql("UPDATE orders SET attributes = %s WHERE order_id = %s", attributes, name)
    add("o4")
    api.both.sql("UPDATE orders SET item = '' WHERE order_id = 'o4'")
    assert ids(api.kitchen().body["orders"]) == ["o3"]


def test_an_unchanged_kitchen_is_not_sent_again(api: Api, add: Add) -> None:
    add("o1")
    first = api.kitchen()
    assert first.headers["Cache-Control"] == "no-store"
    assert api.kitchen(**{"If-None-Match": first.tag}).status == 304
    api.move("o1", "preparing")
    assert api.kitchen(**{"If-None-Match": first.tag}).status == 200


def test_the_ready_screen_has_numbers_only(api: Api, add: Add) -> None:
    add("r1")
    add("p1", "preparing", since=2 * MINUTE)
    add("p2", "preparing", since=3 * MINUTE)
    add("d1", "ready", since=2 * MINUTE)
    add("d2", "ready", since=MINUTE)
    response = api.ready()
    assert response.headers["Cache-Control"] == "public, max-age=1"
    assert response.body["preparing"] == ["A03", "A02"]
    assert [each["number"] for each in response.body["ready"]] == ["A05", "A04"]
    assert set(response.body["ready"][0]) == {"number", "since"}


def test_the_order_status_counts_the_orders_that_the_kitchen_lists(api: Api, add: Add) -> None:

    add("r1")
    add("late", sent=31 * MINUTE)
    add("p1", "preparing")
    add("d1", "ready", since=11 * MINUTE)
    found = StatusDatabase(api.both.mysql).open_orders(Cutoffs.of(datetime.now(UTC), OPEN_HOURS))
    assert found == {"received": 1, "preparing": 1, "ready": 0}


# A customer's page.


def test_a_customer_sees_their_own_order_and_the_number_of_orders_ahead_of_it(api: Api, add: Add) -> None:
    token = add("mine", sent=3 * MINUTE)
    assert api.track(token).body["orders_before"] is None, "the kitchen's screen is not used"
    add("before", sent=4 * MINUTE)
    add("made", "preparing", sent=5 * MINUTE, since=MINUTE)
    add("done", "ready", sent=6 * MINUTE)
    add("after", sent=2 * MINUTE)
    add("delayed", sent=40 * MINUTE)
    tracked = api.track(token).body
    assert (tracked["number"], tracked["state"], tracked["orders_before"]) == ("A01", "received", 2)
    api.move("mine", "preparing")
    assert api.track(token).body["orders_before"] == 2
    api.move("mine", "ready")
    tracked = api.track(token).body
    assert (tracked["state"], tracked["orders_before"]) == ("ready", None)
    assert tracked["ready_at"] == tracked["state_at"]
    assert not {"mine", "Guest"} & set(map(str, tracked.values()))


def test_the_usual_time_is_the_median_of_the_last_20_orders_and_needs_5(api: Api, add: Add) -> None:
    token = add("mine")
    for minutes in range(1, 5):
        add(f"o{minutes}", "collected", sent=minutes * MINUTE)
    assert api.track(token).body["usual_seconds"] is None
    add("o5", "ready", sent=5 * MINUTE)
    assert api.track(token).body["usual_seconds"] == 3 * 60
    for number in range(20):
        add(f"new{number}", "ready", sent=20 * MINUTE, since=-MINUTE)
    assert api.track(token).body["usual_seconds"] == 21 * 60


def test_delayed_orders_do_not_count_for_the_usual_time(api: Api, add: Add) -> None:
    token = add("mine")
    for number in range(5):
        add(f"o{number}", "ready", sent=3 * MINUTE, since=MINUTE)
        add(f"delayed{number}", "ready", sent=120 * MINUTE)
        add(f"collected{number}", "collected", sent=120 * MINUTE)
    assert api.track(token).body["usual_seconds"] == 2 * 60


def test_an_order_that_is_not_recorded_yet_is_received_without_a_number(api: Api, add: Add) -> None:
    tracked = api.track(sign("not recorded", *TrackingKeys().current())).body
    assert (tracked["state"], tracked["number"], tracked["state_at"]) == ("received", None, None)
    token = add("previous release's")
    api.both.sql("UPDATE orders SET state = NULL, state_at = NULL")
    assert api.track(token).body["number"] == "A01"


def test_a_wrong_or_missing_token_shows_nothing(api: Api, add: Add) -> None:
    token = add("o1")
    for wrong in (None, "", "o1", token[:-2], token.replace("o1", "o2")):
        assert api.track(wrong).status == 401


@pytest.mark.parametrize(
    ("state", "age", "status"),
    [
        ("collected", 119, 200),
        ("collected", 121, 410),
        ("cancelled", 121, 410),
        ("ready", OPEN_HOURS * 60 - 1, 200),
        ("preparing", OPEN_HOURS * 60 + 1, 410),
        ("received", OPEN_HOURS * 60 + 1, 410),
    ],
)
def test_an_order_closed_long_ago_is_gone(api: Api, add: Add, state: str, age: int, status: int) -> None:
    token = add("o1", state, sent=age * MINUTE, since=age * MINUTE)
    assert api.track(token).status == status


def test_a_customer_with_the_current_response_gets_304(api: Api, add: Add) -> None:
    token = add("o1")
    first = api.track(token)
    assert first.headers["Cache-Control"] == "no-store"
    assert api.track(token, **{"If-None-Match": first.tag}).status == 304


def test_without_the_database_the_pages_keep_what_they_have(
    api: Api, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:

    token = add("o1")

    def fail() -> Any:
        raise StoreUnavailableError("MySQL error 2003")

    monkeypatch.setattr(public_orders, "database", fail)
    assert (api.ready().status, api.track(token).status) == (503, 503)


def test_no_screen_reads_more_rows_of_a_larger_table(api: Api, add: Add) -> None:
    token = add("mine")
    for number, state in enumerate(State):
        add(f"o{number}", state, since=MINUTE)
    database = Screens(api.both.mysql)

    def costs() -> list[int]:
        """Count the rows that each screen reads."""
        since = Cutoffs.of(datetime.now(UTC), OPEN_HOURS)
        order_id = verify(token, TrackingKeys().get) or ""
        return [
            api.both.rows_read(lambda: database.kitchen(since)),
            api.both.rows_read(lambda: database.numbers(since)),
            api.both.rows_read(lambda: database.track(order_id, since)),
        ]

    before = costs()
    at = (datetime.now(UTC) - timedelta(days=1)).replace(tzinfo=None)
    six = "(SELECT 1 FROM orders LIMIT 6)"
    for state in State:
        api.both.sql(
            "INSERT INTO orders (item, quantity, state, state_version, state_at, ready_at, created_at)"  # noqa: S608
            f" SELECT 'Tea', 1, %s, 2, %s, %s, %s FROM {six} AS a, {six} AS b, {six} AS c",
            *(state, at, at, at),
        )
    ((number,),) = api.both.sql("SELECT COUNT(*) FROM orders")
    assert number > 1000
    after = costs()
    assert all(more <= few + 5 for few, more in zip(before, after, strict=True)), (before, after)
