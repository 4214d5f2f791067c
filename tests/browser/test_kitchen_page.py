"""The kitchen screen: taps, concurrent changes by other screens, sounds, and a lost network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.responses import HOSTILE, NOON
from tests.browser.tones import SETUP
from tests.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Board
    from tests.browser.fake_order_api import FakeOrderApi

POLL = 2_000  # milliseconds between two requests while an order is open
HOLD = 1_500  # milliseconds after a touch in which no card moves


@dataclass
class Kitchen:
    """The screen and the API behind it; their clocks advance together."""

    board: Board

    @property
    def page(self) -> Page:
        return self.board.page

    @property
    def api(self) -> FakeOrderApi:
        return self.board.site.order_api

    def open(self) -> None:
        """Open the screen, and wait for its first orders."""
        self.board.open("/kitchen")
        expect(self.board.state).to_have_text("Live")

    def advance(self, milliseconds: int = POLL) -> None:
        """Advance both clocks, by default until the screen shows the next response."""
        self.api.now += timedelta(milliseconds=milliseconds)
        before = self.board.updated.text_content()
        self.board.advance(milliseconds)
        if milliseconds >= POLL:
            expect(self.board.updated).not_to_have_text(before or "")

    def fast_forward(self, milliseconds: int) -> None:
        """Move both clocks forward at once; no request may be in flight, or it would time out."""
        self.api.now += timedelta(milliseconds=milliseconds)
        self.page.clock.fast_forward(milliseconds)

    def column(self, state: str) -> Locator:
        return self.page.locator(f'section[data-column="{state}"]')

    def numbers(self, state: str) -> Locator:
        """The pickup numbers in a column, from top to bottom."""
        return self.column(state).locator(".number")

    def card(self, number: str) -> Locator:
        return self.page.locator(".card").filter(has=self.page.get_by_text(number, exact=True))

    def tap(self, number: str) -> None:
        """Tap a card in its middle."""
        self.card(number).click()

    @property
    def bar(self) -> Locator:
        """The bar at the bottom, with the result of the last move and its undo."""
        return self.page.locator("#bar-words")

    @property
    def tones(self) -> list[int]:
        """Take the tones that were played since the last call."""
        played: list[int] = self.page.evaluate("tones.splice(0)")
        return played

    @property
    def targets(self) -> list[Any]:
        """The target states that the screen has requested."""
        return [body["state"] for _, body, _ in self.api.patches]


@pytest.fixture
def kitchen(board: Board) -> Kitchen:
    """The screen on a tablet, not loaded yet."""
    board.page.add_init_script(SETUP)
    board.page.set_viewport_size({"width": 1180, "height": 820})
    return Kitchen(board)


def test_an_order_is_moved_by_taps_undone_and_brought_back(kitchen: Kitchen) -> None:
    kitchen.api.add("K42", "Latte", quantity=2, attributes={"note": "oat milk", "table_number": 7})
    kitchen.api.add("K43", "Tea", ago=10)
    kitchen.open()
    expect(kitchen.card("K42")).to_contain_text("2 × Latte")
    expect(kitchen.card("K42").locator(".notes")).to_have_text("note oat milktable number 7")
    expect(kitchen.page.locator("#to-make")).to_have_text("Latte 2, Tea 1 still to make")
    expect(kitchen.page).to_have_title("2 to make · Kitchen")

    kitchen.board.site.hold_responses()
    kitchen.card("K42").dblclick()
    expect(kitchen.card("K42")).to_have_attribute("data-pending", "true")
    expect(kitchen.numbers("received")).to_have_text(["K42", "K43"])  # a card moves once it is confirmed
    kitchen.board.site.release_responses()
    expect(kitchen.bar).to_have_text("K42 Asha: Making")
    expect(kitchen.card("K42")).to_have_attribute("data-moved", "true")  # it stays under the finger for now
    kitchen.tap("K42")
    kitchen.advance(HOLD)
    expect(kitchen.numbers("preparing")).to_have_text(["K42"])
    assert kitchen.targets == ["preparing"]
    [(_, body, headers)] = kitchen.api.patches
    assert body == {"state": "preparing"}
    assert headers["if-match"] == '"1"'
    assert len(headers["idempotency-key"]) == 36

    kitchen.board.button("Undo: back to “To make”").click()
    expect(kitchen.numbers("received")).to_have_text(["K42", "K43"])
    expect(kitchen.bar).to_have_text("K42 Asha: To make")

    kitchen.fast_forward(13_000)
    expect(kitchen.bar).to_be_empty()
    kitchen.board.button("More for K42 Asha").click()
    kitchen.board.button("Straight to “Collected”: K42 Asha").click()
    expect(kitchen.bar).to_have_text("K42 Asha: Collected")
    kitchen.board.button("Recently done").click()
    drawer = kitchen.page.get_by_role("dialog", name="Recently done")
    expect(drawer.get_by_role("listitem")).to_have_text(
        ["K42 Asha 2 × Latte Collected 12:00Back to “To make”"]
    )
    drawer.get_by_role("button", name="Back to “To make”: K42 Asha").click()
    expect(kitchen.bar).to_have_text("K42 Asha: To make")
    drawer.get_by_role("button", name="Close").click()
    assert kitchen.targets == ["preparing", "received", "collected", "received"]
    versions = [change["version"] for change in kitchen.api.history["order-K42"]]
    assert versions == sorted(set(versions))


def test_a_move_without_a_response_is_sent_again_and_an_older_response_changes_nothing(
    kitchen: Kitchen,
) -> None:
    kitchen.api.add("K42")
    kitchen.open()
    kitchen.api.responses_to_lose = 2
    with kitchen.page.expect_event("requestfailed"):
        kitchen.tap("K42")
    expect(kitchen.card("K42")).to_have_attribute("data-pending", "true")
    with kitchen.page.expect_event("requestfailed"):
        kitchen.board.advance(500)
    with kitchen.page.expect_request("**/orders/*"):
        kitchen.board.advance(1_500)
    expect(kitchen.bar).to_have_text("K42 Asha: Making")
    assert len(kitchen.api.history["order-K42"]) == 1
    assert len({headers["idempotency-key"] for _, _, headers in kitchen.api.patches}) == 1

    kitchen.advance()
    expect(kitchen.numbers("preparing")).to_have_text(["K42"])
    current = kitchen.api.orders["order-K42"]
    kitchen.api.orders["order-K42"] = {**current, "state": "received", "version": 1}
    kitchen.advance()  # an older version of the order, such as a cache's
    expect(kitchen.numbers("preparing")).to_have_text(["K42"])
    kitchen.api.orders = {}
    kitchen.api.now -= timedelta(minutes=1)
    with kitchen.page.expect_response("**/kitchen"):
        kitchen.board.advance(POLL)  # a whole response that is older
    expect(kitchen.numbers("preparing")).to_have_text(["K42"])
    kitchen.api.now += timedelta(minutes=1)
    kitchen.advance()
    expect(kitchen.numbers("preparing")).to_have_count(0)


def test_an_order_whose_id_is_a_path_segment_is_moved(kitchen: Kitchen) -> None:
    kitchen.api.add("K42", order_id="..")
    kitchen.open()
    kitchen.tap("K42")
    expect(kitchen.bar).to_have_text("K42 Asha: Making")


def test_a_move_that_the_api_refuses_is_reported_and_undone(kitchen: Kitchen) -> None:
    kitchen.api.add("K42")
    kitchen.open()
    kitchen.api.move("K42", "ready")
    kitchen.tap("K42")
    expect(kitchen.bar).to_have_text("K42 Asha was not moved: another screen moved it: Ready.")
    kitchen.advance()
    expect(kitchen.numbers("ready")).to_have_text(["K42"])
    for status, text in (
        (403, "your account may not do this; ask a manager"),
        (404, "it is not recorded yet, or no longer exists"),
        (400, "No"),
    ):
        kitchen.board.site.status = status
        kitchen.tap("K42")
        expect(kitchen.bar).to_have_text(f"K42 Asha was not moved: {text}.")
    kitchen.board.site.status = 200
    expect(kitchen.numbers("ready")).to_have_text(["K42"])


def test_a_card_does_not_move_while_it_is_touched(kitchen: Kitchen) -> None:
    for number, ago in (("K41", 90), ("K42", 60), ("K43", 30)):
        kitchen.api.add(number, ago=ago)
    kitchen.open()
    box = kitchen.card("K43").bounding_box()
    assert box
    kitchen.page.mouse.move(box["x"] + 30, box["y"] + 30)
    kitchen.page.mouse.down()
    kitchen.api.move("K41", "preparing")
    kitchen.api.add("K44", ago=0)
    kitchen.api.add("K40", ago=1_000_000, delayed=True)
    kitchen.advance()
    expect(kitchen.numbers("received")).to_have_text(
        ["K41", "K42", "K43", "K44"]
    )  # a new card is added below
    expect(kitchen.page.locator(".new .number")).to_have_text(["K44"])
    assert kitchen.card("K43").bounding_box() == box
    kitchen.page.mouse.up()
    expect(kitchen.bar).to_have_text("K43 Asha: Making")
    assert kitchen.targets == ["preparing"]
    assert kitchen.api.patches[0][0] == "order-K43"
    assert kitchen.card("K43").bounding_box() == box
    kitchen.advance(HOLD)
    expect(kitchen.numbers("received")).to_have_text(["K42", "K44"])
    expect(kitchen.page.get_by_role("region", name="Delayed: check first")).to_contain_text("K40")
    # A card that has just moved under the finger ignores a tap.
    kitchen.tap("K42")
    assert kitchen.targets == ["preparing"]
    kitchen.advance(500)
    kitchen.tap("K42")
    expect(kitchen.bar).to_have_text("K42 Asha: Making")


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
    kitchen.api.add("K40", ago=7_000, delayed=True)
    kitchen.open()
    off = kitchen.board.button("Sound is off: tap here")
    expect(off).to_be_visible()
    kitchen.page.locator("h1").click()  # any tap enables it
    expect(off).to_be_hidden()
    kitchen.advance()
    assert kitchen.tones == []  # neither for orders that were late before nor for delayed ones
    kitchen.api.add("K42", ago=356)
    kitchen.api.add("K43", "Tea", quantity=2)
    kitchen.advance()
    assert kitchen.tones == [659, 880]
    expect(kitchen.board.announcement).to_have_text("2 new orders: K42, K43.")
    kitchen.advance()
    assert kitchen.tones == [988] * 3
    kitchen.advance()
    assert kitchen.tones == []  # only once
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


def test_an_order_is_cancelled_with_a_reason_by_keyboard_and_focus_is_kept(kitchen: Kitchen) -> None:
    kitchen.api.add("K42", state="preparing")
    kitchen.api.add("K43", state="preparing", ago=10)
    kitchen.open()
    keyboard = kitchen.page.keyboard
    kitchen.board.button("More for K42 Asha").focus()
    keyboard.press("Enter")
    sheet = kitchen.page.get_by_role("dialog", name="K42 Asha")
    expect(sheet.get_by_role("heading")).to_be_focused()
    sheet.get_by_role("button", name="Cancel the order").click()
    expect(sheet.get_by_role("alert")).to_have_text("Please give a reason.")
    expect(sheet.get_by_label("Sold out")).to_be_focused()
    sheet.get_by_label("Another reason").check()
    expect(sheet.get_by_label("The reason")).to_be_focused()
    keyboard.type("The oven is broken")
    keyboard.press("Enter")
    expect(kitchen.bar).to_have_text("K42 Asha: Cancelled")
    assert kitchen.api.patches[0][1] == {"state": "cancelled", "reason": "The oven is broken"}
    expect(kitchen.numbers("preparing")).to_have_text(["K43"])  # this screen cancelled it itself
    expect(kitchen.board.button("Undo: back to “Making”")).to_be_visible()
    next_card = kitchen.board.button("Ready: K43 Asha")
    next_card.focus()
    keyboard.press("Enter")
    expect(kitchen.numbers("ready")).to_have_text(["K43"])
    expect(kitchen.board.button("Collected: K43 Asha")).to_be_focused()


def test_an_order_that_another_screen_collects_offers_no_cancellation(kitchen: Kitchen) -> None:
    kitchen.api.add("K42", state="ready")
    kitchen.open()
    kitchen.page.locator("#ready-title").click()  # a touch holds all cards for a moment
    kitchen.api.move("K42", "collected")
    kitchen.board.set_hidden(False)  # polls without moving the clock
    expect(kitchen.card("K42")).to_have_attribute("data-moved", "true")
    kitchen.board.button("More for K42 Asha").click()
    sheet = kitchen.page.get_by_role("dialog")
    expect(sheet).to_contain_text("Collected since 12:00")
    expect(sheet.get_by_role("button", name="Back to “Ready”: K42 Asha")).to_be_visible()
    expect(sheet.get_by_role("button", name="Cancel the order")).to_be_hidden()


def test_offline_the_cards_stay_and_a_move_is_refused(kitchen: Kitchen) -> None:
    kitchen.api.add("K42")
    kitchen.open()
    kitchen.board.set_offline(True)
    banner = (
        "This device is offline. The orders are as of 12:00:01, "
        "and cannot be moved until the screen is connected again."
    )
    expect(kitchen.bar).to_have_text(banner)
    expect(kitchen.board.state).to_have_text("Offline")
    kitchen.tap("K42")
    expect(kitchen.bar).to_have_text(f"K42 Asha was not moved. {banner}")
    expect(kitchen.numbers("received")).to_have_text(["K42"])
    assert kitchen.api.patches == []
    kitchen.board.set_offline(False)
    expect(kitchen.board.state).to_have_text("Live")
    expect(kitchen.bar).to_have_text("K42 Asha was not moved.")
    kitchen.fast_forward(10_000)
    expect(kitchen.bar).to_be_empty()
    kitchen.board.site.status = 503
    text = "The order service reports an error (503). The orders are as of"

    def is_reported() -> bool:
        kitchen.board.advance(1_000)
        return text in (kitchen.bar.text_content() or "")

    eventually(is_reported)


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
