"""Start the machine's own Chromium under Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from tests.waiting import LIMIT

# Its names on Debian, Ubuntu, Fedora and of Google's packages, the fastest first; macOS has it in a folder.
NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
MAC_APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
QUIET = (
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Return the path of the system's Chromium or Chrome, or None: Playwright's own is then used."""
    return next((path for path in map(shutil.which, (*NAMES, *MAC_APPLICATIONS)) if path), None)


def launch(playwright: Playwright, *options: str) -> Browser:
    """Start a headless browser that sends no requests of its own.

    Parameters
    ----------
    options
        More command-line options of Chromium.

    Raises
    ------
    playwright.sync_api.Error
        Chromium is not installed.
    """
    # Chromium's sandbox does not start for root, as in most containers.
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=find_chromium(), args=[*QUIET, *sandbox, *options])


# A module at a time: Playwright's event loop must not run while other tests start one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium for the tests of a module."""
    expect.set_options(timeout=LIMIT * 1000)
    with sync_playwright() as playwright, launch(playwright) as chromium:
        yield chromium
