"""Make the README's picture of the page: make picture."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

from tests.browser import answers
from tests.browser.site import serve
from tests.chromium import launch

WIDTH, HEIGHT = 1440, 1010


def screenshot(target: Path, url: str | None = None, *, dark: bool = False) -> None:
    """Write a picture of the page to `target` (PNG, 1440 × 1010).

    Parameters
    ----------
    target
        The file; its folder is made when it is missing.
    url
        Address of a running page; None shows orders made up for the picture.
    dark
        Show the page as on a device that is set to dark colours.
    """
    scheme: Literal["light", "dark"] = "dark" if dark else "light"
    target.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        made_up = url is None
        if url is None:
            site = stack.enter_context(serve())
            site.answer = answers.busy_morning()
            url = site.url
        browser = stack.enter_context(launch(stack.enter_context(sync_playwright())))
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT},
            color_scheme=scheme,
            locale="en-GB",
            timezone_id="Europe/London",
        )
        if made_up:
            page.clock.install(time=answers.NOON)
        page.goto(url)
        page.locator('body[data-state="live"]').wait_for()
        page.wait_for_function("() => document.fonts.status === 'loaded'")
        page.screenshot(path=target)


def main() -> None:
    """Read the command line and make the picture."""
    parser = argparse.ArgumentParser(description="Make a picture of the order-status page (1440 × 1010).")
    parser.add_argument("target", type=Path, metavar="OUT.png")
    parser.add_argument("--url", help="address of a running page; without it, made-up orders are shown")
    parser.add_argument("--dark", action="store_true", help="dark colours")
    arguments = parser.parse_args()
    screenshot(arguments.target, arguments.url, dark=arguments.dark)


if __name__ == "__main__":
    main()
