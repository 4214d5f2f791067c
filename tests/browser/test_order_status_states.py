"""The states of the order-status page: loading, empty, stale, degraded, offline, paused, and live again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.responses import Json, busy_morning, degraded_status, order
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.browser.conftest import Board


def test_the_first_response_moves_nothing(board: Board) -> None:
    board.site.response = busy_morning()
    board.site.hold_responses()
    board.open()
    expect(board.state).to_have_text("Loading")
    fixed = board.page.locator("h1, h2, h3, dt, #table thead th, .verdict")
    tops = "elements => elements.map((element) => element.getBoundingClientRect().top)"
    before = fixed.evaluate_all(tops)
    board.site.release_responses()
    expect(board.rows).to_have_count(20)
    assert fixed.evaluate_all(tops) == pytest.approx(before, abs=2)


def test_without_orders_the_page_shows_how_to_place_one(board: Board) -> None:
    board.open_with([])
    empty = board.page.locator("#empty")
    expect(empty.get_by_text("No orders yet")).to_be_visible()
    expect(empty.get_by_role("link", name="Place an order")).to_have_attribute("href", "/order")
    expect(empty.get_by_text("cafe order Latte")).to_be_visible()
    expect(board.figure("today")).to_have_text("0")
    expect(board.verdict).to_have_text("Ready for the first order.")
    board.receive([order("a")])
    expect(board.rows).to_have_count(1)
    expect(empty).to_be_hidden()


def test_a_failing_api_is_reported_at_the_second_failure_and_the_figures_stay(board: Board) -> None:
    board.open_with([order("a")], today=7)
    board.site.unreachable = True
    board.fail()
    expect(board.state).to_contain_text("Next try")
    expect(board.notice).to_be_empty()
    expect(board.page.locator("body")).to_have_attribute("data-state", "live")
    board.fail(2_000)
    expect(board.page.locator("body")).to_have_attribute("data-state", "stale")
    expect(board.notice).to_have_text(
        "The order service cannot be reached. "
        "The figures are from 12:00:01. This page keeps trying automatically."
    )
    expect(board.rows).to_have_count(1)
    expect(board.figure("today")).to_have_text("7")
    next_try = board.state.text_content() or ""
    board.page.clock.fast_forward(180_000)
    expect(board.state).not_to_have_text(next_try)
    expect(board.updated).to_have_text("updated 12:00:01, 3 min ago")

    board.site.unreachable = False
    board.respond_with([order("b"), order("a")], today=8)
    board.page.clock.fast_forward(30_000)
    expect(board.state).to_have_text("Live")
    expect(board.notice).to_have_text("Connected again: this page is up to date.")
    expect(board.figure("today")).to_have_text("8")
    board.advance(7_000)
    expect(board.notice).to_be_empty()

    board.site.unreachable = True
    board.fail()
    board.site.unreachable = False
    board.advance(2_000)
    expect(board.state).to_have_text("Live")
    expect(board.notice).to_be_empty()


@pytest.mark.parametrize(("random", "share"), [(0, 1), (0.8, 0.8)])
def test_polls_become_rarer_with_each_failure(board: Board, random: float, share: float) -> None:
    board.page.add_init_script(f"Math.random = () => {random}")
    board.site.unreachable = True
    board.open()
    expect(board.state).to_contain_text("Next try")
    expect(board.notice).to_have_text(
        "The order service cannot be reached. This page keeps trying automatically."
    )
    expect(board.updated).to_have_text("no figures yet")
    expect(board.page.get_by_text("No orders yet")).to_be_hidden()
    for longest in (2_000, 4_000, 8_000, 16_000, 30_000, 30_000):
        requests, pause = board.site.status_requests, int(longest * share)
        board.advance(pause - 1)
        assert board.site.status_requests == requests
        board.fail(1)
        assert board.site.status_requests == requests + 1


def test_a_403_hides_the_orders_until_access_is_back(board: Board) -> None:
    board.open_with([order("a")])
    board.site.status = 403
    board.advance(1_000)
    expect(board.page.get_by_role("heading", name="No access from this network")).to_be_visible()
    expect(board.state).to_have_text("No access")
    expect(board.rows).to_have_count(0)  # their names are not left in the page
    expect(board.announcement).to_contain_text("No access from this network.")
    board.site.status = 200
    board.page.clock.fast_forward(30_000)
    expect(board.rows).to_have_count(1)
    expect(board.sign_in_panel).to_be_hidden()


def test_error_statuses_and_invalid_responses_are_reported(board: Board) -> None:
    board.site.status = 503
    board.open()
    expect(board.notice).to_contain_text("The order service reports an error (503).")
    board.site.status = 200
    for body, pause in (("", 2_000), ("<title>Login</title>", 4_000), ("null", 8_000), ("{}", 16_000)):
        board.site.response = body
        board.fail(pause)
        expect(board.notice).to_contain_text("sent an invalid response")
    expect(board.page.get_by_text("No orders yet")).to_be_hidden()


@pytest.mark.parametrize("etags", [False, True])
def test_a_cache_that_repeats_an_old_response_is_reported(board: Board, etags: bool) -> None:
    board.site.etags = etags
    board.open_with([order("a")], generated_at="2026-11-22T12:00:00Z")
    expect(board.state).to_have_text("Live")
    board.site.headers["Age"] = "16" if etags else "0"
    board.page.clock.fast_forward(16_000)
    expect(board.notice).to_contain_text("returns an old response. The figures are from 12:00:01.")


def test_an_unavailable_source_is_named(board: Board) -> None:
    board.open_with([order("a")])
    for source, text in (
        ("rds", "The order history (RDS) cannot be read now."),
        ("dynamodb", "The counters (DynamoDB) cannot be read now."),
        ("sqs", "The queue (SQS) cannot be read now."),
        ("moon", "Moon cannot be read now."),
    ):
        board.receive([order("a")], degraded=[source])
        expect(board.notice).to_contain_text(text)
        expect(board.state).to_have_text("Partly live")


def test_the_last_known_figures_of_unavailable_sources_stay_and_look_old(board: Board) -> None:
    board.site.response = busy_morning()
    board.open()
    expect(board.rows).to_have_count(20)
    board.site.response = degraded_status("rds", "dynamodb", "sqs")
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


def test_an_unknown_figure_is_not_zero(board: Board) -> None:
    board.site.response = degraded_status("rds", "dynamodb", "sqs")
    board.open()
    expect(board.state).to_have_text("Partly live")
    for name in ("today", "total", "waiting", "inFlight", "inRds", "counted", "deadLettered"):
        expect(board.figure(name)).to_have_text("–")
    expect(board.page.get_by_text("No orders yet")).to_be_hidden()


def test_orders_stay_while_rds_is_unavailable_and_may_lack_every_field(board: Board) -> None:
    empty = order("b", customer_name=None, item=None, quantity=None, created_at=None)
    board.open_with([order("a", created_at=None), empty])
    texts = ["1LatteAshatime unknown", "–––time unknown"]
    expect(board.rows).to_have_text(texts)
    unread: tuple[list[Json] | None, ...] = ([], None)
    for recent_orders in unread:
        board.receive([], degraded=["rds"], recent_orders=recent_orders)
        expect(board.rows).to_have_text(texts)
        expect(board.page.get_by_text("No orders yet")).to_be_hidden()


# --- When it polls ---


def test_only_one_request_is_in_flight(board: Board) -> None:
    board.site.hold_responses()
    board.open()
    eventually(lambda: board.site.status_requests == 1)
    board.advance(9_000)
    board.page.evaluate("for (const name of ['online', 'focus']) dispatchEvent(new Event(name))")
    board.set_hidden(False)
    assert board.site.status_requests == 1
    board.site.release_responses()
    expect(board.state).to_have_text("Live")
    board.update()
    assert board.site.status_requests == 2
    assert board.site.max_in_flight == 1


def test_a_hidden_tab_does_not_poll_and_polls_at_once_when_shown(board: Board) -> None:
    board.open_with([order("a")])
    board.set_hidden(True)
    board.advance(60_000)
    assert board.site.status_requests == 1
    board.respond_with([order("b"), order("a")])
    board.set_hidden(False)
    expect(board.rows).to_have_count(2)
    assert board.site.status_requests == 2


def test_a_lost_and_a_restored_network_are_shown_at_once(board: Board) -> None:
    board.open_with([order("a")])
    board.set_offline(True)
    expect(board.state).to_have_text("Offline")
    expect(board.notice).to_have_text(
        "This device is offline. The figures are from 12:00:01. This page keeps trying automatically."
    )
    expect(board.rows).to_have_count(1)
    with board.page.expect_event("requestfailed"):
        board.advance(1_000)
    expect(board.state).to_have_text("Offline")
    board.respond_with([order("b"), order("a")])
    board.set_offline(False)
    expect(board.rows).to_have_count(2)
    expect(board.state).to_have_text("Live")
    expect(board.notice).to_have_text("Connected again: this page is up to date.")


def test_a_paused_page_does_not_poll_and_drops_the_response_that_arrives_meanwhile(board: Board) -> None:
    board.site.etags = True
    board.open_with([order("a")])
    board.respond_with([order("b"), order("a")])
    board.site.hold_responses()
    board.advance(1_000)
    board.button("Pause").click()
    expect(board.state).to_have_text("Paused")
    with board.page.expect_response("**/order-status"):
        board.site.release_responses()
    board.advance(60_000)
    assert board.site.status_requests == 2
    expect(board.updated).to_have_text("updated 12:00:01")
    expect(board.page.locator(".age")).to_be_hidden()  # it would become wrong
    board.button("Resume").click()
    expect(board.rows).to_have_count(2)
    expect(board.state).to_have_text("Live")
