"""The screen at the counter, the customer's page, and how the screens of an order's states look and weigh."""

from __future__ import annotations

import gzip
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from infra.web_files import WEB
from tests.browser.fake_order_api import Shop, busy_shop
from tests.browser.fake_site import PAGES
from tests.browser.layout import faults, zoom_text
from tests.browser.responses import LONG_ITEM, LONG_NAME, answer, order
from tests.browser.test_appearance import LARGEST, LARGEST_WITH_FONTS, everything_wrong
from tests.browser.test_kitchen_page import SETUP

if TYPE_CHECKING:
    from tests.browser.conftest import Board

TOKEN = "6c1f0b2e.7f4df1a3-0c2b-4a53.mtFTjmPrIvD8K2l5vXhJ0Q"
TRACK = f"/track#{TOKEN}"
SHOWN = {"/kitchen": ".card", "/ready": "#ready li", TRACK: '[data-order="preparing"]'}


def progress(state: str = "received", **changes: object) -> dict[str, Any]:
    """Return an answer of `GET /track`."""
    now = "2026-11-22T12:00:00.000Z"
    usual = {"number": "K42", "state_at": now, "ready_at": None, "orders_before": 3, "usual_seconds": 250}
    return {"now": now, "state": state, **usual, **changes}


def extreme_shop() -> Shop:
    """Return a shop with the longest texts in every state, and with delayed orders."""
    shop = busy_shop()
    texts = ("Cappuccino", LONG_ITEM, "Almond croissant", "Karamellmacchiato", "Oluwaseun A.", LONG_NAME)
    for number, text in enumerate(texts):
        changes: dict[str, Any] = {
            "customer_name": texts[-number],
            "quantity": 1000,
            "attributes": {"note": text},
        }
        state = ("received", "preparing", "ready")[number % 3]
        shop.add(f"H{number}", text, state=state, ago=4_000, delayed=number == 3, **changes)
    return shop


# --- The screen at the counter ---


def test_the_counter_shows_numbers_large_in_pages_and_says_when_they_are_old(board: Board) -> None:
    board.page.add_init_script(SETUP)
    board.page.set_viewport_size({"width": 1920, "height": 1080})
    shop = board.site.shop
    board.open("/ready")
    expect(board.page.get_by_text("Your number appears here as soon as")).to_be_visible()
    expect(board.page.locator("#clock")).to_have_text("12:00")
    board.page.locator("h1").click()  # some televisions let it sound without
    shop.preparing, shop.ready = ["K41"], ["K40"]
    shop.now += timedelta(seconds=5)
    board.update(5_000)
    expect(board.page.locator("#preparing li:visible")).to_have_text(["K41"])
    expect(board.page.locator("#ready li:visible")).to_have_text(["K40"])
    board.page.evaluate("tones = []")

    shop.ready = ["K42", "K40"]
    shop.now += timedelta(seconds=2)
    board.update(2_000)
    expect(board.page.locator("#ready li")).to_have_text(["K42", "K40"])
    expect(board.page.locator("#ready .new").first).to_have_text("K42")
    assert board.page.evaluate("tones") == [523, 659, 784]
    expect(board.page.locator("#announcement")).to_have_text("Ready: K42")
    board.update(2_000)
    assert len(board.page.evaluate("tones")) == 3

    shop.ready = [f"N{number:02}" for number in range(60)]
    board.update(2_000)
    seen: set[str] = set()
    for _ in range(10):
        entries = board.page.locator("#ready li:not([hidden])")
        for entry in entries.all():
            expect(entry).to_be_in_viewport(ratio=1)
        assert (
            entries.first.evaluate("entry => parseFloat(getComputedStyle(entry).fontSize)")
            >= 0.12 * 1080 - 0.1
        )
        seen |= set(entries.all_text_contents())
        board.wait(8_000)
    assert len(seen) == 60

    board.page.set_viewport_size({"width": 1080, "height": 1920})
    expect(board.page.locator("#ready-page")).not_to_be_empty()
    (size, width) = entries.first.evaluate(
        "entry => [parseFloat(getComputedStyle(entry).fontSize), entry.getBoundingClientRect().right]"
    )
    assert size >= 0.12 * 1920 - 0.1
    assert width <= 1080

    # A phone scrolls: no number has to wait for its page.
    board.page.set_viewport_size({"width": 390, "height": 844})
    expect(board.page.locator("#ready li:visible")).to_have_count(60)
    expect(board.page.locator("#ready-page")).to_be_empty()

    board.site.unreachable = True
    board.page.clock.fast_forward(60_000)
    expect(board.updated).to_contain_text("out of date since 12:0")


# --- The customer's page ---


def test_a_customer_follows_an_order_from_the_form_until_it_is_collected(board: Board) -> None:
    site = board.site
    site.order_answer = {
        "orderId": "o-1",
        "message": "",
        "track_url": f"https://elsewhere.example/track#{TOKEN}",
    }
    site.shop.track = progress(number=None, orders_before=None, usual_seconds=None)
    board.page.add_init_script("Math.random = () => 0.5")
    board.open("/order")
    board.page.get_by_label("Tea").check()
    board.page.get_by_role("button", name="Place the order").click()
    board.page.get_by_role("link", name="Follow your order").click()
    expect(board.page).to_have_url(f"{site.url}{TRACK}")
    details = board.page.locator("#details")
    expect(details).to_have_text("Your number will appear in a moment.")
    assert site.shop.track_tokens[0] == TOKEN
    board.page.clock.fast_forward(2 * 60_000)
    board.page.reload()
    expect(details).to_have_text("Your number will appear in a moment.")
    board.page.clock.fast_forward(61_000)  # nobody records it
    expect(details).to_have_text("It takes longer than usual. Please ask at the counter.")
    for told, headline, words in (
        (progress(), "We have your order", "3 orders before yours. Orders usually take about 4 minutes."),
        (
            progress("preparing", orders_before=0, usual_seconds=None),
            "Your order is being made",
            "Yours is next.",
        ),
        (
            progress("ready", ready_at="2026-11-22T12:00:00.000Z", orders_before=None),
            "Your order is ready",
            "Please collect it at the counter. Ready since 12:00.",
        ),
        (progress("collected"), "Enjoy!", "Collected at 12:00."),
    ):
        site.shop.track = told
        if told["state"] in {"received", "preparing"}:
            board.wait(5_000)
        else:
            board.set_hidden(told["state"] == "ready")  # the title of a hidden tab changes, too
        expect(board.page.get_by_role("heading", level=2)).to_have_text(headline)
        expect(details).to_have_text(words)
        if told["state"] == "ready":
            expect(board.page).to_have_title("Ready: K42 · Cafe orders")
            expect(board.page.locator("[aria-current]")).to_have_text("Ready")
    asked = len(site.shop.track_tokens)
    board.page.clock.fast_forward(120_000)
    assert len(site.shop.track_tokens) == asked
    assert all(TOKEN not in path for path in site.requests)
    for status, headline in ((410, "This order is closed"), (401, "No order at this address")):
        site.shop.track = status
        board.page.reload()
        expect(board.page.get_by_role("heading", level=2)).to_have_text(headline)


def test_the_order_status_shows_how_many_orders_wait(board: Board) -> None:
    board.site.answer = answer([order("a")])
    board.open()
    for name, count in (("received", "4"), ("preparing", "2"), ("ready", "1")):
        expect(board.figure(name)).to_have_text(count)
    expect(board.page.get_by_role("link", name="Kitchen")).to_have_attribute("href", "/kitchen")


# --- How they look ---


def test_the_screens_hold_any_text_at_any_size_and_at_twice_the_text(board: Board) -> None:
    board.page.set_viewport_size({"width": 1180, "height": 820})
    board.open("/kitchen")
    expect(board.page.get_by_text("Nothing to make.")).to_be_visible()
    assert faults(board.page) == []
    board.site.shop = extreme_shop()
    board.site.shop.track = progress("preparing")
    for path, ready in SHOWN.items():
        board.open(path)
        expect(board.page.locator(ready)).not_to_have_count(0)
        for width, height in ((320, 640), (390, 844), (844, 390), (820, 1180), (1180, 820), (1920, 1080)):
            board.resize(width, height)
            for zoom in (1, 2):
                zoom_text(board.page, zoom)
                assert faults(board.page) == [], f"{path}, {width} x {height}, text {zoom:.0%}"
            zoom_text(board.page, 1)


def test_axe_finds_nothing_on_the_screens(running_board: Board) -> None:
    board = running_board
    shop = board.site.shop = busy_shop()
    shop.add("D11", "Tea", ago=9_000, delayed=True)
    shop.track = progress("preparing")
    found: dict[str, list[str]] = {}
    board.open("/kitchen")
    expect(board.page.locator(".card")).not_to_have_count(0)
    shop.move("K51", "cancelled", "Sold out")
    expect(board.page.locator('.card[data-state="cancelled"]')).to_be_visible()
    found["kitchen"] = everything_wrong(board.page)
    board.page.get_by_role("button", name="More for K48").click()
    found["order"] = everything_wrong(board.page)
    board.page.keyboard.press("Escape")
    board.page.get_by_role("button", name="Recently done").click()
    found["recent"] = everything_wrong(board.page)
    board.page.keyboard.press("Escape")
    board.page.context.set_offline(True)
    expect(board.page.locator("#bar-words")).to_contain_text("offline")
    found["offline"] = everything_wrong(board.page)
    board.page.context.set_offline(False)
    for path in ("/ready", TRACK):
        board.open(path)
        expect(board.page.locator(SHOWN[path])).not_to_have_count(0)
        found[path] = everything_wrong(board.page)
    for state in ("ready", "cancelled"):
        shop.track = progress(state)
        board.page.reload()
        expect(board.page.locator(f'[data-order="{state}"]')).to_be_visible()
        found[state] = everything_wrong(board.page)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_every_target_of_the_kitchen_is_large_enough_for_a_finger(board: Board) -> None:
    board.site.shop = busy_shop()
    board.open("/kitchen")
    expect(board.page.locator(".card")).not_to_have_count(0)
    for width, height in ((390, 844), (1180, 820)):
        board.resize(width, height)
        small = board.page.locator("button:visible, a:visible").evaluate_all(
            """all => all.map((target) => [target.textContent, target.getBoundingClientRect()])
                .filter(([, { width, height }]) => Math.min(width, height) < 48).map(([text]) => text)"""
        )
        assert small == []


def test_the_screens_with_all_that_they_load_are_small(board: Board) -> None:
    board.site.shop = busy_shop()
    board.site.shop.track = progress("preparing")
    for path, ready in SHOWN.items():
        board.site.requests.clear()
        board.open(path)
        expect(board.page.locator(ready)).not_to_have_count(0)
        loaded = [WEB / PAGES.get(name, name.removeprefix("/")) for name in set(board.site.requests)]
        sizes = {file: len(gzip.compress(file.read_bytes(), mtime=0)) for file in loaded if file.is_file()}
        texts = {file: size for file, size in sizes.items() if file.suffix != ".woff2"}
        fonts = sum(len(gzip.compress(file.read_bytes(), mtime=0)) for file in WEB.glob("*.woff2"))
        assert sum(texts.values()) < LARGEST, texts
        assert sum(texts.values()) + fonts < LARGEST_WITH_FONTS
