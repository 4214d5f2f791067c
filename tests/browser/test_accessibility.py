"""The pages by keyboard and by touch, and what axe-core finds in each of their states."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.conftest import TRACK
from tests.browser.fake_order_api import busy_order_api, track_response
from tests.browser.responses import Json, busy_morning, degraded_status, order_status, stuck_morning

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Board

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
GUIDELINES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def run_axe(page: Page, **options: object) -> list[str]:
    """Return the violations that axe-core finds in the page as it is now."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE)
    found = page.evaluate(
        "(options) => axe.run(document, options)", {"resultTypes": ["violations"], **options}
    )
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]


def violations(page: Page) -> list[str]:
    """Check all rules in light colours, and contrast in dark ones, too."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = run_axe(page, runOnly=GUIDELINES)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    return found + run_axe(page, runOnly={"type": "rule", "values": ["color-contrast"]})


def with_few(status: Json, orders: int) -> Json:
    """Leave out most orders: axe-core checks each, and they are all alike."""
    return {**status, "recent_orders": status["recent_orders"][:orders]}


def test_the_order_status_can_be_used_by_keyboard(board: Board) -> None:
    board.site.response = busy_morning()
    board.load("/order-status?kiosk")
    keyboard = board.page.keyboard
    keyboard.press("Tab")
    expect(board.button("Pause")).to_be_focused()
    expect(board.page.get_by_role("navigation")).to_have_css("opacity", "1")  # shown while it has the focus
    keyboard.press("Enter")
    expect(board.state).to_have_text("Paused")
    keyboard.press("Space")
    expect(board.state).to_have_text("Live")
    for name in ("Kitchen", "Place an order"):
        keyboard.press("Tab")
        expect(board.page.get_by_role("link", name=name)).to_be_focused()
    board.load("/order-status")
    for _ in range(4):
        keyboard.press("Tab")
    summary = board.page.locator("summary")
    expect(summary).to_be_focused()
    keyboard.press("Enter")
    expect(board.page.get_by_role("table", name="Orders per hour")).to_be_visible()
    assert summary.evaluate("(element) => getComputedStyle(element).outlineStyle") == "solid"


def test_every_button_of_the_kitchen_and_of_a_customers_page_is_large_enough_for_a_finger(
    board: Board,
) -> None:
    board.site.order_api = busy_order_api()
    board.site.order_api.track = track_response("preparing")
    for path in ("/kitchen", TRACK):
        board.load(path)
        for width, height in ((390, 844), (1180, 820)):
            board.resize(width, height)
            small = board.page.locator("button:visible, a:visible").evaluate_all(
                """all => all.map((target) => [target.textContent, target.getBoundingClientRect()])
                    .filter(([, { width, height }]) => Math.min(width, height) < 48).map(([text]) => text)"""
            )
            assert small == []


# --- axe-core ---


def test_axe_finds_nothing_on_the_order_status_and_notices_bad_contrast(running_board: Board) -> None:
    board = running_board
    board.site.etags = True
    board.site.hold_responses()
    board.open()
    found = {"loading": violations(board.page)}
    board.site.release_responses()
    # Each has another number of rows or another state than the one before, by which the test sees it arrive.
    states: list[tuple[str, Json, int]] = [
        ("empty", order_status([]), 0),
        ("busy", with_few(busy_morning(), 3), 3),
        ("stuck", with_few(stuck_morning(), 4), 4),
        ("degraded", degraded_status("rds", "dynamodb", "sqs"), 4),
    ]
    for state, board.site.response, rows in states:
        expect(board.rows).to_have_count(rows)
        data_state = "partial" if state == "degraded" else "live"
        expect(board.page.locator("body")).to_have_attribute("data-state", data_state)
        found[state] = violations(board.page)
    board.button("Pause").click()
    found["paused"] = violations(board.page)
    board.button("Resume").click()
    board.site.unreachable = True
    expect(board.notice).to_contain_text("cannot be reached")
    found["stale"] = violations(board.page)
    board.set_offline(True)
    expect(board.notice).to_contain_text("offline")
    found["offline"] = violations(board.page)
    assert {state: wrong for state, wrong in found.items() if wrong} == {}
    board.page.evaluate("document.querySelector('h1').style.color = '#222'")  # in dark colours
    assert "color-contrast" in run_axe(board.page, runOnly=GUIDELINES)[0]


def test_axe_finds_nothing_where_the_orders_are_hidden(running_board: Board) -> None:
    running_board.site.require_sign_in()
    running_board.open("/order-status?kiosk")
    expect(running_board.sign_in_panel).to_be_visible()
    assert violations(running_board.page) == []
    running_board.site.user_pool = None
    running_board.site.settings["signIn"] = None
    running_board.site.status = 403
    running_board.open()
    expect(running_board.page.get_by_role("heading", name="No access from this network")).to_be_visible()
    assert violations(running_board.page) == []


def test_axe_finds_nothing_on_the_order_page(running_board: Board) -> None:
    board = running_board
    board.site.settings["ordersApiKey"] = True
    board.load("/order")
    found = {"form": violations(board.page)}
    board.button("Place the order").click()
    expect(board.page.get_by_text("Please choose something.")).to_be_visible()
    found["errors"] = violations(board.page)
    board.page.get_by_label("Latte").check()
    board.page.get_by_label("API key").fill("key")
    board.button("Place the order").click()
    expect(board.page.get_by_role("heading", name="Thank you")).to_be_visible()
    found["placed"] = violations(board.page)
    assert {state: wrong for state, wrong in found.items() if wrong} == {}


def test_axe_finds_nothing_on_the_screens_of_the_orders_states(running_board: Board) -> None:
    board = running_board
    api = board.site.order_api = busy_order_api()
    api.add("D11", "Tea", ago=9_000, delayed=True)
    api.track = track_response("preparing")
    found: dict[str, list[str]] = {}
    board.load("/kitchen")
    api.move("K51", "cancelled", "Sold out")
    expect(board.page.locator('.card[data-state="cancelled"]')).to_be_visible()
    found["kitchen"] = violations(board.page)
    for name, dialog in (("More for K48", "order"), ("Recently done", "recent")):
        board.button(name).click()
        found[dialog] = violations(board.page)
        board.page.keyboard.press("Escape")
    board.set_offline(True)
    expect(board.page.locator("#bar-words")).to_contain_text("offline")
    found["offline"] = violations(board.page)
    board.set_offline(False)
    for path in ("/ready", TRACK):
        board.load(path)
        found[path] = violations(board.page)
    for state in ("ready", "cancelled"):
        api.track = track_response(state)
        board.page.reload()
        expect(board.page.locator(f'[data-order="{state}"]')).to_be_visible()
        found[state] = violations(board.page)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
