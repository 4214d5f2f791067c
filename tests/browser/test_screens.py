"""The screen at the counter, and the customer's page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.conftest import TOKEN, TRACK
from tests.browser.fake_order_api import track_response
from tests.browser.tones import SETUP

if TYPE_CHECKING:
    from tests.browser.conftest import Board

TEN_MINUTES = 600_000  # milliseconds
# The numbers on the page, how many of them the window cuts off, and the first one's text size and right edge.
NUMBERS = """(list) => {
  const entries = [...list.children].filter((entry) => !entry.hidden);
  const boxes = entries.map((entry) => entry.getBoundingClientRect());
  const fits = ({ left, top, right, bottom }) =>
    left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
  const size = parseFloat(getComputedStyle(entries[0]).fontSize);
  const cutOff = boxes.filter((box) => !fits(box)).length;
  return [entries.map((entry) => entry.textContent), cutOff, size, boxes[0].right];
}"""


def test_the_counter_shows_large_numbers_in_pages_and_marks_old_ones(board: Board) -> None:
    board.page.add_init_script(SETUP)
    board.page.set_viewport_size({"width": 1920, "height": 1080})
    api = board.site.order_api
    board.open("/ready")
    expect(board.page.get_by_text("Your number appears here as soon as")).to_be_visible()
    expect(board.page.locator("#clock")).to_have_text("12:00")
    board.page.locator("h1").click()  # a tap allows sound; some televisions need none
    api.preparing, api.ready = ["K41"], ["K40"]
    api.now += timedelta(seconds=5)
    board.update(5_000)
    expect(board.page.locator("#preparing li:visible")).to_have_text(["K41"])
    expect(board.page.locator("#ready li:visible")).to_have_text(["K40"])
    board.page.evaluate("tones = []")

    api.ready = ["K42", "K40"]
    api.now += timedelta(seconds=2)
    board.update(2_000)
    expect(board.page.locator("#ready li")).to_have_text(["K42", "K40"])
    expect(board.page.locator("#ready .new").first).to_have_text("K42")
    assert board.page.evaluate("tones") == [523, 659, 784]
    expect(board.announcement).to_have_text("Ready: K42")
    api.preparing = ["K41", "K43"]
    board.update(2_000)
    expect(board.page.locator("#preparing li:visible")).to_have_text(["K41", "K43"])
    assert len(board.page.evaluate("tones")) == 3

    api.ready = [f"N{number:02}" for number in range(60)]
    board.update(2_000)
    numbers = board.page.locator("#ready")
    expect(numbers.locator("li")).to_have_count(60)
    seen: set[str] = set()
    for _ in range(10):
        texts, cut_off, size, _ = numbers.evaluate(NUMBERS)
        assert cut_off == 0
        assert size >= 0.12 * 1080 - 0.1
        seen.update(texts)
        board.advance(8_000)
    assert len(seen) == 60

    board.page.set_viewport_size({"width": 1080, "height": 1920})
    expect(board.page.locator("#ready-page")).not_to_be_empty()
    _, _, size, right = numbers.evaluate(NUMBERS)
    assert size >= 0.12 * 1920 - 0.1
    assert right <= 1080

    # A phone scrolls: no number waits for its page.
    board.page.set_viewport_size({"width": 390, "height": 844})
    expect(board.page.locator("#ready li:visible")).to_have_count(60)
    expect(board.page.locator("#ready-page")).to_be_empty()

    board.site.unreachable = True
    board.page.clock.fast_forward(60_000)
    expect(board.updated).to_contain_text("out of date since 12:0")
    assert board.page.evaluate("wakeLocks") == 1
    board.site.settings["version"] = "2"
    with board.page.expect_navigation():
        board.page.clock.fast_forward(TEN_MINUTES)


def test_a_customer_follows_an_order_from_the_form_until_it_is_collected(board: Board) -> None:
    site, api = board.site, board.site.order_api
    site.order_response = {
        "orderId": "o-1",
        "message": "",
        "track_url": f"https://elsewhere.example/track#{TOKEN}",
    }
    api.track = track_response(number=None, orders_before=None, usual_seconds=None)
    board.page.add_init_script("Math.random = () => 0.5")
    board.open("/order")
    board.page.get_by_label("Tea").check()
    board.button("Place the order").click()
    board.page.get_by_role("link", name="Follow your order").click()
    expect(board.page).to_have_url(f"{site.url}{TRACK}")
    details = board.page.locator("#details")
    expect(details).to_have_text("Your number will appear in a moment.")
    assert api.track_tokens[0] == TOKEN
    board.page.clock.fast_forward(2 * 60_000)
    board.page.reload()
    expect(details).to_have_text("Your number will appear in a moment.")
    board.page.clock.fast_forward(61_000)  # three minutes since the page was opened first
    expect(details).to_have_text("It takes longer than usual. Please ask at the counter.")
    for response, headline, text in (
        (
            track_response(),
            "We have your order",
            "3 orders before yours. Orders usually take about 4 minutes.",
        ),
        (
            track_response("preparing", orders_before=0, usual_seconds=None),
            "Your order is being made",
            "Yours is next.",
        ),
        (
            track_response("ready", ready_at="2026-11-22T12:00:00.000Z", orders_before=None),
            "Your order is ready",
            "Please collect it at the counter. Ready since 12:00.",
        ),
        (track_response("collected"), "Enjoy!", "Collected at 12:00."),
    ):
        api.track = response
        if response["state"] in {"received", "preparing"}:
            board.advance(5_000)
        else:
            board.set_hidden(response["state"] == "ready")  # a hidden tab polls, too, for its title
        expect(board.page.get_by_role("heading", level=2)).to_have_text(headline)
        expect(details).to_have_text(text)
        if response["state"] == "ready":
            expect(board.page).to_have_title("Ready: K42 · Cafe orders")
            expect(board.page.locator("[aria-current]")).to_have_text("Ready")
    requests = len(api.track_tokens)
    board.page.clock.fast_forward(120_000)
    assert len(api.track_tokens) == requests
    assert all(TOKEN not in path for path in site.requests)
    for status, headline in ((410, "This order is closed"), (401, "No order at this address")):
        api.track = status
        board.page.reload()
        expect(board.page.get_by_role("heading", level=2)).to_have_text(headline)


def test_a_customers_page_polls_less_often_after_ten_minutes_without_a_change(board: Board) -> None:
    api = board.site.order_api
    api.track = track_response()
    board.page.add_init_script("Math.random = () => 0.5")
    board.open(TRACK)
    expect(board.updated).to_contain_text("updated")
    board.update(5_000)
    before = board.updated.text_content() or ""
    board.page.clock.fast_forward(TEN_MINUTES)
    expect(board.updated).not_to_have_text(before)
    requests = len(api.track_tokens)
    board.advance(14_000)
    assert len(api.track_tokens) == requests
    board.update(1_000)
    assert len(api.track_tokens) == requests + 1
