"""The page in a browser, the server behind it, and a clock that only the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, Page, expect

from infra.web_files import WEB
from tests.browser.fake_site import API_PATH, MENU_PATH, ORDERS_PATH, PAGES, SCREEN_PATHS, Site, serve
from tests.browser.responses import NOON, answer
from tests.waiting import LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Dialog

PICTURES = Path(__file__).parents[2] / "test-results"
POLL = 1_000  # milliseconds between two questions while all is well

# Hundreds of updates in seconds: the pause between two questions is left out.
HURRY = f"""
const pause = window.setTimeout;
window.setTimeout = (call, after, ...more) => pause(call, after === {POLL} ? 0 : after, ...more);
"""

# What a page must never do, recorded from its first moment on.
RECORD_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@dataclass
class Board:
    """The order board as a person at the counter meets it."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)  # errors, dialogs and requests to elsewhere

    def __post_init__(self) -> None:
        self.page.add_init_script(RECORD_VIOLATIONS)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("console", lambda message: self._hear(message.type, message.text))
        self.page.on("request", lambda request: self._watch(request.url))
        self.page.on("dialog", self._refuse)

    def _hear(self, kind: str, text: str) -> None:
        # The browser itself reports every failed request; only the tests of failures make some.
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.complaints.append(f"{kind}: {text}")

    def _watch(self, url: str) -> None:
        if not url.startswith(self.site.url):
            self.complaints.append(f"request: {url}")

    def _refuse(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    @property
    def state(self) -> Locator:
        """The word at the top: live, or not."""
        return self.page.locator("#state")

    @property
    def updated(self) -> Locator:
        """The time of the last update."""
        return self.page.locator("#updated")

    @property
    def notice(self) -> Locator:
        """The sentence that says what is wrong."""
        return self.page.locator("#notice")

    @property
    def rows(self) -> Locator:
        """The orders in the table."""
        return self.page.locator("#rows tr")

    @property
    def verdict(self) -> Locator:
        """The sentence that says whether orders get through."""
        return self.page.locator("#verdict")

    def figure(self, name: str) -> Locator:
        """One of the numbers, by the page's own name for it."""
        return self.page.locator(f'[data-figure="{name}"]')

    def hop(self, name: str) -> Locator:
        """One of the stations on an order's way."""
        return self.page.locator(f'[data-hop="{name}"]')

    def open(self, path: str = "/order-status") -> None:
        """Load the page; its first question is asked."""
        self.page.goto(self.site.url + path)

    def wait(self, milliseconds: int) -> None:
        """Let time pass for the page."""
        self.page.clock.run_for(milliseconds)

    def update(self, milliseconds: int = POLL) -> None:
        """Let time pass until the next question, and see its answer on the page."""
        before = self.updated.text_content() or ""
        self.wait(milliseconds)
        expect(self.updated).not_to_have_text(before)

    def fail(self, milliseconds: int = POLL) -> None:
        """Let time pass until the next question, and see on the page that it got no answer."""
        before = self.state.text_content() or ""
        self.wait(milliseconds)
        expect(self.state).not_to_have_text(before)

    def set_hidden(self, hidden: bool) -> None:
        """Put the tab in the background, or bring it back."""
        self.page.evaluate(
            """(hidden) => {
                Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
                document.dispatchEvent(new Event("visibilitychange"));
            }""",
            hidden,
        )

    def resize(self, width: int, height: int) -> None:
        """Resize the window, and wait until the page has measured its texts: some frames later."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.evaluate("() => { window.framesSeen = 0; }")
        self.page.wait_for_function("() => ++window.framesSeen > 3")  # asked once a frame

    def picture(self, name: str) -> None:
        """Keep what the page looks like now, for a person."""
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@pytest.fixture
def site() -> Iterator[Site]:
    """The server behind the page, with no orders yet."""
    with serve() as server:
        server.answer = answer([])
        yield server


# The device is elsewhere and speaks otherwise: what it shows must be the cafe's.
DEVICE: dict[str, Any] = {
    "locale": "de-DE",
    "timezone_id": "Asia/Tokyo",
    "viewport": {"width": 1280, "height": 800},
}


@pytest.fixture
def board(browser: Browser, site: Site) -> Iterator[Board]:
    """The page, not opened yet, at noon; afterwards nothing forbidden may have happened."""
    with browser.new_context(**DEVICE) as context:
        page = context.new_page()
        page.set_default_timeout(LIMIT * 1000)
        page.clock.install(time=NOON)
        page.clock.pause_at(NOON + timedelta(seconds=1))
        yield from _watched(Board(page, site))


@pytest.fixture
def running_board(browser: Browser, site: Site) -> Iterator[Board]:
    """The same with a clock that runs."""
    with browser.new_context(**DEVICE) as context:
        page = context.new_page()
        page.set_default_timeout(LIMIT * 1000)
        yield from _watched(Board(page, site))


@pytest.fixture
def hurried_board(running_board: Board) -> Board:
    """The same with no pause between two questions, which keeps a core busy."""
    running_board.page.add_init_script(HURRY)
    return running_board


def _watched(board: Board) -> Iterator[Board]:
    yield board
    assert board.complaints == []
    assert board.page.evaluate("violations") == []
    files = {f"/{file.name}" for file in WEB.iterdir()}
    known = {*PAGES, *files, "/config.js", API_PATH, MENU_PATH, ORDERS_PATH, *SCREEN_PATHS}
    others = ("/pool/", f"{ORDERS_PATH}/")
    assert {path for path in board.site.requests if not path.startswith(others)} <= known
