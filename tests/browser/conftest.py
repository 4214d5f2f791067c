"""The pages in a browser, the server behind them, and a clock that only the test advances."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect, sync_playwright

from infra.web_files import WEB
from tests.browser.fake_site import API_PATH, MENU_PATH, ORDERS_PATH, PAGES, SCREEN_PATHS, FakeSite, serve
from tests.browser.kitchen import kitchen
from tests.browser.responses import NOON, Json, order_status
from tests.chromium import launch
from tests.waiting import LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession, Dialog

__all__ = ["kitchen"]

POLL = 1_000  # milliseconds between two requests while orders come in

TOKEN = "6c1f0b2e.7f4df1a3-0c2b-4a53.mtFTjmPrIvD8K2l5vXhJ0Q"
TRACK = f"/track#{TOKEN}"
# An element that each page shows once it has its data.
LOADED = {
    "/order-status": "#rows tr",
    "/order-status?kiosk": "#rows tr",
    "/order": "#menu label",
    "/kitchen": ".card",
    "/ready": "#ready li",
    TRACK: '[data-order="preparing"]',
}

# Hundreds of updates in seconds: polls without the pause between them.
POLL_AT_ONCE = f"""
const pause = window.setTimeout;
window.setTimeout = (call, after, ...more) => pause(call, after === {POLL} ? 0 : after, ...more);
"""

# Recorded from the first moment of each document.
RECORD_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@dataclass
class Board:
    """A page in a browser, by default the order board, and the site that serves it."""

    page: Page
    site: FakeSite
    problems: list[str] = field(default_factory=list)  # errors, dialogs and requests to other origins

    def __post_init__(self) -> None:
        self.page.add_init_script(RECORD_VIOLATIONS)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("console", lambda message: self._record_message(message.type, message.text))
        self.page.on("request", lambda request: self._check_origin(request.url))
        self.page.on("dialog", self._dismiss)

    def _record_message(self, kind: str, text: str) -> None:
        # The browser reports every failed request; a test makes them fail on purpose.
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.problems.append(f"{kind}: {text}")

    def _check_origin(self, url: str) -> None:
        if not url.startswith(self.site.url):
            self.problems.append(f"request: {url}")

    def _dismiss(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    @property
    def state(self) -> Locator:
        """The state of the connection, such as "Live"."""
        return self.page.locator("#state")

    @property
    def updated(self) -> Locator:
        """The time of the last update."""
        return self.page.locator("#updated")

    @property
    def notice(self) -> Locator:
        """The sentence about what is wrong with the figures on the page."""
        return self.page.locator("#notice")

    @property
    def announcement(self) -> Locator:
        """The text that a screen reader reads out."""
        return self.page.locator("#announcement")

    @property
    def rows(self) -> Locator:
        """The orders in the table."""
        return self.page.locator("#rows tr")

    @property
    def verdict(self) -> Locator:
        """The sentence about whether orders get through."""
        return self.page.locator("#verdict")

    @property
    def sign_in_panel(self) -> Locator:
        """The panel in place of the orders, for a user who may not see them."""
        return self.page.locator("#access")

    @property
    def sign_in_text(self) -> Locator:
        """The reason that the panel gives."""
        return self.page.locator("#access-words")

    @cached_property
    def devtools(self) -> CDPSession:
        """A session of the Chrome DevTools Protocol."""
        return self.page.context.new_cdp_session(self.page)

    def figure(self, name: str) -> Locator:
        """A figure by its `data-figure`."""
        return self.page.locator(f'[data-figure="{name}"]')

    def hop(self, name: str) -> Locator:
        """A hop of the pipeline by its `data-hop`."""
        return self.page.locator(f'[data-hop="{name}"]')

    def button(self, name: str) -> Locator:
        """A button by its label."""
        return self.page.get_by_role("button", name=name)

    def open(self, path: str = "/order-status") -> None:
        """Load a page."""
        self.page.goto(self.site.url + path)

    def open_with(self, orders: list[Json], path: str = "/order-status", **changes: Any) -> None:
        """Load the order status with a response about these orders, and wait for their rows."""
        self.respond_with(orders, **changes)
        self.open(path)
        rows = self.page.locator('#orders[aria-busy="false"] #rows')
        expect(rows).to_have_js_property("childElementCount", len(orders))

    def load(self, path: str) -> None:
        """Load a page, and wait until it shows its data."""
        self.open(path)
        expect(self.page.locator(LOADED[path])).not_to_have_count(0)

    def respond_with(self, orders: list[Json], **changes: Any) -> None:
        """Respond to later requests for the order status with these orders."""
        self.site.response = order_status(orders, **changes)

    def receive(self, orders: list[Json], **changes: Any) -> None:
        """Respond with these orders to the next request, and wait for the update."""
        self.respond_with(orders, **changes)
        self.update()

    def advance(self, milliseconds: int) -> None:
        """Advance the page's clock, and run its timers."""
        self.page.clock.run_for(milliseconds)

    def update(self, milliseconds: int = POLL) -> None:
        """Advance the clock to the next request, and wait until the page shows its response."""
        before = self.updated.text_content() or ""
        self.advance(milliseconds)
        expect(self.updated).not_to_have_text(before)

    def fail(self, milliseconds: int = POLL) -> None:
        """Advance the clock to the next request, and wait until the page shows that it failed."""
        before = self.state.text_content() or ""
        self.advance(milliseconds)
        expect(self.state).not_to_have_text(before)

    def set_hidden(self, hidden: bool) -> None:
        """Hide the tab, or show it again."""
        self.page.evaluate(
            """(hidden) => {
                Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
                document.dispatchEvent(new Event("visibilitychange"));
            }""",
            hidden,
        )

    def set_offline(self, offline: bool) -> None:
        """Cut this page off from the network, or connect it again."""
        # `set_offline` of the context acts on every page in it, and the pages share one `navigator.onLine`.
        conditions = {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.devtools.send("Network.emulateNetworkConditions", conditions)

    def resize(self, width: int, height: int) -> None:
        """Resize the window, and wait until the page has measured its texts, some frames later."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.evaluate("() => { window.framesSeen = 0; }")
        self.page.wait_for_function("() => ++window.framesSeen > 3")  # evaluated once a frame


# A package at a time: Playwright's event loop must not run while other tests start one.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start Chromium for the browser tests of this process."""
    expect.set_options(timeout=LIMIT * 1000)
    with sync_playwright() as playwright, launch(playwright, "--renderer-process-limit=1") as chromium:
        yield chromium


@pytest.fixture
def site() -> Iterator[FakeSite]:
    """The server behind the page, without orders."""
    with serve() as server:
        yield server


# Another locale and time zone than the cafe's, whose formats the pages use.
DEVICE: dict[str, Any] = {
    "locale": "de-DE",
    "timezone_id": "Asia/Tokyo",
    "viewport": {"width": 1280, "height": 800},
}


def _new_context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(**DEVICE) as context:
        context.set_default_timeout(LIMIT * 1000)
        # While this page is open, its renderer process serves the others: a process takes as long as a test.
        context.new_page()
        yield context


@pytest.fixture(scope="module")
def paused_context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser context whose clock only the tests advance."""
    yield from _new_context(browser)


@pytest.fixture(scope="module")
def running_context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser context with the machine's clock."""
    yield from _new_context(browser)


@pytest.fixture
def board(paused_context: BrowserContext, site: FakeSite) -> Iterator[Board]:
    """A page, not loaded yet, at noon; the test fails if it does something forbidden."""
    paused_context.clock.install(time=NOON)
    paused_context.clock.pause_at(NOON + timedelta(seconds=1))
    yield from _checked_board(paused_context, site)


@pytest.fixture
def running_board(running_context: BrowserContext, site: FakeSite) -> Iterator[Board]:
    """The same with a clock that runs."""
    yield from _checked_board(running_context, site)


@pytest.fixture
def hurried_board(running_board: Board) -> Board:
    """The same without a pause between two requests, which keeps a core busy."""
    running_board.page.add_init_script(POLL_AT_ONCE)
    return running_board


def _checked_board(context: BrowserContext, site: FakeSite) -> Iterator[Board]:
    with context.new_page() as page:
        board = Board(page, site)
        yield board
        assert board.problems == []
        assert page.evaluate("violations") == []
    files = {f"/{file.name}" for file in WEB.iterdir()}
    known = {*PAGES, *files, "/config.js", API_PATH, MENU_PATH, ORDERS_PATH, *SCREEN_PATHS}
    others = ("/pool/", f"{ORDERS_PATH}/")
    assert {path for path in site.requests if not path.startswith(others)} <= known
