"""The files that the pages load: few bytes, all from the site itself, and no markup in scripts."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from infra.web_files import WEB
from tests.browser.conftest import LOADED
from tests.browser.fake_order_api import busy_order_api, track_response
from tests.browser.fake_site import PAGES
from tests.browser.responses import busy_morning

if TYPE_CHECKING:
    import pytest

    from tests.browser.conftest import Board

LARGEST = 35_000  # bytes, compressed, of a page with everything that it loads except fonts
LARGEST_WITH_FONTS = 100_000
FONTS = {file.name: len(file.read_bytes()) for file in WEB.glob("*.woff2")}


def test_a_page_with_everything_that_it_loads_is_small(board: Board, subtests: pytest.Subtests) -> None:
    board.site.response, board.site.order_api = busy_morning(), busy_order_api()
    board.site.order_api.track = track_response("preparing")
    requested: set[str] = set()  # also from the browser's cache, which the site does not see
    board.page.on("request", lambda request: requested.add(request.url.rpartition("/")[2]))
    for path in LOADED:
        with subtests.test(path):
            board.site.requests.clear()
            requested.clear()
            board.load(path)
            board.page.evaluate("document.fonts.ready.then(() => true)")
            assert requested >= set(FONTS)
            loaded = [WEB / PAGES.get(name, name.removeprefix("/")) for name in set(board.site.requests)]
            sizes = {
                file.name: len(gzip.compress(file.read_bytes(), mtime=0))
                for file in loaded
                if file.is_file() and file.suffix != ".woff2"
            }
            assert sum(sizes.values()) < LARGEST, sizes
            assert sum(sizes.values()) + sum(FONTS.values()) < LARGEST_WITH_FONTS, sizes


def test_nothing_comes_from_another_site_and_no_script_writes_markup() -> None:
    for file in WEB.iterdir():
        if file.suffix == ".woff2" or file.name.endswith(".licence.txt"):
            continue
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        for forbidden in (
            "http://",
            "https://",
            "innerHTML",
            "insertAdjacentHTML",
            "eval(",
            " style=",
            "onclick",
        ):
            assert forbidden not in text, f"{forbidden} in {file.name}"
