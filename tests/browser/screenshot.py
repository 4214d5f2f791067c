"""Take the README's pictures of the pages: make picture."""

from __future__ import annotations

import argparse
import base64
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import sync_playwright

from tests.browser import responses
from tests.browser.fake_order_api import busy_order_api, track_response
from tests.browser.fake_site import FakeSite, serve
from tests.chromium import launch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A page on a device."""

    path: str
    width: int
    height: int
    ready: str = 'body[data-state="live"]'  # an element that appears with the first response
    dark: bool = False
    tap: str = ""  # the label of a button to press first
    tapped: str = ""  # an element that appears then


PICTURES = {
    "order-status": Picture(path="/order-status", width=1440, height=1085),
    "order-status-dark": Picture(path="/order-status", width=1440, height=1085, dark=True),
    "kitchen": Picture(
        path="/kitchen",
        width=1180,
        height=820,
        tap="Start: K53",
        tapped="section[data-column=preparing] li:nth-child(3)",
    ),
    "ready": Picture(path="/ready", width=1280, height=720, dark=True),
}
TRACK = Picture(path="/track#token", width=330, height=510)
# Responses of `GET /track` while an order is made.
NOON = responses.NOON.isoformat()
STEPS = (
    track_response("received", number="K50", usual_seconds=240),
    track_response("preparing", number="K50", usual_seconds=240, orders_before=0),
    track_response("ready", number="K50", orders_before=None, ready_at=NOON),
)


def prepare(site: FakeSite) -> None:
    """Set up the responses of a good morning."""
    site.response = responses.busy_morning()
    site.order_api = busy_order_api()
    site.order_api.ready = ["K47", "K46", "K44"]
    site.order_api.preparing = ["K48", "K49", "K50"]


def open_page(browser: Browser, url: str, picture: Picture, *, dark: bool, frozen: bool) -> Page:
    """Load a page on a device; `frozen` stops its clock at noon."""
    scheme: Literal["light", "dark"] = "dark" if dark or picture.dark else "light"
    page = browser.new_page(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/London",
    )
    if frozen:
        page.clock.install(time=responses.NOON)
    page.goto(f"{url}{picture.path}")
    page.locator(picture.ready).wait_for()
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    if picture.tap:
        page.get_by_role("button", name=picture.tap).click()
        page.locator(picture.tapped).wait_for()
        page.mouse.move(0, 0)
    return page


def side_by_side(browser: Browser, pictures: list[bytes], target: Path) -> None:
    """Combine pictures into one (PNG), from left to right."""
    images = (f'<img src="data:image/png;base64,{base64.b64encode(each).decode()}">' for each in pictures)
    page = browser.new_page()
    page.set_content(f'<body style="display: inline-flex; gap: 16px; margin: 0">{"".join(images)}')
    page.locator("body").screenshot(path=target, omit_background=True)
    page.close()


def screenshots(directory: Path, origin: str | None = None, *, dark: bool = False) -> None:
    """Write the pictures of all pages into a directory, which is created if it is missing.

    Parameters
    ----------
    directory
        Directory for the pictures, each with the name of its page.
    origin
        Address of a running stack's pages; None: a fake site with fake orders.
    dark
        Use dark colours for every page.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        site = stack.enter_context(serve())
        prepare(site)
        browser = stack.enter_context(launch(stack.enter_context(sync_playwright())))

        def show(picture: Picture) -> bytes:
            url = origin or site.url
            with open_page(browser, url, picture, dark=dark, frozen=origin is None) as page:
                return page.screenshot()

        for name, picture in PICTURES.items():
            (directory / f"{name}.png").write_bytes(show(picture))
        if origin is None:
            steps = []
            for step in STEPS:
                site.order_api.track = step
                steps.append(show(TRACK))
            side_by_side(browser, steps, directory / "track.png")


def main() -> None:
    """Read the command line and take the pictures."""
    parser = argparse.ArgumentParser(description="Take pictures of the pages.")
    parser.add_argument("directory", type=Path, metavar="DIRECTORY")
    parser.add_argument("--origin", help="address of a running stack's pages; default: a fake site")
    parser.add_argument("--dark", action="store_true", help="dark colours")
    arguments = parser.parse_args()
    screenshots(arguments.directory, arguments.origin, dark=arguments.dark)


if __name__ == "__main__":
    main()
