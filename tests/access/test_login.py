"""With a sign-in, the order status requires a valid token of the right pool and scope."""

from __future__ import annotations

import json
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from playwright.sync_api import Browser, expect
from typer.testing import CliRunner

from cli.main import app as command
from tests.access import cognito
from tests.access.conftest import Visitor, client_from
from tests.local_stack import UNSIGNED, LocalStack

UNAUTHORIZED = [401, 401]
OK = [200, 200]


@pytest.fixture(scope="module")
def tokens(login_stack: LocalStack) -> dict[str, str]:
    """Tokens of a signed-in user."""
    with client_from() as http:
        return cognito.sign_in(login_stack, http, cognito.page_app(login_stack))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_an_access_token_is_accepted_at_both_addresses(login: Visitor, tokens: dict[str, str]) -> None:
    assert login.statuses(**bearer(tokens["access_token"])) == OK


def test_without_a_token_both_addresses_return_only_a_message(login: Visitor) -> None:
    assert login.statuses() == UNAUTHORIZED
    for url in login.status_urls:
        assert list(login.http.get(url).json()) == ["message"]


def test_a_response_to_a_signed_in_user_is_not_cached_for_others(
    login: Visitor, tokens: dict[str, str]
) -> None:
    assert login.statuses(**bearer(tokens["access_token"])) == OK
    assert login.statuses() == UNAUTHORIZED


def test_an_id_token_is_refused(login: Visitor, tokens: dict[str, str]) -> None:
    assert login.statuses(**bearer(tokens["id_token"])) == UNAUTHORIZED


def test_a_token_without_the_scope_is_refused(login: Visitor, login_stack: LocalStack) -> None:
    pool = cognito.pool_of(login_stack)
    token = cognito.sign_in(login_stack, login.http, cognito.other_app(login_stack, pool, "openid"))
    assert "cafe/status.read" not in cognito.claims_of(token["access_token"])["scope"]
    assert login.statuses(**bearer(token["access_token"])) == UNAUTHORIZED


def test_a_token_of_another_pool_is_refused(login: Visitor, login_stack: LocalStack) -> None:
    assert login_stack.sign_in is not None
    pool = cognito.other_pool(login_stack, **login_stack.sign_in)
    token = cognito.sign_in(login_stack, login.http, cognito.other_app(login_stack, pool))["access_token"]
    assert "cafe/status.read" in cognito.claims_of(token)["scope"]
    assert login.statuses(**bearer(token)) == UNAUTHORIZED


def test_an_expired_token_is_refused(login: Visitor, login_stack: LocalStack, tokens: dict[str, str]) -> None:
    # Signed by the pool: only the time is wrong.
    (key,) = (
        key
        for key in cognito.keys_of_the_pool(login_stack)
        if login.statuses(**bearer(cognito.signed(tokens["access_token"], key))) == OK
    )
    expired = cognito.signed(tokens["access_token"], key, exp=cognito.an_hour_ago())
    assert login.statuses(**bearer(expired)) == UNAUTHORIZED


def test_a_forged_token_is_refused(login: Visitor, tokens: dict[str, str]) -> None:
    forger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = tokens["access_token"]
    for forged in (
        cognito.signed(token, forger),
        cognito.unsigned(token),
        token[:-8] + "AAAAAAAA",
        "x.y.z",
    ):
        assert login.statuses(**bearer(forged)) == UNAUTHORIZED


def test_a_token_in_the_query_is_refused(login: Visitor, tokens: dict[str, str]) -> None:
    for url in login.status_urls:
        query = {"Authorization": tokens["access_token"], "access_token": tokens["access_token"]}
        assert login.http.get(url, params=query).status_code == 401


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_foreign_page_cannot_read_the_response(login: Visitor, tokens: dict[str, str], method: str) -> None:
    headers = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    if method == "GET":
        headers |= bearer(tokens["access_token"])
    for url in login.status_urls:
        response = login.http.request(method, url, headers=headers)
        assert not [name for name in response.headers if name.startswith("access-control-")], url


def test_buckets_refuse_unsigned_requests(login: Visitor, login_stack: LocalStack) -> None:
    page, copies = sorted(found["Name"] for found in login_stack.client("s3").list_buckets()["Buckets"])
    keys = {page: ("", "order-status", "config.js"), copies: ("", "orders/x")}
    for path in [f"{bucket}/{key}" for bucket, names in keys.items() for key in names]:
        response = login.http.get(f"{login_stack.endpoint}/{path}", headers=UNSIGNED)
        assert response.status_code == 403
        assert "AccessDenied" in response.text


def test_ordering_the_menu_and_the_page_need_no_token(login: Visitor) -> None:
    assert login.http.post(f"{login.origin}/prod/orders", json={"item": "Tea", "quantity": 1}).is_success
    assert [item["item"] for item in login.get("/prod/menu").json()["menu"]] == ["Coffee", "Latte", "Tea"]
    assert login.get("/order-status").status_code == 200


def test_an_authorization_code_requires_its_verifier_and_is_used_once(
    login: Visitor, login_stack: LocalStack
) -> None:
    app, verifier = cognito.page_app(login_stack), secrets.token_urlsafe(48)
    code = cognito.code_for(login_stack, login.http, app, verifier)
    for guess in (secrets.token_urlsafe(48), ""):
        assert cognito.exchange(login_stack, login.http, app, code, guess).status_code == 400
    assert cognito.exchange(login_stack, login.http, app, code, verifier).status_code == 200
    assert cognito.exchange(login_stack, login.http, app, code, verifier).status_code == 400


def test_the_sign_in_redirects_to_registered_urls_only(login: Visitor, login_stack: LocalStack) -> None:
    page = cognito.page_app(login_stack)
    elsewhere = cognito.App(client_id=page.client_id, redirect_uri="https://evil.example/order-status")
    assert cognito.authorize(login_stack, login.http, elsewhere, "v" * 43).status_code == 400


def test_passwords_are_accepted_on_the_sign_in_page_only(login_stack: LocalStack) -> None:
    page = cognito.page_app(login_stack)
    client = login_stack.client("cognito-idp").describe_user_pool_client(
        UserPoolId=cognito.pool_of(login_stack), ClientId=page.client_id
    )["UserPoolClient"]
    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]


def test_the_operator_needs_no_sign_in(login_stack: LocalStack) -> None:
    where = ["--directory", str(login_stack.directory)]
    status = CliRunner().invoke(command, ["status", "--json", *where])
    assert status.exit_code == 0, status.output
    assert "metrics" in json.loads(status.stdout)
    verified = CliRunner().invoke(command, ["verify", *where])
    assert verified.exit_code == 0, verified.output
    doctor = CliRunner().invoke(command, ["doctor", "--json", *where])
    found = {finding["name"]: finding["state"] for finding in json.loads(doctor.stdout)["findings"]}
    assert (found["page"], found["api"]) == ("ok", "ok")


def test_a_user_signs_in_sees_the_orders_and_signs_out(login_stack: LocalStack, browser: Browser) -> None:
    assert login_stack.sign_in is not None
    with browser.new_page() as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(login_stack.outputs["page_url"])
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("Username").fill(login_stack.sign_in["user"])
        page.get_by_label("Password").fill(login_stack.sign_in["password"])
        with page.expect_response(lambda response: response.url.endswith("/prod/order-status")) as status:
            page.get_by_role("button", name="Sign in").click()
        assert status.value.status == 200
        expect(page).to_have_url(login_stack.outputs["page_url"])
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0
        assert errors == []
