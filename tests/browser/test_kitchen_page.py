"""The kitchen's screen: its cards, sounds, sign-in, and new versions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.kitchen import HOLD, POLL
from tests.browser.responses import HOSTILE, NOON

if TYPE_CHECKING:
    from tests.browser.kitchen import Kitchen

TEN_MINUTES = 600_000  # milliseconds between two checks for a new version


def test_cards_glide_only_where_the_device_allows_motion(kitchen: Kitchen) -> None:
    kitchen.api.add("K42")
    kitchen.api.add("K43")
    kitchen.open()
    kitchen.page.emulate_media(reduced_motion="reduce")
    kitchen.api.move("K42", "preparing")
    kitchen.advance()
    expect(kitchen.numbers("preparing")).to_have_text(["K42"])
    assert kitchen.page.evaluate("glides") == 0
    kitchen.page.emulate_media(reduced_motion="no-preference")
    kitchen.api.move("K43", "preparing")
    kitchen.advance()
    expect(kitchen.numbers("preparing")).to_have_text(["K42", "K43"])
    assert kitchen.page.evaluate("glides") > 0


def test_a_new_version_is_loaded_while_no_order_is_open(kitchen: Kitchen) -> None:
    kitchen.api.add("K42")
    kitchen.open()
    kitchen.board.site.settings["version"] = "2"
    loaded = kitchen.board.site.requests.count("/config.js")
    before = kitchen.board.updated.text_content() or ""
    kitchen.fast_forward(TEN_MINUTES)
    expect(kitchen.board.updated).not_to_have_text(before)
    assert kitchen.board.site.not_modified == 1  # an unchanged list is not sent again
    assert kitchen.board.site.requests.count("/config.js") == loaded
    kitchen.api.move("K42", "collected")
    kitchen.advance()
    with kitchen.page.expect_navigation():
        kitchen.fast_forward(TEN_MINUTES)
    expect(kitchen.board.state).to_have_text("Live")


def test_ages_follow_the_servers_clock_and_late_orders_are_marked(kitchen: Kitchen) -> None:
    kitchen.api.now = NOON + timedelta(hours=2)  # the tablet is two hours slow
    kitchen.api.add("K42", ago=179)
    kitchen.api.add("K43", ago=359)
    kitchen.api.add("K44", ago=3_725)
    kitchen.api.add("K45", ago=5, state="ready")
    kitchen.open()
    expect(kitchen.card("K42").locator(".age")).to_have_text("2:59")
    expect(kitchen.card("K44").locator(".age")).to_have_text("1:02:05 overdue")
    expect(kitchen.card("K45").locator(".age")).to_have_text("0:05 waiting")
    kitchen.advance(1_000)  # before the next response
    expect(kitchen.card("K42").locator(".age")).to_have_text("3:00 due")
    expect(kitchen.card("K43").locator(".age")).to_have_text("6:00 overdue")


def test_an_order_of_an_earlier_system_without_a_time_waits_since_it_was_received(kitchen: Kitchen) -> None:
    kitchen.api.add("K42", ago=64, created_at=None)
    kitchen.open()
    expect(kitchen.card("K42").locator(".age")).to_have_text("1:05")


def test_the_cards_that_do_not_fit_are_counted(kitchen: Kitchen) -> None:
    for number in range(300):
        kitchen.api.add(
            f"N{number}", HOSTILE[number % len(HOSTILE)], ago=4_000 - number, quantity=1 + number % 3
        )
    kitchen.open()
    assert kitchen.numbers("received").count() == 200
    expect(kitchen.column("received").get_by_role("heading").first).to_have_text("To make 300")
    more = kitchen.column("received").locator(".rest")
    visible = (
        kitchen.column("received")
        .locator(".card")
        .evaluate_all(
            """(cards) => {
                const { bottom } = cards[0].parentElement.getBoundingClientRect();
                const boxes = cards.map((card) => card.getBoundingClientRect());
                return boxes.filter((card) => (card.top + card.bottom) / 2 <= bottom).length;
            }"""
        )
    )
    expect(more).to_have_text(f"+ {300 - visible} more")
    before = more.text_content() or ""
    more.click()
    kitchen.advance(1_000)
    expect(more).not_to_have_text(before)
    assert kitchen.page.evaluate("document.documentElement.scrollWidth") <= 1180


def test_sounds_announce_new_late_and_cancelled_orders_once_a_tap_allows_them(kitchen: Kitchen) -> None:
    kitchen.api.add("K41", ago=500)
    kitchen.open()
    off = kitchen.board.button("Sound is off: tap here")
    expect(off).to_be_visible()
    kitchen.page.locator("h1").click()  # any tap enables it
    expect(off).to_be_hidden()
    kitchen.api.add("K40", ago=7_000, delayed=True)
    kitchen.advance()
    expect(kitchen.card("K40")).to_be_visible()
    assert kitchen.tones == []  # neither for an order that was late before nor for a delayed one
    kitchen.api.add("K42", ago=356)
    kitchen.api.add("K43", "Tea", quantity=2)
    kitchen.advance()
    assert kitchen.tones == [659, 880]
    expect(kitchen.board.announcement).to_have_text("2 new orders: K42, K43.")
    kitchen.advance()
    assert kitchen.tones == [988] * 3
    kitchen.advance()
    assert kitchen.tones == []  # only once
    kitchen.page.evaluate("audio.suspend()")  # as a telephone call does
    expect(off).to_be_visible()
    kitchen.page.locator("h1").click()
    expect(off).to_be_hidden()
    kitchen.api.move("K43", "cancelled", "Sold out")
    kitchen.advance()
    assert kitchen.tones == [523, 392, 262]
    kitchen.page.evaluate("sessionStorage.mayPlay = true")
    kitchen.page.reload()
    expect(kitchen.numbers("received")).to_have_text(["K41", "K42", "K43"])
    kitchen.board.advance(POLL)
    assert kitchen.tones == []  # nor after a reload


def test_a_cancelled_order_stays_until_it_is_acknowledged_even_over_a_reload(kitchen: Kitchen) -> None:
    kitchen.api.add("K42")
    kitchen.api.add("K43")
    kitchen.open()
    kitchen.api.move("K42", "cancelled", "<b>Sold out</b>")
    kitchen.page.reload()
    expect(kitchen.card("K42")).to_contain_text("Cancelled: <b>Sold out</b>")
    expect(kitchen.card("K42").locator(".item")).to_have_css("text-decoration-line", "none")
    expect(kitchen.card("K42").locator(".what")).to_have_css("text-decoration-line", "line-through")
    expect(kitchen.column("received").locator(".count")).to_have_text("1")
    kitchen.advance()
    kitchen.board.button("Seen: K42").click()
    kitchen.advance(HOLD)
    expect(kitchen.numbers("received")).to_have_text(["K43"])
    kitchen.page.reload()
    expect(kitchen.numbers("received")).to_have_text(["K43"])


def test_a_device_stays_signed_in_and_a_hidden_screen_polls_at_once_when_shown(kitchen: Kitchen) -> None:
    kitchen.api.add("K42")
    kitchen.api.add("K41", state="ready")
    pool = kitchen.board.site.require_sign_in()
    pool.groups = ["staff"]
    kitchen.board.open("/kitchen")
    kitchen.board.button("Sign in").click()
    expect(kitchen.numbers("received")).to_have_text(["K42"])
    kitchen.board.button("More for K41").click()
    expect(kitchen.page.get_by_text("only a manager may cancel it")).to_be_visible()
    expect(kitchen.board.button("Cancel the order")).to_be_hidden()
    kitchen.board.button("Keep it").click()
    kitchen.board.set_hidden(True)
    kitchen.api.add("K43", ago=0)
    kitchen.board.advance(60_000)
    expect(kitchen.numbers("received")).to_have_text(["K42"])
    assert kitchen.page.evaluate("wakeLocks") == 1
    kitchen.board.set_hidden(False)
    expect(kitchen.numbers("received")).to_have_text(["K42", "K43"])
    expect(kitchen.board.announcement).to_have_text("New order K43: 1 Latte.")
    assert kitchen.page.evaluate("wakeLocks") == 2
    kitchen.page.evaluate("sessionStorage.clear()")  # as after a restart of the browser
    kitchen.page.reload()
    expect(kitchen.numbers("received")).to_have_text(["K42", "K43"])
    assert pool.grants == ["authorization_code"]
    pool.access_token, pool.rejects_refresh = "another", True
    kitchen.tap("K42")
    expect(kitchen.page.get_by_role("heading", name="Sign in to see the kitchen")).to_be_visible()
    announcement = kitchen.page.locator("#announcement")
    expect(announcement).to_have_text("K42 Asha was not moved: please sign in again.")
    expect(kitchen.page.locator(".card")).to_have_count(0)
    assert "access-1" not in kitchen.page.evaluate("JSON.stringify({ ...localStorage })")
