"""Find the faults in the layout of a page by measuring every text in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

if TYPE_CHECKING:
    from playwright.sync_api import Page

SETTLED = 5_000  # milliseconds; a page without faults takes two frames

FIND_FAULTS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def faults(page: Page) -> list[str]:
    """Return the texts that stick out, overlap, are cut off, or break although there is room."""
    try:
        # The page measures its texts in the frames after a change.
        page.wait_for_function(f"() => ({FIND_FAULTS})().length === 0", polling=50, timeout=SETTLED)
    except PlaywrightTimeoutError:
        found: list[str] = page.evaluate(FIND_FAULTS)
        return found
    return []


def zoom_text(page: Page, factor: float) -> None:
    """Enlarge the text, as the text zoom of a browser does; 1 is the page's own size."""
    page.evaluate(
        """(factor) => {
            const { style } = document.documentElement;
            style.fontSize = "";
            const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
            if (factor !== 1) style.fontSize = `${factor * size}px`;
        }""",
        factor,
    )
