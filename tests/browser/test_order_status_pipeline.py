"""The pipeline on the order-status page: where orders are, and where they are stuck."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.responses import Json, order, sync

if TYPE_CHECKING:
    import pytest

    from tests.browser.conftest import Board

COUNTED = {"rds_orders": {"count": 1_005, "as_of": "2026-11-22T11:59:00+00:00"}, "dynamodb_orders": 1_000}
DRIFT = {"in_sync": False, "drift": -5, **COUNTED}


def swept(
    rejected: int = 0,
    conflicting: int = 0,
    waiting: int = 0,
    *,
    unseen: int = 0,
    as_of: str = "2026-11-22T11:59:30Z",
) -> Json:
    """Return `sync` after `ReconcileOrders` has read the dead letters; `unseen` ones arrived later."""
    counts = {"rejected": rejected, "conflicting": conflicting, "waiting": waiting}
    dead_lettered = sum(counts.values()) + unseen
    return sync(dead_lettered=dead_lettered, dead_letters={**counts, "as_of": as_of}, **COUNTED)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A response, and the texts that the page shows for it."""

    sync: Json
    verdict: str
    level: str
    hops: dict[str, str] = field(default_factory=dict)  # a text of each
    agree: str | None = None  # `data-agree` of the comparison between RDS and DynamoDB
    degraded: tuple[str, ...] = ()


CASES = {
    "no order is under way": Case(sync=sync(), verdict="All orders are recorded.", level="good"),
    "orders are under way": Case(
        sync=sync(waiting=2, in_flight=1, in_sync=False, **COUNTED),
        verdict="About 3 orders are on the way.",
        level="busy",
        hops={"sqs": "on the way", "lambda": "on the way", "sync": "5 apart"},
        agree="soon",
    ),
    "dead letters that no sweep has read": Case(
        sync=sync(dead_lettered=1, **COUNTED),
        verdict="1 message failed three times.",
        level="stuck",
        hops={"dlq": "stuck here"},
    ),
    "dead letters without a valid order": Case(
        sync=swept(rejected=2),
        verdict="2 messages are not valid orders.",
        level="stuck",
        hops={"dlq": "stuck here"},
    ),
    "dead letters whose orders will be recorded": Case(
        sync=swept(waiting=1_200),
        verdict="1,200 orders wait for a store and will be recorded automatically.",
        level="busy",
        hops={"dlq": "to be recorded"},
    ),
    "dead letters of both kinds": Case(
        sync=swept(rejected=1, waiting=1),
        verdict="1 message is not a valid order; 1 order waits for a store.",
        level="stuck",
        hops={"dlq": "stuck here"},
    ),
    "a dead letter with the id of another order": Case(
        sync=swept(conflicting=1),
        verdict="1 order has an id that belongs to another order.",
        level="stuck",
        hops={"dlq": "stuck here"},
    ),
    "dead letters of all three kinds": Case(
        sync=swept(rejected=1, conflicting=2, waiting=3),
        verdict=(
            "1 message is not a valid order; 2 orders have an id that belongs to another order; "
            "3 orders wait for a store."
        ),
        level="stuck",
    ),
    "dead letters as reported by an API without `conflicting`": Case(
        sync=sync(
            dead_lettered=2,
            dead_letters={"rejected": 1, "waiting": 1, "as_of": "2026-11-22T11:59:30Z"},
            **COUNTED,
        ),
        verdict="1 message is not a valid order; 1 order waits for a store.",
        level="stuck",
    ),
    "a message that arrived after the last sweep": Case(
        sync=swept(waiting=2, unseen=1),
        verdict=(
            "2 orders wait for a store and will be recorded automatically; "
            "1 message failed three times; the reason will be known within a minute."
        ),
        level="busy",
    ),
    "a message that arrived after the last sweep, and an invalid one": Case(
        sync=swept(rejected=1, unseen=1),
        verdict="1 message is not a valid order; 1 message failed three times.",
        level="stuck",
    ),
    "dead letters whose last sweep is old": Case(
        sync=swept(waiting=3, as_of="2026-11-22T11:54:00Z"),
        verdict="3 messages failed three times.",
        level="stuck",
        hops={"dlq": "stuck here"},
    ),
    "a comparison that fails": Case(
        sync=sync(
            in_sync=None,
            unknown_since="2026-11-22T11:40:00Z",
            unknown_reason="MySQL error 2003",
            **COUNTED,
        ),
        verdict="RDS and DynamoDB have not been compared since 11:40: MySQL error 2003.",
        level="unknown",
        hops={"sync": "unknown since 11:40"},
        agree="unknown",
    ),
    "a comparison that fails while RDS cannot be read": Case(
        sync=sync(
            in_sync=None,
            unknown_since="2026-11-22T11:40:00Z",
            unknown_reason="MySQL error 2003",
            **COUNTED,
        ),
        verdict=(
            "No orders are known to be waiting; "
            "RDS and DynamoDB have not been compared since 11:40: MySQL error 2003."
        ),
        level="unknown",
        hops={"sync": "unknown since 11:40"},
        agree="unknown",
        degraded=("rds",),
    ),
    "a drift that was found before a comparison failed": Case(
        sync=sync(**DRIFT, drift_since="2026-11-22T11:40:00Z", unknown_since="2026-11-22T11:50:00Z"),
        verdict="RDS and DynamoDB are 5 apart since 11:40.",
        level="stuck",
        hops={"sync": "5 apart since 11:40"},
    ),
    "a drift while an order is under way": Case(
        sync=sync(**DRIFT, drift_since="2026-11-22T11:40:00Z", waiting=1),
        verdict="RDS and DynamoDB are 5 apart since 11:40.",
        level="stuck",
        hops={"sync": "5 apart since 11:40"},
        agree="no",
    ),
    "a drift of days": Case(
        sync=sync(**DRIFT, drift_since="2026-11-20T11:40:00Z"),
        verdict="RDS and DynamoDB are 5 apart since 20 Nov, 11:40.",
        level="stuck",
        hops={"sync": "5 apart since 20 Nov, 11:40"},
    ),
}


def test_the_page_shows_where_orders_are_and_where_they_are_stuck(
    board: Board, subtests: pytest.Subtests
) -> None:
    board.open_with([order("a")])
    for name, case in CASES.items():
        with subtests.test(name):
            board.receive([order("a")], sync=case.sync, degraded=list(case.degraded))
            expect(board.verdict).to_have_text(case.verdict)
            expect(board.verdict).to_have_attribute("data-level", case.level)
            for hop, text in case.hops.items():
                expect(board.hop(hop)).to_contain_text(text)
            if case.agree:
                expect(board.page.locator("#sync-words")).to_have_attribute("data-agree", case.agree)
            if case.level == "good":
                expect(board.page.locator('[data-hop]:not([data-level=""])')).to_have_count(0)


def test_every_hop_has_its_figure_and_dead_letters_are_announced(board: Board) -> None:
    figures = sync(waiting=12, in_flight=3, dead_lettered=1, **COUNTED)
    board.open_with([order("a")], sync=figures, hourly=[{"hour": "2026-11-22T12", "count": 9}])
    hops = board.page.get_by_role("region", name="How an order travels").get_by_role("listitem")
    expect(hops).to_contain_text(
        [
            "API Gateway",
            re.compile(r"SNS\s+9 this hour"),
            re.compile(r"SQS\s+12 waiting"),
            re.compile(r"Dead letters\s+1 failed 3 times"),
            re.compile(r"Lambda\s+3 in flight"),
            re.compile(r"RDS\s+1,005 rows at 11:59"),
            "in sync",
            re.compile(r"DynamoDB\s+1,000 counted"),
        ]
    )
    expect(board.page.get_by_text("Why SQS does not count orders")).to_be_visible()
    expect(board.announcement).to_have_text("1 message failed three times.")


def test_orders_that_stay_where_they_are_for_a_minute_are_stuck_until_one_gets_through(board: Board) -> None:
    board.site.etags = True
    orders = [order("a")]
    board.open_with(orders)
    for waiting, in_flight, hop, verdict in (
        (12, 0, "sqs", "About 12 orders are waiting, and no worker receives them."),
        (5, 3, "lambda", "The worker has 3 orders and finishes none."),
    ):
        board.receive(orders, sync=sync(waiting=waiting, in_flight=in_flight, **COUNTED))
        expect(board.verdict).to_have_attribute("data-level", "busy")
        board.page.clock.fast_forward(61_000)
        expect(board.verdict).to_have_text(verdict)
        expect(board.hop(hop)).to_contain_text("stuck here")
        orders = [order(hop), *orders]
        board.respond_with(orders, sync=sync(waiting=waiting - 1, in_flight=in_flight, **COUNTED))
        board.advance(4_000)
        expect(board.verdict).to_have_attribute("data-level", "busy")


def test_an_order_after_minutes_without_one_is_not_stuck(board: Board) -> None:
    board.site.etags = True
    board.open_with([order("a")])
    expect(board.verdict).to_have_attribute("data-level", "good")
    board.page.clock.fast_forward(120_000)
    expect(board.updated).to_have_text("updated 12:02:01")
    board.respond_with([order("a")], sync=sync(waiting=1, **COUNTED))
    board.advance(4_000)
    expect(board.verdict).to_have_text("About 1 order is on the way.")


def test_orders_of_an_unreadable_queue_are_neither_under_way_nor_stuck(board: Board) -> None:
    board.open_with([order("a")], sync=sync(waiting=2, in_flight=1, dead_lettered=1, **COUNTED))
    expect(board.hop("lambda")).to_contain_text("on the way")
    board.respond_with([order("a")], degraded=["sqs"], sync=dict.fromkeys(sync()))
    for _ in range(2):
        board.advance(1_000)
        for hop in ("sqs", "lambda"):
            expect(board.hop(hop)).to_contain_text("cannot be read")
        expect(board.verdict).to_have_text("1 message failed three times.")  # as far as is known
        board.page.clock.fast_forward(61_000)


def test_stores_without_a_recent_comparison_are_not_in_sync(board: Board) -> None:
    board.site.etags = True
    board.open_with([order("a")])
    expect(board.hop("sync")).to_contain_text("in sync at 12:00")
    board.page.clock.fast_forward(301_000)
    board.advance(1_000)
    expect(board.hop("sync")).to_contain_text("unknown since 12:00")
    expect(board.verdict).to_have_text("RDS and DynamoDB have not been compared since 12:00.")
    expect(board.verdict).to_have_attribute("data-level", "unknown")


def test_stores_that_differ_or_were_never_compared_are_not_in_sync(board: Board) -> None:
    board.open_with([order("a")], sync=sync(in_sync=None))
    expect(board.hop("sync")).to_contain_text("not compared yet")
    expect(board.hop("rds")).to_contain_text("not counted yet")
    board.receive([order("a")], sync=sync(in_sync=False, drift=None))
    expect(board.verdict).to_have_text("RDS and DynamoDB are not the same.")


def test_a_queue_that_was_never_readable_is_unknown(board: Board) -> None:
    unread = sync(waiting=None, in_flight=None, dead_lettered=None)
    board.open_with([order("a")], degraded=["sqs"], sync=unread)
    expect(board.verdict).to_have_text("It is unknown whether orders are waiting.")
    for hop in ("sqs", "lambda", "dlq"):
        expect(board.hop(hop)).to_contain_text("cannot be read")
