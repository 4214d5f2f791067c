"""The pages' own typefaces, and that the layout holds with any other."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from infra.web_files import WEB
from tests.browser.fake_order_api import busy_shop
from tests.browser.fake_site import PAGES
from tests.browser.layout import faults, zoom_text
from tests.browser.responses import EXTREME_MENU, busy_morning, extremes, order
from tests.browser.test_screens import SHOWN as SCREENS
from tests.browser.test_screens import progress

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.browser.conftest import Board

FONTS = sorted(WEB.glob("*.woff2"))
ACCENTS = "Crème brûlée, żurek, őszibarack, ışık, șorici, Ångström"
FAMILIES = [None, "wide", "narrow"]  # None: the pages' own
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
SIZES_OF_OTHERS = (
    (320, 640),
    (768, 1024),
    (1024, 768),
    (1920, 1080),
)  # a layout of each kind, at its tightest
LARGEST_SHIFT = 0.01  # cumulative layout shift
SHOWN = {
    "/order-status": "#rows tr",
    "/order-status?kiosk": "#rows tr",
    "/order": "#menu label",
    "/kitchen#access": "#access:not([hidden])",
    **SCREENS,
}

RECORD_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => shifts.push(...list.getEntries().map(({ value }) => value)))
  .observe({ type: "layout-shift", buffered: true });
"""
PAINTED = "() => performance.getEntriesByName('first-contentful-paint').length > 0"


def show_extremes(board: Board, path: str) -> None:
    """Open a page with the longest texts and figures; `door`: the one at which people sign in."""
    board.site.answer = extremes()
    board.site.menu = {"menu": EXTREME_MENU}
    if path == "door":
        board.site.ask_for_sign_in()
        board.open()
        expect(board.page.locator("#access")).to_be_visible()
    elif path == "/order":
        board.open(path)
        board.page.locator("#menu label").first.click()
    else:
        board.open(path)
        expect(board.rows).to_have_count(20)


def fonts_used(board: Board, selector: str) -> set[tuple[str, bool]]:
    """Return the fonts in which the browser draws an element, and whether the page brought each."""
    devtools = board.page.context.new_cdp_session(board.page)
    devtools.send("DOM.enable")
    devtools.send("CSS.enable")
    root = devtools.send("DOM.getDocument")["root"]["nodeId"]
    node = devtools.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    fonts: list[dict[str, Any]] = devtools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    return {(font["familyName"], font["isCustomFont"]) for font in fonts}


# --- The fonts themselves ---


def test_a_page_is_set_in_its_own_fonts_accents_included(board: Board) -> None:
    board.site.answer = busy_morning() | {"recent_orders": [order("a", ACCENTS, customer_name=ACCENTS)]}
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


def test_every_font_is_preloaded_by_both_pages_and_named_by_its_content() -> None:
    assert len(FONTS) == 3
    style = (WEB / "fonts.css").read_text(encoding="utf-8")
    for font in FONTS:
        assert hashlib.sha256(font.read_bytes()).hexdigest()[:8] in font.name
        assert f'url("/{font.name}")' in style
        for page in set(PAGES.values()):
            text = (WEB / page).read_text(encoding="utf-8")
            assert f'<link rel="preload" href="/{font.name}" as="font" type="font/woff2" crossorigin>' in text


def test_every_typeface_has_its_licence_beside_it() -> None:
    for family in {font.name.partition("-")[0] for font in FONTS}:
        licence = (WEB / f"{family}.licence.txt").read_text(encoding="utf-8")
        assert "SIL OPEN FONT LICENSE Version 1.1" in licence
        # A font with a reserved name would have to be renamed when it is subset.
        assert not re.search(r"^Copyright.*Reserved Font Name", licence, re.MULTILINE)


@pytest.mark.parametrize(
    ("path", "width", "height"),
    [
        (path, *size)
        for path in SHOWN
        for size in ((360, 740), (820, 1180), (1280, 800), (1920, 1080))
        if path.startswith("/order") or size[0] < 1000  # the others are at their tightest there
    ],
)
def test_a_script_data_and_fonts_that_come_late_move_next_to_nothing(
    running_board: Board, path: str, width: int, height: int
) -> None:
    board = running_board
    board.page.set_viewport_size({"width": width, "height": height})
    board.page.add_init_script(RECORD_SHIFTS)
    board.site.answer, board.site.shop = busy_morning(), busy_shop()
    board.site.shop.track = progress("preparing")
    if path.endswith("#access"):
        board.site.ask_for_sign_in()
    board.site.hold()
    board.site.fonts_come.clear()
    scripts: list[Route] = []
    is_painted = False

    def hold(route: Route) -> None:
        if is_painted:  # The browser reported it late.
            route.continue_()
        else:
            scripts.append(route)

    board.page.route(f"**{re.split('[?#]', path)[0]}.js", hold)
    board.page.goto(board.site.url + path, wait_until="commit")
    board.page.wait_for_function(PAINTED)
    is_painted = True
    for script in scripts:
        script.continue_()
    board.site.let_go()
    expect(board.page.locator(SHOWN[path])).not_to_have_count(0)
    board.site.fonts_come.set()
    board.page.wait_for_function("() => document.fonts.status === 'loaded'")
    assert sum(board.page.evaluate("shifts")) <= LARGEST_SHIFT


def test_a_layout_that_shifts_is_noticed(running_board: Board) -> None:
    running_board.page.add_init_script(RECORD_SHIFTS)
    running_board.site.answer = busy_morning()
    running_board.open()
    expect(running_board.rows).to_have_count(20)
    running_board.page.evaluate("document.querySelector('header').style.paddingTop = '30vh'")
    running_board.page.wait_for_function("() => shifts.length > 0")
    assert sum(running_board.page.evaluate("shifts")) > LARGEST_SHIFT


# --- The layout ---


@pytest.mark.parametrize("font", FAMILIES)
@pytest.mark.parametrize("path", ["/order-status", "/order-status?kiosk", "/order", "door"])
def test_the_layout_holds_with_any_font_size_and_text(board: Board, path: str, font: str | None) -> None:
    board.site.font = font
    show_extremes(board, path)
    for width, height in SIZES_OF_OTHERS if font else SIZES:
        board.resize(width, height)
        for zoom in (1, 2):
            zoom_text(board.page, zoom)
            assert faults(board.page) == [], f"{width} x {height}, text {zoom:.0%}"
        zoom_text(board.page, 1)


@pytest.mark.parametrize("font", FAMILIES)
def test_figures_of_one_to_nine_digits_fit_and_are_as_large_as_they_can_be(
    board: Board, font: str | None
) -> None:
    board.site.font = font
    sizes = []
    for digits in range(1, 10):
        board.site.answer = extremes(int("8" * digits))
        if digits == 1:
            board.open()
        else:
            board.update()
        expect(board.figure("today")).to_have_text(f"{int('8' * digits):,}")
        assert faults(board.page) == [], f"{digits} digits"
        sizes.append(
            board.figure("today").evaluate("(figure) => parseFloat(getComputedStyle(figure).fontSize)")
        )
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
    board.site.answer = busy_morning()
    board.open()
    expect(board.rows).to_have_count(20)
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
