"""Signing in: the authorization code with PKCE, renewal, refusal, and signing out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.responses import order, order_status

if TYPE_CHECKING:
    from tests.browser.conftest import Board
    from tests.browser.fake_site import UserPool

STORED = "JSON.stringify({ ...sessionStorage, ...localStorage })"


@pytest.fixture
def pool(board: Board) -> UserPool:
    """The user pool without whose token the API refuses the order status."""
    board.site.response = order_status([order("a")])
    return board.site.require_sign_in()


def sign_in(board: Board, path: str = "/order-status") -> None:
    """Open the page and sign in."""
    board.open(path)
    board.button("Sign in").click()


def sign_in_until_orders_appear(board: Board, path: str = "/order-status") -> None:
    sign_in(board, path)
    expect(board.rows).to_have_count(1)


def test_without_a_sign_in_nothing_is_requested_and_with_one_the_same_address_shows_the_orders(
    board: Board, pool: UserPool
) -> None:
    board.open("/order-status?kiosk")
    expect(board.page.get_by_role("heading", name="Sign in to see the orders")).to_be_visible()
    expect(board.page.locator("#board")).to_be_hidden()
    expect(board.button("Pause")).to_be_hidden()
    expect(board.button("Sign out")).to_be_hidden()
    board.advance(60_000)
    assert board.site.status_requests == 0
    board.button("Sign in").click()
    expect(board.rows).to_have_count(1)
    expect(board.page).to_have_url(f"{board.site.url}/order-status?kiosk")  # without the code
    request = pool.authorizations[0]
    assert request["response_type"] == "code"
    assert request["code_challenge_method"] == "S256"
    assert request["scope"] == "openid cafe/status.read"
    assert request["redirect_uri"] == f"{board.site.url}/order-status"
    assert pool.grants == ["authorization_code"]
    assert set(board.site.tokens) == {"Bearer access-1"}


def test_a_sign_in_lasts_over_a_reload_in_its_tab_and_signing_out_leaves_nothing_behind(
    board: Board, pool: UserPool
) -> None:
    sign_in_until_orders_appear(board)
    assert board.page.evaluate("localStorage.length") == 0
    assert board.page.evaluate("document.cookie") == ""
    assert "verifier" not in board.page.evaluate(STORED)
    board.page.reload()
    expect(board.rows).to_have_count(1)
    assert pool.grants == ["authorization_code"]
    board.button("Sign out").click()
    expect(board.button("Sign in")).to_be_visible()
    assert pool.revoked == ["refresh"]
    assert pool.signed_out == [{"client_id": "the-page", "logout_uri": f"{board.site.url}/order-status"}]
    assert board.page.evaluate(STORED) == "{}"


def test_a_token_is_renewed_before_it_expires_and_when_the_api_refuses_it(
    board: Board, pool: UserPool
) -> None:
    sign_in_until_orders_appear(board)
    board.page.clock.fast_forward(3_545_000)
    expect(board.updated).to_contain_text("12:59:0")
    assert pool.grants == ["authorization_code", "refresh_token"]
    assert board.site.tokens[-1] == "Bearer access-2"
    assert "" not in board.site.tokens
    pool.access_token = "another"
    board.update(4_000)
    assert pool.grants == ["authorization_code", "refresh_token", "refresh_token"]
    expect(board.state).to_have_text("Live")


def test_the_end_of_a_sign_in_hides_the_orders(board: Board, pool: UserPool) -> None:
    sign_in_until_orders_appear(board)
    pool.access_token, pool.rejects_refresh = "another", True
    board.advance(1_000)
    expect(board.page.get_by_role("heading", name="Sign in to see the orders")).to_be_visible()
    expect(board.rows).to_have_count(0)
    assert "access-1" not in board.page.evaluate(STORED)
    pool.rejects_refresh = False
    board.button("Sign in").click()
    expect(board.rows).to_have_count(1)


def test_an_unreachable_user_pool_does_not_end_a_sign_in(board: Board, pool: UserPool) -> None:
    sign_in_until_orders_appear(board)
    pool.access_token, pool.unreachable = "another", True
    board.fail()
    board.fail(2_000)
    expect(board.notice).to_contain_text("cannot be reached")
    expect(board.rows).to_have_count(1)
    pool.unreachable = False
    board.advance(4_000)
    expect(board.state).to_have_text("Live")


def test_a_refusal_of_the_user_pool_is_shown_as_text(board: Board, pool: UserPool) -> None:
    pool.refusal = "<b>User is disabled</b>"
    sign_in(board)
    expect(board.sign_in_text).to_have_text("The sign-in did not succeed: <b>User is disabled</b>.")
    expect(board.page).to_have_url(f"{board.site.url}/order-status")


def test_a_code_with_a_foreign_state_is_not_exchanged(board: Board, pool: UserPool) -> None:
    pool.state = "forged"
    sign_in(board)
    expect(board.sign_in_text).to_have_text("That sign-in was not started here. Please sign in again.")
    board.open("/order-status?code=stolen&state=guessed")
    expect(board.sign_in_text).to_contain_text("not started here")
    assert pool.grants == []


def test_a_user_without_permission_can_only_sign_out(board: Board, pool: UserPool) -> None:
    board.site.status = 403
    sign_in(board)
    expect(board.page.get_by_role("heading", name="No access")).to_be_visible()
    expect(board.sign_in_text).to_contain_text("Your account may not see the orders.")
    expect(board.button("Sign out")).to_be_visible()


def test_a_user_who_may_no_longer_see_the_kitchen_sees_no_names_and_signs_out_without_a_trace(
    board: Board, pool: UserPool
) -> None:
    board.site.order_api.add("K42")
    sign_in(board, "/kitchen")
    cards = board.page.locator(".card")
    expect(cards).to_have_count(1)
    board.site.status = 403
    board.advance(5_000)
    expect(board.page.get_by_role("heading", name="No access")).to_be_visible()
    expect(cards).to_have_count(0)
    board.button("Sign out").click()
    expect(board.button("Sign in")).to_be_visible()
    assert pool.revoked == ["refresh"]
    assert board.page.evaluate(STORED) == "{}"
