"""How the pages look and are used: sizes, colours, paper, keyboard, screen readers, and their weight."""

from __future__ import annotations

import gzip
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.sync_api import expect

from infra.web_files import WEB
from tests.browser.fake_site import PAGES
from tests.browser.responses import answer, busy_morning, order, sync, unknown
from tests.browser.test_order_status_page import HOSTILE, hostile_answer

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Board

WIDTHS = (3840, 1280, 768, 480, 320)  # every size with the longest texts: test_fonts.py
SCHEMES: tuple[tuple[Literal["light", "dark"], str], ...] = (
    ("light", "rgb(246, 240, 230)"),
    ("dark", "rgb(22, 17, 13)"),
)
LARGEST = 35_000  # bytes, compressed, of a page with all that it loads but fonts
LARGEST_WITH_FONTS = 100_000
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
GUIDELINES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def stuck_morning() -> dict[str, Any]:
    """Return an answer in which all can be seen that may be wrong."""
    figures = sync(
        waiting=12,
        dead_lettered=3,
        rds_orders={"count": 48_213, "as_of": "2026-11-22T12:00:00Z"},
        dynamodb_orders=48_208,
        in_sync=False,
        drift=5,
        drift_since="2026-11-22T11:40:00Z",
    )
    return busy_morning() | {"sync": figures}


def overflowing(page: Page) -> list[str]:
    """Return the elements that stick out of the window sideways."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((element) => !element.closest(".for-ears, svg") && element.getClientRects().length
                && element.getBoundingClientRect().right > innerWidth + 1)
            .map((element) => element.outerHTML.slice(0, 100))"""
    )
    return found


# --- Sizes ---


@pytest.mark.parametrize("path", ["/order-status", "/order-status?kiosk", "/order"])
def test_nothing_sticks_out_at_any_width(board: Board, path: str) -> None:
    board.site.answer = hostile_answer()
    board.site.menu = {"menu": [{"item": text, "price": 1_000_000} for text in HOSTILE]}
    board.open(path)
    ready = "#menu label" if path == "/order" else "#rows tr"
    expect(board.page.locator(ready)).not_to_have_count(0)
    for width in WIDTHS:
        board.resize(width, 800)
        assert board.page.evaluate("document.documentElement.scrollWidth") <= width
        assert overflowing(board.page) == []
        # A number that is cut off would be another number.
        cut_off = "cells => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).length"
        assert board.page.locator(".quantity").evaluate_all(cut_off) == 0, width
        past_the_card = """list => [...list.querySelectorAll("b")].filter((number) =>
            number.getBoundingClientRect().right > list.getBoundingClientRect().right).length"""
        for figures in board.page.locator("#items, #hops").all():
            assert figures.evaluate(past_the_card) == 0, width


def test_today_is_seen_first(board: Board) -> None:
    board.site.answer = busy_morning()
    board.open()
    expect(board.rows).to_have_count(20)
    for name, width, height in (("phone", 360, 740), ("tablet", 820, 1180), ("desk", 1440, 900)):
        board.resize(width, height)
        expect(board.figure("today")).to_be_in_viewport(ratio=1)
        size = board.figure("today").evaluate("(element) => parseFloat(getComputedStyle(element).fontSize)")
        assert size > 90  # pixels
        board.picture(name)


@pytest.mark.parametrize("font", [None, "wide", "narrow"])
def test_a_wall_screen_shows_everything_at_once(board: Board, font: str | None) -> None:
    board.site.font = font
    board.site.answer = stuck_morning()
    board.open("/order-status?kiosk")
    expect(board.rows).to_have_count(20)
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
        if width == 1920:
            board.picture("wall")


def test_on_a_wall_screen_a_notice_hides_nothing(board: Board) -> None:
    board.site.answer = busy_morning()
    board.open("/order-status?kiosk")
    board.site.answer = unknown("rds", "dynamodb", "sqs")
    board.update()
    for width, height in ((1280, 720), (3840, 2160), (1024, 768)):
        board.resize(width, height)
        notice, main = board.notice.bounding_box(), board.page.locator("main").bounding_box()
        assert notice
        assert main
        assert 0 <= notice["y"] < notice["y"] + notice["height"] <= main["y"]
    board.page.keyboard.press("Tab")  # and no button, either
    board.page.get_by_role("button", name="Pause").click()
    expect(board.state).to_have_text("Paused")


def test_a_figure_of_any_length_fits(board: Board) -> None:
    board.site.answer = answer([order("a")], total=1_234_567_890, today=123_456_789, yesterday=1)
    board.open()
    expect(board.figure("today")).to_have_text("123,456,789")
    for name in ("today", "total", "counted", "inRds"):
        assert board.figure(name).evaluate("(element) => element.scrollWidth <= element.clientWidth + 1")
    assert overflowing(board.page) == []


# --- Colours, motion, paper ---


def test_it_follows_the_device_in_light_and_dark(board: Board) -> None:
    board.site.answer = stuck_morning()
    board.open()
    expect(board.rows).to_have_count(20)
    for scheme, paper in SCHEMES:
        board.page.emulate_media(color_scheme=scheme)
        expect(board.page.locator("html")).to_have_css("background-color", paper)
        board.picture(scheme)


def test_on_paper_there_are_orders_and_no_buttons(board: Board) -> None:
    board.site.answer = busy_morning()
    board.open()
    expect(board.rows).to_have_count(20)
    board.page.emulate_media(media="print", color_scheme="dark")
    expect(board.page.get_by_role("button", name="Pause")).to_be_hidden()
    expect(board.page.locator("html")).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(board.page.locator("#rows th").first).to_have_css("color", "rgb(0, 0, 0)")
    board.picture("paper")


# --- Keyboard ---


def test_everything_can_be_done_by_keyboard(board: Board) -> None:
    board.site.answer = busy_morning()
    board.open("/order-status?kiosk")
    expect(board.rows).to_have_count(20)
    keyboard = board.page.keyboard
    keyboard.press("Tab")
    expect(board.page.get_by_role("button", name="Pause")).to_be_focused()
    expect(board.page.get_by_role("navigation")).to_have_css("opacity", "1")  # seen where it is used
    keyboard.press("Enter")
    expect(board.state).to_have_text("Paused")
    keyboard.press("Space")
    expect(board.state).to_have_text("Live")
    for name in ("Kitchen", "Place an order"):
        keyboard.press("Tab")
        expect(board.page.get_by_role("link", name=name)).to_be_focused()
    board.open()
    for _ in range(4):
        keyboard.press("Tab")
    expect(board.page.locator("summary")).to_be_focused()
    keyboard.press("Enter")
    expect(board.page.get_by_role("table", name="Orders per hour")).to_be_visible()
    outline = board.page.locator("summary").evaluate("(element) => getComputedStyle(element).outlineStyle")
    assert outline == "solid"


# --- axe-core ---


def violations(page: Page, **options: object) -> list[str]:
    """Return what axe-core finds wrong with the page as it is now."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE)
    found = page.evaluate(
        "(options) => axe.run(document, options)", {"resultTypes": ["violations"], **options}
    )
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]


def few(news: dict[str, Any], orders: int) -> dict[str, Any]:
    """Leave out most orders: axe-core looks at each, and they are all alike."""
    return {**news, "recent_orders": news["recent_orders"][:orders]}


def everything_wrong(page: Page) -> list[str]:
    """Check all rules in light colours, and those about colours in dark ones, too."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = violations(page, runOnly=GUIDELINES)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    return found + violations(page, runOnly={"type": "rule", "values": ["color-contrast"]})


def test_axe_finds_nothing_on_the_board(running_board: Board) -> None:
    board = running_board
    board.site.etags = True
    board.site.hold()
    board.open()
    found = {"loading": everything_wrong(board.page)}
    board.site.let_go()
    # Each has another number of rows or another state than the one before: the page shows the new one.
    for state, news, rows in (
        ("empty", answer([]), 0),
        ("busy", few(busy_morning(), 3), 3),
        ("stuck", few(stuck_morning(), 4), 4),
        ("degraded", unknown("rds", "dynamodb", "sqs"), 4),
    ):
        board.site.answer = news
        expect(board.rows).to_have_count(rows)
        expect(board.page.locator("body")).to_have_attribute(
            "data-state", "partial" if state == "degraded" else "live"
        )
        found[state] = everything_wrong(board.page)
    board.page.get_by_role("button", name="Pause").click()
    found["paused"] = everything_wrong(board.page)
    board.page.get_by_role("button", name="Resume").click()
    board.site.unreachable = True
    expect(board.notice).to_contain_text("cannot be reached")
    found["stale"] = everything_wrong(board.page)
    board.page.context.set_offline(True)
    expect(board.notice).to_contain_text("offline")
    found["offline"] = everything_wrong(board.page)
    assert {state: wrong for state, wrong in found.items() if wrong} == {}


def test_axe_finds_nothing_at_the_door(running_board: Board) -> None:
    running_board.site.ask_for_sign_in()
    running_board.open("/order-status?kiosk")
    expect(running_board.page.locator("#access")).to_be_visible()
    assert everything_wrong(running_board.page) == []


def test_axe_finds_nothing_where_one_may_not_enter(running_board: Board) -> None:
    running_board.site.status = 403
    running_board.open()
    expect(running_board.page.get_by_role("heading", name="No access from this network")).to_be_visible()
    assert everything_wrong(running_board.page) == []


def test_axe_is_awake(running_board: Board) -> None:
    running_board.open()
    running_board.page.evaluate("document.querySelector('h1').style.color = '#eee'")
    assert "color-contrast" in violations(running_board.page, runOnly=GUIDELINES)[0]


def test_axe_finds_nothing_on_the_order_page(running_board: Board) -> None:
    board = running_board
    board.site.settings["ordersApiKey"] = True
    board.open("/order")
    expect(board.page.get_by_label("Latte")).to_be_visible()
    found = {"form": everything_wrong(board.page)}
    board.page.get_by_role("button", name="Place the order").click()
    expect(board.page.get_by_text("Please choose something.")).to_be_visible()
    found["wrong"] = everything_wrong(board.page)
    board.page.get_by_label("Latte").check()
    board.page.get_by_label("API key").fill("key")
    board.page.get_by_role("button", name="Place the order").click()
    expect(board.page.get_by_role("heading", name="Thank you")).to_be_visible()
    found["placed"] = everything_wrong(board.page)
    assert {state: wrong for state, wrong in found.items() if wrong} == {}


# --- Weight ---


@pytest.mark.parametrize(("path", "ready"), [("/order-status", "#rows tr"), ("/order", "#menu label")])
def test_a_page_with_all_that_it_loads_is_small(board: Board, path: str, ready: str) -> None:
    board.site.answer = busy_morning()
    board.open(path)
    expect(board.page.locator(ready)).not_to_have_count(0)
    board.page.evaluate("document.fonts.ready.then(() => true)")
    loaded = [WEB / PAGES.get(path, path.removeprefix("/")) for path in set(board.site.requests)]
    sizes = {file: len(gzip.compress(file.read_bytes(), mtime=0)) for file in loaded if file.is_file()}
    fonts = {file: size for file, size in sizes.items() if file.suffix == ".woff2"}
    assert len(fonts) == 3
    assert sum(sizes.values()) < LARGEST_WITH_FONTS, sizes
    assert sum(sizes.values()) - sum(fonts.values()) < LARGEST, sizes


def test_nothing_comes_from_elsewhere_and_nothing_is_written_as_markup() -> None:
    for file in WEB.iterdir():
        if file.suffix == ".woff2" or file.name.endswith(".licence.txt"):
            continue
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        for forbidden in (
            "http://",
            "https://",
            "innerHTML",
            "insertAdjacentHTML",
            "eval(",
            " style=",
            "onclick",
        ):
            assert forbidden not in text, f"{forbidden} in {file.name}"
