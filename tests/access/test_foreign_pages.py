"""Only this stack's page can complete a sign-in; pages of other origins cannot."""

from __future__ import annotations

import secrets

import pytest

from tests.access import cognito
from tests.access.conftest import Visitor
from tests.local_stack import LocalStack

FOREIGN = ["https://evil.example", "http://127.0.0.1:8000", "http://evil.cloudfront.localhost", "null"]
QUERY = "X%2DAmz%2DCredential=test%2F20261122%2Fus-east-1%2Fiam%2Faws4_request"


def test_only_this_stacks_page_reads_tokens(login: Visitor, login_stack: LocalStack) -> None:
    app, verifier = cognito.page_app(login_stack), secrets.token_urlsafe(48)
    code = cognito.code_for(login_stack, login.http, app, verifier)
    for origin in FOREIGN:
        login.http.headers["Origin"] = origin
        refused = cognito.exchange(login_stack, login.http, app, code, verifier)
        assert refused.status_code == 403
        assert not [name for name in refused.headers if name.startswith("access-control-")]
    login.http.headers["Origin"] = login.origin
    response = cognito.exchange(login_stack, login.http, app, code, verifier)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == login.origin


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_cannot_submit_the_sign_in_form(
    login: Visitor, login_stack: LocalStack, origin: str
) -> None:
    assert login_stack.sign_in is not None
    app = cognito.page_app(login_stack)
    form = {
        **login_stack.sign_in,
        "username": login_stack.sign_in["user"],
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
    }
    response = login.http.post(f"{login_stack.endpoint}/login", data=form, headers={"Origin": origin})
    assert response.status_code == 403
    assert "Location" not in response.headers
    own = {"Origin": login_stack.endpoint}
    assert login.http.post(f"{login_stack.endpoint}/login", data=form, headers=own).status_code == 302


@pytest.mark.parametrize(
    "path", ["/oauth2/authorize", "/oauth2/token", "/oauth2/userInfo", "/login", "/logout"]
)
def test_sign_in_paths_are_not_accepted_as_aws_calls(
    login: Visitor, login_stack: LocalStack, path: str
) -> None:
    body = {"Action": "CreateUser", "UserName": "stolen", "Version": "2010-05-08"}
    token = "Bearer Credential=test/20261122/us-east-1/iam/aws4_request, Signature=0"
    for query, headers in ((QUERY, {}), ("", {"Authorization": token})):
        url = f"{login_stack.endpoint}{path}?{query}"
        for browser in ({}, {"Origin": login.origin}, {"Sec-Fetch-Site": "same-origin"}):
            assert login.http.post(url, data=body, headers={**headers, **browser}).status_code == 403
    assert login_stack.client("iam").list_users()["Users"] == []
