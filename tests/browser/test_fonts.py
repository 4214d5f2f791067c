"""The fonts of the pages: their own, with every accent, and loaded without moving the page."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from infra.web_files import WEB
from tests.browser.conftest import LOADED
from tests.browser.fake_order_api import busy_order_api, track_response
from tests.browser.fake_site import PAGES
from tests.browser.responses import busy_morning, order

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.browser.conftest import Board

FONTS = sorted(WEB.glob("*.woff2"))
ACCENTS = "Crème brûlée, żurek, őszibarack, ışık, șorici, Ångström"
LARGEST_SHIFT = 0.01  # cumulative layout shift
RECORD_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => shifts.push(...list.getEntries().map(({ value }) => value)))
  .observe({ type: "layout-shift", buffered: true });
"""
PAINTED = "() => performance.getEntriesByName('first-contentful-paint').length > 0"


def fonts_used(board: Board, selector: str) -> set[tuple[str, bool]]:
    """Return the fonts in which the browser draws an element, and whether the page loaded each."""
    devtools = board.page.context.new_cdp_session(board.page)
    devtools.send("DOM.enable")
    devtools.send("CSS.enable")
    root = devtools.send("DOM.getDocument")["root"]["nodeId"]
    node = devtools.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    fonts: list[dict[str, Any]] = devtools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    return {(font["familyName"], font["isCustomFont"]) for font in fonts}


def test_a_page_uses_its_own_fonts_even_for_accents(board: Board) -> None:
    board.site.response = busy_morning() | {"recent_orders": [order("a", ACCENTS, customer_name=ACCENTS)]}
    board.open()
    expect(board.rows).to_have_count(1)
    board.page.wait_for_function("() => document.fonts.status === 'loaded'")
    for selector, family in (
        ("h1", "Literata"),
        ('[data-figure="today"]', "Literata"),
        ("#rows .item", "Figtree"),
        ("#rows .customer", "Figtree"),
    ):
        ((name, own),) = fonts_used(board, selector)
        assert own, selector
        assert name.startswith(family)


def test_every_font_is_preloaded_by_every_page_and_named_by_its_hash() -> None:
    assert len(FONTS) == 3
    style = (WEB / "fonts.css").read_text(encoding="utf-8")
    for font in FONTS:
        assert hashlib.sha256(font.read_bytes()).hexdigest()[:8] in font.name
        assert f'url("/{font.name}")' in style
        for page in set(PAGES.values()):
            text = (WEB / page).read_text(encoding="utf-8")
            assert f'<link rel="preload" href="/{font.name}" as="font" type="font/woff2" crossorigin>' in text


def test_every_font_has_its_licence_beside_it() -> None:
    for family in {font.name.partition("-")[0] for font in FONTS}:
        licence = (WEB / f"{family}.licence.txt").read_text(encoding="utf-8")
        assert "SIL OPEN FONT LICENSE Version 1.1" in licence
        # A font with a reserved name would have to be renamed, because these are subsets.
        assert not re.search(r"^Copyright.*Reserved Font Name", licence, re.MULTILINE)


PATHS = [*LOADED, "/kitchen#signed-out"]
SIZES = ((360, 740), (820, 1180), (1280, 800), (1920, 1080))
TIGHTEST = SIZES[:2]  # of the pages other than the order status and the order form


@pytest.mark.parametrize("path", PATHS)
def test_a_script_data_and_fonts_that_arrive_late_move_almost_nothing(
    running_board: Board, path: str
) -> None:
    board = running_board
    board.page.add_init_script(RECORD_SHIFTS)
    board.site.response, board.site.order_api = busy_morning(), busy_order_api()
    board.site.order_api.track = track_response("preparing")
    if path not in LOADED:
        board.site.require_sign_in()
    scripts: list[Route] = []
    is_painted = False

    def hold(route: Route) -> None:
        if is_painted:  # The browser reported it late.
            route.continue_()
        else:
            scripts.append(route)

    # The route also disables the cache, so that the fonts are loaded for each size.
    board.page.route(f"**{re.split('[?#]', path)[0]}.js", hold)
    for width, height in SIZES if path.startswith("/order") else TIGHTEST:
        scripts.clear()
        is_painted = False
        board.site.hold_responses()
        board.site.fonts_released.clear()
        board.page.goto("about:blank")
        board.page.set_viewport_size({"width": width, "height": height})
        board.page.goto(board.site.url + path, wait_until="commit")
        board.page.wait_for_function(PAINTED)
        is_painted = True
        for script in scripts:
            script.continue_()
        board.site.release_responses()
        if path in LOADED:
            expect(board.page.locator(LOADED[path])).not_to_have_count(0)
        else:
            expect(board.sign_in_panel).to_be_visible()
        board.site.fonts_released.set()
        board.page.wait_for_function("() => document.fonts.status === 'loaded'")
        assert sum(board.page.evaluate("shifts")) <= LARGEST_SHIFT, f"{width} x {height}"


def test_a_layout_that_shifts_is_noticed(running_board: Board) -> None:
    running_board.page.add_init_script(RECORD_SHIFTS)
    running_board.site.response = busy_morning()
    running_board.load("/order-status")
    running_board.page.evaluate("document.querySelector('header').style.paddingTop = '30vh'")
    running_board.page.wait_for_function("() => shifts.length > 0")
    assert sum(running_board.page.evaluate("shifts")) > LARGEST_SHIFT
