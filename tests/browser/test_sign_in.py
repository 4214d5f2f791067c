"""Signing in: the authorization code with PKCE, renewal, refusal, and signing out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.responses import answer, order

if TYPE_CHECKING:
    from tests.browser.conftest import Board
    from tests.browser.fake_site import UserPool

STORED = "JSON.stringify({ ...sessionStorage, ...localStorage })"


@pytest.fixture
def pool(board: Board) -> UserPool:
    """The user pool that lets people see the board."""
    board.site.answer = answer([order("a")])
    return board.site.ask_for_sign_in()


def sign_in(board: Board, path: str = "/order-status") -> None:
    """Come to the page and sign in."""
    board.open(path)
    board.page.get_by_role("button", name="Sign in").click()


def test_who_is_not_signed_in_sees_the_door(board: Board, pool: UserPool) -> None:
    board.open()
    expect(board.page.get_by_role("heading", name="Sign in to see the orders")).to_be_visible()
    expect(board.page.locator("#board")).to_be_hidden()
    expect(board.page.get_by_role("button", name="Pause")).to_be_hidden()
    expect(board.page.get_by_role("button", name="Sign out")).to_be_hidden()
    board.wait(60_000)
    assert board.site.questions == 0  # nothing is asked without a token
    board.picture("sign-in")


def test_signing_in_shows_the_board_where_one_was(board: Board, pool: UserPool) -> None:
    sign_in(board, "/order-status?kiosk")
    expect(board.rows).to_have_count(1)
    expect(board.page).to_have_url(f"{board.site.url}/order-status?kiosk")  # and no code in the address
    asked = pool.asked[0]
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid cafe/status.read"
    assert asked["redirect_uri"] == f"{board.site.url}/order-status"
    assert pool.grants == ["authorization_code"]
    assert set(board.site.tokens) == {"Bearer access-1"}


def test_a_reload_needs_no_other_sign_in(board: Board, pool: UserPool) -> None:
    sign_in(board)
    expect(board.rows).to_have_count(1)
    board.page.reload()
    expect(board.rows).to_have_count(1)
    assert pool.grants == ["authorization_code"]


def test_a_token_is_renewed_before_it_ends(board: Board, pool: UserPool) -> None:
    sign_in(board)
    expect(board.rows).to_have_count(1)
    board.page.clock.fast_forward(3_545_000)
    expect(board.updated).to_contain_text("12:59:0")
    assert pool.grants == ["authorization_code", "refresh_token"]
    assert board.site.tokens[-1] == "Bearer access-2"
    assert "" not in board.site.tokens


def test_a_refused_token_is_renewed(board: Board, pool: UserPool) -> None:
    sign_in(board)
    expect(board.rows).to_have_count(1)
    pool.access = "another"
    board.update()
    assert pool.grants == ["authorization_code", "refresh_token"]
    expect(board.state).to_have_text("Live")


def test_the_end_of_a_sign_in_shows_the_door_and_no_names(board: Board, pool: UserPool) -> None:
    sign_in(board)
    expect(board.rows).to_have_count(1)
    pool.access, pool.forgets = "another", True
    board.wait(1_000)
    expect(board.page.get_by_role("heading", name="Sign in to see the orders")).to_be_visible()
    expect(board.rows).to_have_count(0)
    assert "access-1" not in board.page.evaluate(STORED)
    pool.forgets = False
    board.page.get_by_role("button", name="Sign in").click()
    expect(board.rows).to_have_count(1)


def test_a_user_pool_that_does_not_answer_is_no_end_of_a_sign_in(board: Board, pool: UserPool) -> None:
    sign_in(board)
    expect(board.rows).to_have_count(1)
    pool.access, pool.unreachable = "another", True
    board.fail()
    board.fail(2_000)
    expect(board.notice).to_contain_text("cannot be reached")
    expect(board.rows).to_have_count(1)
    pool.unreachable = False
    board.wait(4_000)
    expect(board.state).to_have_text("Live")


def test_a_refusal_is_told_as_it_is(board: Board, pool: UserPool) -> None:
    pool.says_no = "<b>User is disabled</b>"
    sign_in(board)
    expect(board.page.locator("#access-words")).to_have_text(
        "The sign-in did not succeed: <b>User is disabled</b>."
    )
    expect(board.page).to_have_url(f"{board.site.url}/order-status")


def test_an_answer_to_a_sign_in_that_was_not_begun_here_is_not_taken(board: Board, pool: UserPool) -> None:
    pool.state = "forged"
    sign_in(board)
    expect(board.page.locator("#access-words")).to_have_text(
        "That sign-in was not started here. Please sign in again."
    )
    board.open("/order-status?code=stolen&state=guessed")
    expect(board.page.locator("#access-words")).to_contain_text("not started here")
    assert pool.grants == []


def test_an_account_without_the_right_may_leave(board: Board, pool: UserPool) -> None:
    board.site.status = 403
    sign_in(board)
    expect(board.page.get_by_role("heading", name="No access")).to_be_visible()
    expect(board.page.locator("#access-words")).to_contain_text("Your account may not see the orders.")
    expect(board.page.get_by_role("button", name="Sign out")).to_be_visible()


def test_signing_out_leaves_nothing_behind(board: Board, pool: UserPool) -> None:
    sign_in(board)
    expect(board.rows).to_have_count(1)
    board.page.get_by_role("button", name="Sign out").click()
    expect(board.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert pool.revoked == ["refresh"]
    assert pool.signed_out == [{"client_id": "the-page", "logout_uri": f"{board.site.url}/order-status"}]
    assert board.page.evaluate(STORED) == "{}"


def test_tokens_are_kept_in_the_tab_only(board: Board, pool: UserPool) -> None:
    sign_in(board)
    expect(board.rows).to_have_count(1)
    assert board.page.evaluate("localStorage.length") == 0
    assert board.page.evaluate("document.cookie") == ""
    assert "verifier" not in board.page.evaluate(STORED)
