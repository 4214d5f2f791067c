"""Make the README's pictures of the pages: make picture."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import sync_playwright

from tests.browser import responses
from tests.browser.fake_order_api import busy_shop
from tests.browser.fake_site import Site, serve
from tests.chromium import launch

if TYPE_CHECKING:
    from playwright.sync_api import Page


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One page as a device shows it."""

    path: str
    width: int
    height: int
    shown: str = 'body[data-state="live"]'  # there once the page has its first answer
    dark: bool = False
    tap: str = ""  # the name of a button to press first, and then what is there
    tapped: str = ""


PICTURES = {
    "order-status": Picture(path="/order-status", width=1440, height=1085),
    "kitchen": Picture(
        path="/kitchen",
        width=1180,
        height=820,
        tap="Start: K53",
        tapped="section[data-column=preparing] li:nth-child(3)",
    ),
    "ready": Picture(path="/ready", width=1280, height=720, dark=True),
    "track": Picture(path="/track#token", width=390, height=700),
}


def prepare(site: Site) -> None:
    """Let a site show made-up orders: a good morning."""
    site.answer = responses.busy_morning()
    site.shop = busy_shop()
    site.shop.ready = ["K47", "K46", "K44"]
    site.shop.preparing = ["K48", "K49", "K50"]
    now = responses.NOON.isoformat()
    site.shop.track = {"now": now, "number": "K50", "state": "preparing", "state_at": now, "ready_at": None}
    site.shop.track |= {"orders_before": 2, "usual_seconds": 240}


def take(page: Page, url: str, picture: Picture, target: Path) -> None:
    """Open a page and write its picture (PNG)."""
    page.goto(url)
    page.locator(picture.shown).wait_for()
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    if picture.tap:
        page.get_by_role("button", name=picture.tap).click()
        page.locator(picture.tapped).wait_for()
        page.mouse.move(0, 0)
    page.screenshot(path=target)


def screenshots(directory: Path, origin: str | None = None, *, dark: bool = False) -> None:
    """Write the pictures of all pages into a directory, which is made when it is missing.

    Parameters
    ----------
    directory
        Where the pictures go, each with its page's name.
    origin
        Address of a running stack's pages; None shows orders made up for the pictures.
    dark
        Show every page as on a device that is set to dark colours.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        site = stack.enter_context(serve())
        prepare(site)
        browser = stack.enter_context(launch(stack.enter_context(sync_playwright())))
        for name, picture in PICTURES.items():
            scheme: Literal["light", "dark"] = "dark" if dark or picture.dark else "light"
            page = browser.new_page(
                viewport={"width": picture.width, "height": picture.height},
                color_scheme=scheme,
                reduced_motion="reduce",
                locale="en-GB",
                timezone_id="Europe/London",
            )
            if origin is None:
                page.clock.install(time=responses.NOON)
            take(page, f"{origin or site.url}{picture.path}", picture, directory / f"{name}.png")
            page.close()


def main() -> None:
    """Read the command line and make the pictures."""
    parser = argparse.ArgumentParser(description="Make pictures of the pages.")
    parser.add_argument("directory", type=Path, metavar="DIRECTORY")
    parser.add_argument("--origin", help="address of a running stack's pages; without it, made-up orders")
    parser.add_argument("--dark", action="store_true", help="dark colours")
    arguments = parser.parse_args()
    screenshots(arguments.directory, arguments.origin, dark=arguments.dark)


if __name__ == "__main__":
    main()
