"""The way of an order: a person sees at a glance where orders are, and where they are stuck."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.responses import answer, order, sync

if TYPE_CHECKING:
    from tests.browser.conftest import Board

COUNTED = {"rds_orders": {"count": 1_005, "as_of": "2026-11-22T11:59:00+00:00"}, "dynamodb_orders": 1_000}


def test_every_hop_has_its_figure(board: Board) -> None:
    figures = sync(waiting=12, in_flight=3, dead_lettered=1, **COUNTED)
    board.site.answer = answer([order("a")], sync=figures, hourly=[{"hour": "2026-11-22T12", "count": 9}])
    board.open()
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


def test_all_is_well(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.verdict).to_have_text("All orders are recorded.")
    expect(board.verdict).to_have_attribute("data-level", "good")
    expect(board.page.locator('[data-hop]:not([data-level=""])')).to_have_count(0)
    board.picture("light")


def test_orders_on_the_way_are_no_trouble(board: Board) -> None:
    board.site.answer = answer([order("a")], sync=sync(waiting=2, in_flight=1, in_sync=False, **COUNTED))
    board.open()
    expect(board.verdict).to_have_text("About 3 orders are on the way.")
    expect(board.hop("sqs")).to_contain_text("on the way")
    expect(board.hop("lambda")).to_contain_text("on the way")
    expect(board.hop("sync")).to_contain_text("5 apart")
    expect(board.page.locator("#sync-words")).to_have_attribute("data-agree", "soon")


def test_dead_letters_are_stuck(board: Board) -> None:
    board.site.answer = answer([order("a")], sync=sync(dead_lettered=1, **COUNTED))
    board.open()
    expect(board.verdict).to_have_text("1 message failed three times.")
    expect(board.verdict).to_have_attribute("data-level", "stuck")
    expect(board.hop("dlq")).to_contain_text("stuck here")
    expect(board.page.locator("#announcement")).to_have_text("1 message failed three times.")


def looked_at(
    rejected: int = 0, conflicting: int = 0, waiting: int = 0, as_of: str = "2026-11-22T11:59:30Z"
) -> dict[str, Any]:
    """Return what `sync` says of dead letters when `ReconcileOrders` has looked at them."""
    split = {"rejected": rejected, "conflicting": conflicting, "waiting": waiting, "as_of": as_of}
    return sync(dead_lettered=rejected + conflicting + waiting, dead_letters=split, **COUNTED)


def test_messages_that_hold_no_valid_order_are_stuck(board: Board) -> None:
    board.site.answer = answer([order("a")], sync=looked_at(rejected=2))
    board.open()
    expect(board.verdict).to_have_text("2 messages are not valid orders.")
    expect(board.verdict).to_have_attribute("data-level", "stuck")
    expect(board.hop("dlq")).to_contain_text("stuck here")


def test_orders_that_wait_for_a_store_are_told_from_messages_that_hold_none(board: Board) -> None:
    board.site.answer = answer([order("a")], sync=looked_at(waiting=1_200))
    board.open()
    expect(board.verdict).to_have_text("1,200 orders wait for a store and will be recorded automatically.")
    expect(board.verdict).to_have_attribute("data-level", "busy")
    expect(board.hop("dlq")).to_contain_text("to be recorded")
    board.site.answer = answer([order("a")], sync=looked_at(rejected=1, waiting=1))
    board.wait(1_000)
    expect(board.verdict).to_have_text("1 message is not a valid order; 1 order waits for a store.")
    expect(board.hop("dlq")).to_contain_text("stuck here")


def test_orders_whose_id_belongs_to_another_order_are_stuck(board: Board) -> None:
    board.site.answer = answer([order("a")], sync=looked_at(conflicting=1))
    board.open()
    expect(board.verdict).to_have_text("1 order has an id that belongs to another order.")
    expect(board.verdict).to_have_attribute("data-level", "stuck")
    expect(board.hop("dlq")).to_contain_text("stuck here")
    board.site.answer = answer([order("a")], sync=looked_at(rejected=1, conflicting=2, waiting=3))
    board.wait(1_000)
    expect(board.verdict).to_have_text(
        "1 message is not a valid order; 2 orders have an id that belongs to another order; "
        "3 orders wait for a store."
    )


def test_dead_letters_of_an_api_that_knows_no_conflicts_are_shown(board: Board) -> None:
    found = looked_at(rejected=1, waiting=1)
    del found["dead_letters"]["conflicting"]
    board.site.answer = answer([order("a")], sync=found)
    board.open()
    expect(board.verdict).to_have_text("1 message is not a valid order; 1 order waits for a store.")


def test_a_message_that_came_after_the_last_sweep_is_neither_an_order_nor_invalid(board: Board) -> None:
    seen = looked_at(waiting=2)
    board.site.answer = answer([order("a")], sync=seen | {"dead_lettered": 3})
    board.open()
    expect(board.verdict).to_have_text(
        "2 orders wait for a store and will be recorded automatically; "
        "1 message failed three times; the reason will be known within a minute."
    )
    expect(board.verdict).to_have_attribute("data-level", "busy")
    board.site.answer = answer([order("a")], sync=looked_at(rejected=1) | {"dead_lettered": 2})
    board.wait(1_000)
    expect(board.verdict).to_have_text("1 message is not a valid order; 1 message failed three times.")


def test_what_dead_letters_are_is_unknown_where_nobody_looked_lately(board: Board) -> None:
    split = looked_at(waiting=3, as_of="2026-11-22T11:54:00Z")
    board.site.answer = answer([order("a")], sync=split)
    board.open()
    expect(board.verdict).to_have_text("3 messages failed three times.")
    expect(board.hop("dlq")).to_contain_text("stuck here")


@pytest.mark.parametrize(
    ("waiting", "in_flight", "hop", "words"),
    [
        (12, 0, "sqs", "About 12 orders are waiting, and no worker receives them."),
        (5, 3, "lambda", "The worker has 3 orders and finishes none."),
    ],
)
def test_orders_that_do_not_move_are_stuck(
    board: Board, waiting: int, in_flight: int, hop: str, words: str
) -> None:
    board.site.etags = True
    board.site.answer = answer([order("a")], sync=sync(waiting=waiting, in_flight=in_flight, **COUNTED))
    board.open()
    expect(board.verdict).to_have_attribute("data-level", "busy")
    board.page.clock.fast_forward(61_000)
    expect(board.verdict).to_have_text(words)
    expect(board.hop(hop)).to_contain_text("stuck here")
    board.picture(f"stuck-{hop}")
    orders = [order("b"), order("a")]
    board.site.answer = answer(orders, sync=sync(waiting=waiting - 1, in_flight=in_flight, **COUNTED))
    board.wait(4_000)
    expect(board.verdict).to_have_attribute("data-level", "busy")  # one got through


def test_an_order_after_a_long_rest_is_not_stuck(board: Board) -> None:
    board.site.etags = True
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.verdict).to_have_attribute("data-level", "good")
    board.page.clock.fast_forward(120_000)
    expect(board.updated).to_have_text("updated 12:02:01")
    board.site.answer = answer([order("a")], sync=sync(waiting=1, **COUNTED))
    board.wait(4_000)
    expect(board.verdict).to_have_text("About 1 order is on the way.")


def test_orders_of_a_queue_that_cannot_be_read_are_neither_on_the_way_nor_stuck(board: Board) -> None:
    board.site.answer = answer([order("a")], sync=sync(waiting=2, in_flight=1, dead_lettered=1, **COUNTED))
    board.open()
    expect(board.hop("lambda")).to_contain_text("on the way")
    board.site.answer = answer([order("a")], degraded=["sqs"], sync=dict.fromkeys(sync()))
    for _ in range(2):
        board.wait(1_000)
        for hop in ("sqs", "lambda"):
            expect(board.hop(hop)).to_contain_text("cannot be read")
        expect(board.verdict).to_have_text("1 message failed three times.")  # that does not end by itself
        board.page.clock.fast_forward(61_000)


def test_stores_that_nobody_compares_are_not_in_sync(board: Board) -> None:
    board.site.etags = True
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.hop("sync")).to_contain_text("in sync at 12:00")
    board.page.clock.fast_forward(301_000)
    board.wait(1_000)
    expect(board.hop("sync")).to_contain_text("unknown since 12:00")
    expect(board.verdict).to_have_text("RDS and DynamoDB have not been compared since 12:00.")
    expect(board.verdict).to_have_attribute("data-level", "unknown")


@pytest.mark.parametrize("degraded", [[], ["rds"]])
def test_stores_that_cannot_be_compared_are_unknown_and_the_reason_is_shown(
    board: Board, degraded: list[str]
) -> None:
    unknown = {"unknown_since": "2026-11-22T11:40:00Z", "unknown_reason": "MySQL error 2003"}
    board.site.answer = answer(
        [order("a")], degraded=degraded, sync=sync(in_sync=None, **{**COUNTED, **unknown})
    )
    board.open()
    expect(board.hop("sync")).to_contain_text("unknown since 11:40")
    expect(board.page.locator("#sync-words")).to_have_attribute("data-agree", "unknown")
    expect(board.verdict).to_contain_text(
        "RDS and DynamoDB have not been compared since 11:40: MySQL error 2003."
    )
    expect(board.verdict).to_have_attribute("data-level", "unknown")


def test_a_drift_stays_one_while_the_stores_cannot_be_compared(board: Board) -> None:
    found = {"drift_since": "2026-11-22T11:40:00Z", "unknown_since": "2026-11-22T11:50:00Z", **COUNTED}
    board.site.answer = answer([order("a")], sync=sync(in_sync=False, drift=5, **found))
    board.open()
    expect(board.hop("sync")).to_contain_text("5 apart since 11:40")
    expect(board.verdict).to_have_attribute("data-level", "stuck")


def test_a_drift_is_told_with_its_beginning(board: Board) -> None:
    drift = sync(in_sync=False, drift=-5, drift_since="2026-11-22T11:40:00Z", waiting=1, **COUNTED)
    board.site.answer = answer([order("a")], sync=drift)
    board.open()
    expect(board.verdict).to_have_text("RDS and DynamoDB are 5 apart since 11:40.")
    expect(board.hop("sync")).to_contain_text("5 apart since 11:40")
    expect(board.page.locator("#sync-words")).to_have_attribute("data-agree", "no")


def test_a_drift_of_days_names_the_day(board: Board) -> None:
    board.site.answer = answer(
        [order("a")], sync=sync(in_sync=False, drift=5, drift_since="2026-11-20T11:40:00Z", **COUNTED)
    )
    board.open()
    expect(board.hop("sync")).to_contain_text("5 apart since 20 Nov, 11:40")


def test_stores_that_differ_with_nothing_under_way_are_not_in_sync(board: Board) -> None:
    board.site.answer = answer([order("a")], sync=sync(in_sync=False, drift=None))
    board.open()
    expect(board.verdict).to_have_text("RDS and DynamoDB are not the same.")


def test_stores_that_were_not_compared_yet_are_neither(board: Board) -> None:
    board.site.answer = answer([order("a")], sync=sync(in_sync=None))
    board.open()
    expect(board.hop("sync")).to_contain_text("not compared yet")
    expect(board.hop("rds")).to_contain_text("not counted yet")


def test_a_hop_that_cannot_be_read_says_so(board: Board) -> None:
    unread = sync(waiting=None, in_flight=None, dead_lettered=None)
    board.site.answer = answer([order("a")], degraded=["sqs"], sync=unread)
    board.open()
    expect(board.verdict).to_have_text("It is unknown whether orders are waiting.")
    for hop in ("sqs", "lambda", "dlq"):
        expect(board.hop(hop)).to_contain_text("cannot be read")
