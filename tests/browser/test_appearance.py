"""The layout in every font, window and zoom, with the longest texts, on a wall, in the dark and on paper."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import TRACK
from tests.browser.fake_order_api import extreme_order_api, track_response
from tests.browser.layout import faults, zoom_text
from tests.browser.responses import (
    EXTREME_MENU,
    HOSTILE,
    busy_morning,
    degraded_status,
    extremes,
    hostile_status,
    order,
    stuck_morning,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Board

FONTS = [None, "wide", "narrow"]  # None: the pages' own
SIZES = (
    (320, 640),
    (360, 740),
    (768, 1024),
    (1024, 768),
    (1280, 800),
    (1920, 1080),
    (1080, 1920),
    (3840, 2160),
)
# With other fonts: each kind of layout at its tightest.
TIGHTEST = ((320, 640), (768, 1024), (1024, 768), (1920, 1080))
SCREENS = ((320, 640), (390, 844), (844, 390), (820, 1180), (1180, 820), (1920, 1080))
WIDTHS = (3840, 1280, 768, 480, 320)


def check_layout(board: Board, sizes: tuple[tuple[int, int], ...]) -> None:
    """Check the page in windows of these sizes, each with text of the normal and of twice the size."""
    for width, height in sizes:
        board.resize(width, height)
        for zoom in (1, 2):
            zoom_text(board.page, zoom)
            assert faults(board.page) == [], f"{width} x {height}, text {zoom:.0%}"
        zoom_text(board.page, 1)


def overflowing(page: Page) -> list[str]:
    """Return the elements that stick out of the window sideways."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((element) => !element.closest(".for-ears, svg") && element.getClientRects().length
                && element.getBoundingClientRect().right > innerWidth + 1)
            .map((element) => element.outerHTML.slice(0, 100))"""
    )
    return found


# --- Every font, window and zoom ---


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("path", ["/order-status", "/order-status?kiosk", "/order", "signed out"])
def test_the_longest_texts_fit_in_any_font_window_and_zoom(board: Board, path: str, font: str | None) -> None:
    board.site.font = font
    board.site.response, board.site.menu = extremes(), {"menu": EXTREME_MENU}
    if path == "signed out":
        board.site.require_sign_in()
        board.open()
        expect(board.sign_in_panel).to_be_visible()
    else:
        board.load(path)
    if path == "/order":
        board.page.locator("#menu label").first.click()
    check_layout(board, TIGHTEST if font else SIZES)


def test_the_longest_texts_fit_on_the_screens_of_the_orders_states(board: Board) -> None:
    board.page.set_viewport_size({"width": 1180, "height": 820})
    board.open("/kitchen")
    expect(board.page.get_by_text("Nothing to make.")).to_be_visible()
    assert faults(board.page) == []
    board.site.order_api = extreme_order_api()
    board.site.order_api.track = track_response("preparing")
    for path in ("/kitchen", "/ready", TRACK):
        board.load(path)
        check_layout(board, SCREENS)


@pytest.mark.parametrize("font", FONTS)
def test_figures_of_any_length_fit_and_are_as_large_as_possible(board: Board, font: str | None) -> None:
    board.site.font = font
    board.open_with([])
    sizes = []
    for digits in range(1, 10):
        board.site.response = extremes(int("8" * digits))
        board.update()
        expect(board.figure("today")).to_have_text(f"{int('8' * digits):,}")
        assert faults(board.page) == [], f"{digits} digits"
        size = board.figure("today").evaluate("(figure) => parseFloat(getComputedStyle(figure).fontSize)")
        sizes.append(size)
    assert sizes == sorted(sizes, reverse=True)
    used = board.figure("today").evaluate(
        """(figure) => {
            const range = new Range();
            range.selectNodeContents(figure);
            return range.getBoundingClientRect().width / figure.parentElement.clientWidth;
        }"""
    )
    assert 0.93 < used <= 1


def test_faults_of_a_layout_are_noticed(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.browser.layout.SETTLED", 100)
    board.site.response = busy_morning()
    board.load("/order-status")
    assert faults(board.page) == []
    for selector, style, fault in (
        ("#rows .item", "marginLeft = '-4rem'", "overlap: "),
        ("#verdict", "width = '3ch'", "sticks out: |broken: "),
        ("[data-figure=total]", "fontSize = '9rem'", "sticks out: "),
        ("#rows tr:nth-child(5) .item", "width = '5ch'", 'broken: "Cappuccino"'),
    ):
        board.page.evaluate(f"document.querySelector('{selector}').style.{style}")
        assert re.search(fault, "\n".join(faults(board.page))), selector
        board.page.evaluate(f"document.querySelector('{selector}').style.cssText = ''")


@pytest.mark.parametrize("path", ["/order-status", "/order-status?kiosk", "/order"])
def test_hostile_texts_stick_out_at_no_width(board: Board, path: str) -> None:
    board.site.response = hostile_status()
    board.site.menu = {"menu": [{"item": text, "price": 1_000_000} for text in HOSTILE]}
    board.load(path)
    for width in WIDTHS:
        board.resize(width, 800)
        assert board.page.evaluate("document.documentElement.scrollWidth") <= width
        assert overflowing(board.page) == []
        # A number that is cut off would be another number.
        cut_off = "cells => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).length"
        assert board.page.locator(".quantity").evaluate_all(cut_off) == 0, width
        past_the_card = """lists => lists.flatMap((list) => [...list.querySelectorAll("b")].filter((number) =>
            number.getBoundingClientRect().right > list.getBoundingClientRect().right)).length"""
        assert board.page.locator("#items, #hops").evaluate_all(past_the_card) == 0, width


def test_the_orders_of_today_are_large_and_visible_without_scrolling(board: Board) -> None:
    board.site.response = busy_morning()
    board.load("/order-status")
    today = board.figure("today")
    for width, height in ((360, 740), (820, 1180), (1440, 900)):
        board.resize(width, height)
        expect(today).to_be_in_viewport(ratio=1)
        assert today.evaluate("(element) => parseFloat(getComputedStyle(element).fontSize)") > 90  # pixels
    board.resize(1280, 800)
    board.receive([order("a")], total=1_234_567_890, today=123_456_789, yesterday=1)
    expect(today).to_have_text("123,456,789")
    for name in ("today", "total", "counted", "inRds"):
        assert board.figure(name).evaluate("(element) => element.scrollWidth <= element.clientWidth + 1")
    assert overflowing(board.page) == []


# --- A wall screen ---


@pytest.mark.parametrize("font", FONTS)
def test_a_wall_screen_shows_everything_at_once(board: Board, font: str | None) -> None:
    board.site.font = font
    board.site.response = stuck_morning()
    board.load("/order-status?kiosk")
    for width, height in ((1280, 720), (1920, 1080), (3840, 2160), (1080, 1920), (1024, 768)):
        board.resize(width, height)
        for last in (board.rows.last, board.figure("total"), board.page.locator("#items li").last):
            expect(last).to_be_in_viewport(ratio=1)
        cut_off = board.page.evaluate(
            """() => [...document.querySelectorAll("section")]
                .filter((part) => part.checkVisibility() && part.scrollHeight > part.clientHeight + 2)
                .map((part) => part.className)"""
        )
        assert cut_off == [], f"{width} x {height}"


def test_on_a_wall_screen_a_notice_covers_neither_orders_nor_buttons(board: Board) -> None:
    board.site.response = busy_morning()
    board.load("/order-status?kiosk")
    board.site.response = degraded_status("rds", "dynamodb", "sqs")
    board.update()
    for width, height in ((1280, 720), (3840, 2160), (1024, 768)):
        board.resize(width, height)
        notice, main = board.notice.bounding_box(), board.page.locator("main").bounding_box()
        assert notice
        assert main
        assert 0 <= notice["y"] < notice["y"] + notice["height"] <= main["y"]
    board.page.keyboard.press("Tab")
    board.button("Pause").click()
    expect(board.state).to_have_text("Paused")


# --- Colours and paper ---


def test_the_colours_follow_the_device_and_paper_shows_orders_without_buttons(board: Board) -> None:
    board.site.response = stuck_morning()
    board.load("/order-status")
    html = board.page.locator("html")
    schemes: list[tuple[Literal["light", "dark"], str]] = [
        ("light", "rgb(246, 240, 230)"),
        ("dark", "rgb(22, 17, 13)"),
    ]
    for scheme, background in schemes:
        board.page.emulate_media(color_scheme=scheme)
        expect(html).to_have_css("background-color", background)
    board.page.emulate_media(media="print", color_scheme="dark")
    expect(board.button("Pause")).to_be_hidden()
    expect(html).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(board.page.locator("#rows th").first).to_have_css("color", "rgb(0, 0, 0)")
