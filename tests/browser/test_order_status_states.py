"""The states that people meet: loading, empty, stale, degraded, offline, paused, and back again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.responses import answer, busy_morning, order, unknown
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.browser.conftest import Board


def test_the_first_load_moves_nothing(board: Board) -> None:
    board.site.answer = busy_morning()
    board.site.hold()
    board.open()
    expect(board.state).to_have_text("Loading")
    board.picture("loading")
    fixed = board.page.locator("h1, h2, h3, dt, #table thead th, .verdict")
    before = [part.bounding_box() for part in fixed.all()]
    board.site.let_go()
    expect(board.rows).to_have_count(20)
    moved = [part.bounding_box() for part in fixed.all()]
    assert [box and box["y"] for box in moved] == pytest.approx([box and box["y"] for box in before], abs=2)


def test_no_orders_yet_says_what_to_do(board: Board) -> None:
    board.site.answer = answer([])
    board.open()
    empty = board.page.locator("#empty")
    expect(empty.get_by_text("No orders yet")).to_be_visible()
    expect(empty.get_by_role("link", name="Place an order")).to_have_attribute("href", "/order")
    expect(empty.get_by_text("cafe order Latte")).to_be_visible()
    expect(board.figure("today")).to_have_text("0")
    expect(board.verdict).to_have_text("Ready for the first order.")
    board.picture("empty")
    board.site.answer = answer([order("a")])
    board.update()
    expect(board.rows).to_have_count(1)
    expect(empty).to_be_hidden()


def test_a_failing_api_is_said_and_what_is_known_stays(board: Board) -> None:
    board.site.answer = answer([order("a")], today=7)
    board.open()
    expect(board.rows).to_have_count(1)
    board.site.unreachable = True
    board.fail()
    expect(board.state).to_contain_text("Next try")
    expect(board.notice).to_be_empty()  # one failure is no news
    expect(board.page.locator("body")).to_have_attribute("data-state", "live")
    board.fail(2_000)
    expect(board.page.locator("body")).to_have_attribute("data-state", "stale")
    expect(board.notice).to_have_text(
        "The order service cannot be reached. "
        "The figures are from 12:00:01. This page keeps trying automatically."
    )
    expect(board.rows).to_have_count(1)
    expect(board.figure("today")).to_have_text("7")

    board.page.clock.fast_forward(180_000)
    expect(board.updated).to_have_text("updated 12:00:01, 3 min ago")
    board.picture("stale")

    board.site.unreachable = False
    board.site.answer = answer([order("b"), order("a")], today=8)
    board.page.clock.fast_forward(30_000)
    expect(board.state).to_have_text("Live")
    expect(board.notice).to_have_text("Connected again: this page is up to date.")
    expect(board.figure("today")).to_have_text("8")
    board.wait(7_000)
    expect(board.notice).to_be_empty()


def test_after_one_failure_nothing_is_said(board: Board) -> None:
    board.open()
    expect(board.state).to_have_text("Live")
    board.site.unreachable = True
    board.fail()
    board.site.unreachable = False
    board.wait(2_000)
    expect(board.state).to_have_text("Live")
    expect(board.notice).to_be_empty()


@pytest.mark.parametrize(("chance", "share"), [(0, 1), (0.8, 0.8)])
def test_it_asks_less_and_less_often_while_it_fails(board: Board, chance: float, share: float) -> None:
    board.page.add_init_script(f"Math.random = () => {chance}")
    board.site.unreachable = True
    board.open()
    expect(board.state).to_contain_text("Next try")
    for longest in (2_000, 4_000, 8_000, 16_000, 30_000, 30_000):
        asked, pause = board.site.questions, int(longest * share)
        board.wait(pause - 1)
        assert board.site.questions == asked
        board.fail(1)
        assert board.site.questions == asked + 1


def test_a_service_that_is_down_from_the_start_is_said_at_once(board: Board) -> None:
    board.site.unreachable = True
    board.open()
    expect(board.notice).to_have_text(
        "The order service cannot be reached. This page keeps trying automatically."
    )
    expect(board.updated).to_have_text("no figures yet")
    expect(board.page.get_by_text("No orders yet")).to_be_hidden()


def test_an_error_is_named(board: Board) -> None:
    board.site.status = 503
    board.open()
    expect(board.notice).to_contain_text("The order service reports an error (503).")


def test_who_may_not_see_it_is_told(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.site.status = 403
    board.wait(1_000)
    expect(board.page.get_by_role("heading", name="No access from this network")).to_be_visible()
    expect(board.state).to_have_text("No access")
    expect(board.rows).to_have_count(0)  # names that may be seen no longer are not left in the page
    expect(board.page.locator("#announcement")).to_contain_text("No access from this network.")
    board.site.status = 200
    board.page.clock.fast_forward(30_000)
    expect(board.rows).to_have_count(1)
    expect(board.page.locator("#access")).to_be_hidden()


def test_an_answer_that_is_none_is_said(board: Board) -> None:
    board.site.answer = ""
    board.open()
    for body, pause in (("<title>Login</title>", 2_000), ("null", 4_000), ("{}", 8_000)):
        expect(board.notice).to_contain_text("sent an invalid response")
        board.site.answer = body
        board.fail(pause)
    expect(board.notice).to_contain_text("sent an invalid response")
    expect(board.page.get_by_text("No orders yet")).to_be_hidden()


@pytest.mark.parametrize("etags", [False, True])
def test_a_cache_that_repeats_an_old_answer_is_noticed(board: Board, etags: bool) -> None:
    board.site.answer = answer([order("a")], generated_at="2026-11-22T12:00:00Z")
    board.site.etags = etags
    board.open()
    expect(board.state).to_have_text("Live")
    board.site.headers["Age"] = "16" if etags else "0"
    board.page.clock.fast_forward(16_000)
    expect(board.notice).to_contain_text("returns an old response. The figures are from 12:00:01.")


def test_a_source_that_is_away_is_named(board: Board) -> None:
    board.open()
    for source, words in (
        ("rds", "The order history (RDS) cannot be read now."),
        ("dynamodb", "The counters (DynamoDB) cannot be read now."),
        ("sqs", "The queue (SQS) cannot be read now."),
        ("moon", "Moon cannot be read now."),
    ):
        board.site.answer = answer([order("a")], degraded=[source])
        board.wait(1_000)
        expect(board.notice).to_contain_text(words)
        expect(board.state).to_have_text("Partly live")


def test_what_was_known_before_a_source_went_away_stays_and_looks_old(board: Board) -> None:
    board.site.answer = busy_morning()
    board.open()
    expect(board.rows).to_have_count(20)
    board.site.answer = unknown("rds", "dynamodb", "sqs")
    board.update()
    expect(board.notice).to_have_text(
        "The order history (RDS), the counters (DynamoDB), and the queue (SQS) cannot be read now. "
        "The page keeps the last known figures."
    )
    expect(board.rows).to_have_count(20)
    expect(board.page.locator("#items li")).to_have_count(5)
    expect(board.page.locator("#hours rect")).to_have_count(24)
    expect(board.figure("today")).to_have_text("184")
    expect(board.figure("today")).to_have_attribute("data-old", "true")
    expect(board.page.locator("#sync-words")).to_have_text("unknown")
    board.picture("degraded")


def test_nothing_known_is_no_zero(board: Board) -> None:
    board.site.answer = unknown("rds", "dynamodb", "sqs")
    board.open()
    expect(board.state).to_have_text("Partly live")
    for name in ("today", "total", "waiting", "inFlight", "inRds", "counted", "deadLettered"):
        expect(board.figure(name)).to_have_text("–")
    expect(board.page.get_by_text("No orders yet")).to_be_hidden()


def test_an_order_without_a_time_or_other_values_is_shown(board: Board) -> None:
    nothing = order("b", customer_name=None, item=None, quantity=None, created_at=None)
    board.site.answer = answer([order("a", created_at=None), nothing])
    board.open()
    expect(board.rows).to_have_text(["1LatteAshatime unknown", "–––time unknown"])


@pytest.mark.parametrize("nothing", [[], None])
def test_orders_that_cannot_be_read_are_not_orders_that_do_not_exist(
    board: Board, nothing: list[object] | None
) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.site.answer = answer([], degraded=["rds"], recent_orders=nothing)
    board.update()
    expect(board.rows).to_have_count(1)
    expect(board.page.get_by_text("No orders yet")).to_be_hidden()


# --- When it asks ---


def test_one_question_at_a_time(board: Board) -> None:
    board.site.hold()
    board.open()
    eventually(lambda: board.site.questions == 1)
    board.wait(9_000)
    board.page.evaluate("for (const name of ['online', 'focus']) dispatchEvent(new Event(name))")
    board.set_hidden(False)
    assert board.site.questions == 1
    board.site.let_go()
    expect(board.state).to_have_text("Live")
    board.update()
    assert board.site.questions == 2
    assert board.site.most_at_once == 1


def test_a_hidden_tab_asks_nothing_and_asks_at_once_when_it_is_back(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.set_hidden(True)
    board.wait(60_000)
    assert board.site.questions == 1
    board.site.answer = answer([order("b"), order("a")])
    board.set_hidden(False)
    expect(board.rows).to_have_count(2)
    assert board.site.questions == 2


def test_offline_is_said_at_once_and_the_return_too(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.page.context.set_offline(True)
    expect(board.state).to_have_text("Offline")
    expect(board.notice).to_have_text(
        "This device is offline. The figures are from 12:00:01. This page keeps trying automatically."
    )
    expect(board.rows).to_have_count(1)
    board.wait(1_000)
    expect(board.state).to_have_text("Offline")
    board.picture("offline")
    board.site.answer = answer([order("b"), order("a")])
    board.page.context.set_offline(False)
    expect(board.rows).to_have_count(2)
    expect(board.state).to_have_text("Live")
    expect(board.notice).to_have_text("Connected again: this page is up to date.")


def test_it_can_be_paused(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.page.get_by_role("button", name="Pause").click()
    expect(board.state).to_have_text("Paused")
    board.site.answer = answer([order("b"), order("a")])
    board.wait(60_000)
    assert board.site.questions == 1
    expect(board.updated).to_have_text("updated 12:00:01")
    expect(board.page.locator(".age")).to_be_hidden()  # it would not stay true
    board.page.get_by_role("button", name="Resume").click()
    expect(board.rows).to_have_count(2)
    expect(board.state).to_have_text("Live")


def test_an_answer_that_comes_while_paused_is_asked_for_again(board: Board) -> None:
    board.site.etags = True
    board.site.answer = answer([order("a")])
    board.open()
    expect(board.rows).to_have_count(1)
    board.site.answer = answer([order("b"), order("a")])
    board.site.hold()
    board.wait(1_000)
    board.page.get_by_role("button", name="Pause").click()
    board.site.let_go()
    board.page.get_by_role("button", name="Resume").click()
    expect(board.rows).to_have_count(2)
