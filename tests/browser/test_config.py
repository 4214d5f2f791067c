"""Whatever config.js holds, the pages start, replace what they cannot use, and report it in the console."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.fake_site import SETTINGS
from tests.browser.responses import order, order_status

if TYPE_CHECKING:
    from tests.browser.conftest import Board

TEN_MINUTES = 600_000  # milliseconds between two checks for another config.js
DEFAULTS = {
    "apiBase": "/prod",
    "timeZone": "UTC",
    "locale": "en-US",
    "signIn": None,
    "staffSignIn": None,
    "warnMinutes": 3,
    "overdueMinutes": 6,
    "ordersApiKey": False,
}
UNUSABLE = {
    "an empty file": "",
    "not a module": "<html><body>404</body></html>",
    "half a file": 'export const settings = {"apiBase": "/pr',
    "an error": "export const settings = {}; throw new Error('no');",
    "another name": "export const other = {};",
    "null": "export const settings = null;",
    "a number": "export const settings = 5;",
    "a list": "export const settings = [];",
    "a text": 'export const settings = "/prod";',
    "getters that throw": "export const settings = new Proxy({}, { get() { throw new Error('no'); } });",
    "a circular object": "export const settings = {}; settings.locale = settings;",
    "a big integer": "export const settings = { locale: 5n, timeZone: Symbol('UTC') };",
}
# One of each kind, for the whole pages.
FAULTY = {
    name: UNUSABLE[name]
    for name in ("not a module", "an error", "null", "getters that throw", "a big integer")
} | {"an invalid setting": 'export const settings = {"locale": "en-12"};'}
INVALID_SIGN_IN: list[Any] = [
    {"domain": "javascript:alert(1)", "clientId": "page", "scope": "openid"},
    {"domain": "no address", "clientId": "page", "scope": "openid"},
    {"domain": "https://sign-in.example", "clientId": 5, "scope": "openid"},
    {"domain": "https://sign-in.example", "clientId": "page"},
]
INVALID: dict[str, list[Any]] = {
    "apiBase": ["prod", "//elsewhere.example", "https://elsewhere.example", "/", "/a b", "/../prod"],
    "timeZone": ["posix/Europe/Berlin", "Mars/Olympus", "localtime", "+25:00"],
    "locale": ["en-12", "de-DE-DE", "en_US", "de-1996-1996", "x" * 10_000],
    "signIn": INVALID_SIGN_IN,
    "staffSignIn": INVALID_SIGN_IN,
    "warnMinutes": [0, -3, 2.5, "3"],
    "overdueMinutes": [0, -6, 6.5, "6"],
    "ordersApiKey": ["true", 1],
}
OF_OTHER_TYPES: list[Any] = [None, 5, -1.5, True, "", "\0", "…", [], ["de"], {}, {"domain": None}]
VALID = {"signIn": None, "staffSignIn": None, "warnMinutes": 5, "overdueMinutes": 5, "ordersApiKey": True}


def read_settings(board: Board) -> dict[str, Any]:
    """Return the settings that the module of the pages makes of config.js, in a document without scripts."""
    board.open("/favicon.svg")
    settings: dict[str, Any] = board.page.evaluate(
        "async () => (await import(`${location.origin}/settings.js`)).settings"
    )
    return settings


def take_reports(board: Board) -> list[str]:
    """Remove and return the console's messages about config.js; any other problem fails the test."""
    reports = [text for text in board.problems if "config.js" in text]
    board.problems[:] = [text for text in board.problems if text not in reports]
    return reports


def expect_status(board: Board) -> None:
    expect(board.rows).to_have_count(1)
    expect(board.state).to_have_text("Live")
    expect(board.figure("today")).to_have_text("1,234")


@pytest.fixture(autouse=True)
def some_orders(board: Board) -> None:
    board.site.response = order_status([order("a")], today=1234)


def test_an_unusable_config_js_is_replaced_and_reported(board: Board, subtests: pytest.Subtests) -> None:
    for name, config in UNUSABLE.items():
        with subtests.test(name):
            board.site.config = config
            assert read_settings(board) == DEFAULTS
            assert take_reports(board)


def test_an_invalid_or_missing_setting_is_replaced_and_named_in_the_console(board: Board) -> None:
    invalid = {
        name: [*INVALID[name], *(value for value in OF_OTHER_TYPES if value is not VALID.get(name, ...))]
        for name in DEFAULTS
    }
    for number in range(max(map(len, invalid.values()))):
        settings = {name: values[number % len(values)] for name, values in invalid.items()}
        board.site.settings = {**SETTINGS, **settings}
        assert read_settings(board) == DEFAULTS
        reports = "\n".join(take_reports(board))
        for name in DEFAULTS:
            assert f"config.js: {name} cannot be used" in reports, settings[name]
    for name, default in DEFAULTS.items():
        board.site.settings = {key: value for key, value in SETTINGS.items() if key != name}
        assert read_settings(board) == {**{key: SETTINGS[key] for key in DEFAULTS}, name: default}
        (report,) = take_reports(board)
        assert f"config.js: {name} cannot be used" in report


@pytest.mark.parametrize(
    "status", [HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR]
)
def test_without_config_js_the_status_is_shown(board: Board, status: int) -> None:
    board.site.config_status = status
    board.open()
    expect_status(board)
    expect(board.page.locator("#zone")).to_have_text("Times are in the time zone UTC.")
    assert any("config.js cannot be used" in text for text in take_reports(board))


def test_with_any_kind_of_faulty_config_js_both_pages_work(board: Board, subtests: pytest.Subtests) -> None:
    for name, config in FAULTY.items():
        with subtests.test(name):
            board.site.config = config
            board.open()
            expect_status(board)
            assert take_reports(board)
            board.site.order_response = {"orderId": name, "message": "Order accepted"}
            board.open("/order")
            board.page.get_by_label("Latte").check()
            board.button("Place the order").click()
            expect(board.page.locator("#number")).to_have_text(name)
            assert take_reports(board)


def test_without_config_js_an_order_can_be_placed_even_if_the_api_requires_a_key(board: Board) -> None:
    board.site.config_status = HTTPStatus.NOT_FOUND
    board.site.order_response_status = HTTPStatus.FORBIDDEN
    board.site.order_response = {"message": "with its API key only"}
    board.open("/order")
    board.page.get_by_label("Latte").check()
    send = board.button("Place the order")
    send.click()
    key = board.page.get_by_label("The cafe’s API key")
    expect(key).to_be_focused()
    board.site.order_response_status = HTTPStatus.ACCEPTED
    board.site.order_response = {"orderId": "o-1", "message": ""}
    key.fill("k3y")
    send.click()
    expect(board.page.locator("#number")).to_have_text("o-1")
    assert board.site.orders[-1][1]["x-api-key"] == "k3y"
    assert take_reports(board)


@pytest.mark.parametrize("config", ["await new Promise(() => {});", "export function then() {}"])
def test_a_config_js_that_never_finishes_is_dropped_after_ten_seconds(board: Board, config: str) -> None:
    board.site.config = config
    with board.page.expect_request("**/config.js"):
        board.open()
    board.advance(10_000)
    expect_status(board)
    assert any("no response within 10 s" in text for text in take_reports(board))


def test_a_valid_config_js_is_not_reported(board: Board) -> None:
    board.site.settings |= {"locale": "de-DE-u-nu-latn", "timeZone": "America/Argentina/ComodRivadavia"}
    board.open()
    expect(board.figure("today")).to_have_text("1.234")
    assert take_reports(board) == []


def test_a_page_without_a_usable_sign_in_reports_it_and_loads_the_next_deploy(board: Board) -> None:
    board.site.require_sign_in()
    valid = board.site.settings["signIn"]
    board.site.settings["signIn"] = {**valid, "domain": "no address"}
    board.open("/order-status?kiosk")
    expect(board.sign_in_text).to_contain_text("Sign-in is not set up")
    expect(board.page.locator("#sign-in")).to_be_hidden()
    assert take_reports(board)
    board.site.settings["signIn"] = valid
    with board.page.expect_navigation():
        board.page.clock.fast_forward(TEN_MINUTES)
    expect(board.page.locator("#sign-in")).to_be_visible()


def test_an_invalid_setting_that_stays_does_not_reload_the_page(board: Board) -> None:
    board.site.settings["locale"] = "en-12"
    board.open()
    expect_status(board)
    with board.page.expect_response("**/config.js"):
        board.page.clock.fast_forward(TEN_MINUTES)
    expect_status(board)
    assert board.site.requests.count("/order-status") == 1
    assert take_reports(board)
