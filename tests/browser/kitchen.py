"""The kitchen's screen for tests, with the API behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.tones import SETUP

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
