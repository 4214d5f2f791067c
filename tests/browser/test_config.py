"""Whatever config.js holds, the pages start, replace what they cannot use, and report it in the console."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.fake_site import SETTINGS
from tests.browser.responses import answer, order

if TYPE_CHECKING:
    from tests.browser.conftest import Board

TEN_MINUTES = 600_000  # milliseconds: how often the page looks for another config.js
USED = (
    "apiBase",
    "timeZone",
    "locale",
    "signIn",
    "staffSignIn",
    "warnMinutes",
    "overdueMinutes",
    "ordersApiKey",
)
BROKEN = {
    "an empty file": "",
    "no module": "<html><body>404</body></html>",
    "half a file": 'export const settings = {"apiBase": "/pr',
    "an error": "export const settings = {}; throw new Error('no');",
    "another name": "export const other = {};",
    "null": "export const settings = null;",
    "a number": "export const settings = 5;",
    "a list": "export const settings = [];",
    "a text": 'export const settings = "/prod";',
    "getters that throw": "export const settings = new Proxy({}, { get() { throw new Error('no'); } });",
    "a circle": "export const settings = {}; settings.locale = settings;",
    "a big integer": "export const settings = { locale: 5n, timeZone: Symbol('UTC') };",
}
WRONG_SIGN_IN: list[Any] = [
    {"domain": "javascript:alert(1)", "clientId": "page", "scope": "openid"},
    {"domain": "no address", "clientId": "page", "scope": "openid"},
    {"domain": "https://sign-in.example", "clientId": 5, "scope": "openid"},
    {"domain": "https://sign-in.example", "clientId": "page"},
]
WRONG: dict[str, list[Any]] = {
    "apiBase": ["prod", "//elsewhere.example", "https://elsewhere.example", "/", "/a b", "/../prod"],
    "timeZone": ["posix/Europe/Berlin", "Mars/Olympus", "localtime", "+25:00"],
    "locale": ["en-12", "de-DE-DE", "en_US", "de-1996-1996", "x" * 10_000],
    "signIn": WRONG_SIGN_IN,
    "staffSignIn": WRONG_SIGN_IN,
    "warnMinutes": [0, -3, 2.5, "3"],
    "overdueMinutes": [0, -6, 6.5, "6"],
    "ordersApiKey": ["true", 1],
}
WRONG_KINDS: list[Any] = [None, 5, -1.5, True, "", "\0", "…", [], ["de"], {}, {"domain": None}]


def reports(board: Board) -> list[str]:
    """Take the console's messages about config.js; the end of a test finds the others."""
    found = [text for text in board.complaints if "config.js" in text]
    board.complaints[:] = [text for text in board.complaints if text not in found]
    return found


def expect_status(board: Board) -> None:
    expect(board.rows).to_have_count(1)
    expect(board.state).to_have_text("Live")
    expect(board.figure("today")).to_have_text("1,234")


@pytest.fixture(autouse=True)
def some_orders(board: Board) -> None:
    board.site.answer = answer([order("a")], today=1234)


@pytest.mark.parametrize(
    "status", [HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR]
)
def test_without_config_js_the_status_is_shown(board: Board, status: int) -> None:
    board.site.config_status = status
    board.open()
    expect_status(board)
    expect(board.page.locator("#zone")).to_have_text("Times are in the time zone UTC.")
    assert any("config.js cannot be used" in text for text in reports(board))


def test_with_a_broken_config_js_the_status_is_shown(board: Board, subtests: pytest.Subtests) -> None:
    for name, config in BROKEN.items():
        with subtests.test(name):
            board.site.config = config
            board.open()
            expect_status(board)
            assert reports(board)


@pytest.mark.parametrize("config", ["await new Promise(() => {});", "export function then() {}"])
def test_a_config_js_that_never_ends_is_waited_for_ten_seconds(board: Board, config: str) -> None:
    board.site.config = config
    with board.page.expect_request("**/config.js"):
        board.open()
    board.wait(10_000)
    expect_status(board)
    assert any("no response within 10 s" in text for text in reports(board))


def test_wrong_settings_are_replaced_and_each_is_named_in_the_console(board: Board) -> None:
    usable = {
        "signIn": None,
        "staffSignIn": None,
        "warnMinutes": 5,
        "overdueMinutes": 5,
        "ordersApiKey": True,
    }
    wrong = {
        name: [
            *WRONG[name],
            *(kind for kind in WRONG_KINDS if name not in usable or kind is not usable[name]),
        ]
        for name in USED
    }
    for number in range(max(map(len, wrong.values()))):
        settings = {name: kinds[number % len(kinds)] for name, kinds in wrong.items()}
        board.site.settings = {**SETTINGS, **settings}
        board.open()
        expect_status(board)
        found = "\n".join(reports(board))
        for name in USED:
            assert f"config.js: {name} cannot be used" in found, settings[name]


def test_a_missing_setting_is_replaced_and_named_in_the_console(
    board: Board, subtests: pytest.Subtests
) -> None:
    for name in USED:
        with subtests.test(name):
            board.site.settings = {key: value for key, value in SETTINGS.items() if key != name}
            board.open()
            expect_status(board)
            (report,) = reports(board)
            assert f"config.js: {name} cannot be used" in report


def test_a_right_config_js_is_not_reported(board: Board) -> None:
    board.site.settings |= {"locale": "de-DE-u-nu-latn", "timeZone": "America/Argentina/ComodRivadavia"}
    board.open()
    expect(board.figure("today")).to_have_text("1.234")
    assert reports(board) == []


def test_a_page_that_does_not_know_where_to_sign_in_says_so_and_takes_the_next_deploy(board: Board) -> None:
    board.site.ask_for_sign_in()
    right = board.site.settings["signIn"]
    board.site.settings["signIn"] = {**right, "domain": "no address"}
    board.open("/order-status?kiosk")
    expect(board.page.locator("#access-words")).to_contain_text("Sign-in is not set up")
    expect(board.page.locator("#sign-in")).to_be_hidden()
    assert reports(board)
    board.site.settings["signIn"] = right
    with board.page.expect_navigation():
        board.page.clock.fast_forward(TEN_MINUTES)
    expect(board.page.locator("#sign-in")).to_be_visible()


def test_a_broken_config_js_that_stays_does_not_reload_the_page(board: Board) -> None:
    board.site.settings["locale"] = "en-12"
    board.open()
    expect_status(board)
    with board.page.expect_response("**/config.js"):
        board.page.clock.fast_forward(TEN_MINUTES)
    expect_status(board)
    assert board.site.requests.count("/order-status") == 1
    assert reports(board)


def test_an_order_can_be_placed_whatever_config_js_holds(board: Board, subtests: pytest.Subtests) -> None:
    wrong = f"export const settings = {json.dumps({'locale': 'en-12'})};"
    for number, (name, config) in enumerate({**BROKEN, "a wrong setting": wrong}.items(), start=1):
        with subtests.test(name):
            board.site.config = config
            board.site.order_answer = {"orderId": f"order-{number}", "message": "Order accepted"}
            board.open("/order")
            board.page.get_by_label("Latte").check()
            board.page.get_by_role("button", name="Place the order").click()
            expect(board.page.locator("#number")).to_have_text(f"order-{number}")
            assert reports(board)


def test_an_api_that_wants_its_key_is_given_one_without_config_js(board: Board) -> None:
    board.site.config_status = HTTPStatus.NOT_FOUND
    board.site.order_status, board.site.order_answer = (
        HTTPStatus.FORBIDDEN,
        {"message": "with its API key only"},
    )
    board.open("/order")
    board.page.get_by_label("Latte").check()
    send = board.page.get_by_role("button", name="Place the order")
    send.click()
    key = board.page.get_by_label("The cafe’s API key")
    expect(key).to_be_focused()
    board.site.order_status, board.site.order_answer = HTTPStatus.ACCEPTED, {"orderId": "o-1", "message": ""}
    key.fill("k3y")
    send.click()
    expect(board.page.locator("#number")).to_have_text("o-1")
    assert board.site.orders[-1][1]["x-api-key"] == "k3y"
    assert reports(board)
