"""Signing in as the page does, and tokens that nobody should accept."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.local_stack import LocalStack

SCOPE = "openid cafe/status.read"
STAFF_SCOPE = f"{SCOPE} cafe/orders.staff"
Login = dict[str, str]  # with user and password


@dataclass(frozen=True, kw_only=True)
class App:
    """An application that people sign in to."""

    client_id: str
    redirect_uri: str
    scope: str = SCOPE


def pool_of(stack: LocalStack) -> str:
    """Name the stack's user pool."""
    return stack.outputs["user_pool_id"]


def page_app(stack: LocalStack) -> App:
    """Find the entry of the order status in the user pool."""
    return App(client_id=_client_id(stack, "page-"), redirect_uri=stack.outputs["page_url"])


def staff_app(stack: LocalStack) -> App:
    """Find the entry of the kitchen's page in the user pool."""
    url = urljoin(stack.outputs["page_url"], "/kitchen")
    return App(client_id=_client_id(stack, "staff-"), redirect_uri=url, scope=STAFF_SCOPE)


def _client_id(stack: LocalStack, prefix: str) -> str:
    clients = stack.client("cognito-idp").list_user_pool_clients(UserPoolId=pool_of(stack), MaxResults=10)
    (found,) = (one for one in clients["UserPoolClients"] if one["ClientName"].startswith(prefix))
    client_id: str = found["ClientId"]
    return client_id


def add_person(stack: LocalStack, group: str | None) -> Login:
    """Add an account to the stack's user pool, in a group or in none."""
    login = {"user": f"{secrets.token_hex(4)}@cafe.example", "password": f"{secrets.token_urlsafe(16)}-aA1"}
    cognito = stack.client("cognito-idp")
    key = {"UserPoolId": pool_of(stack), "Username": login["user"]}
    attributes = [{"Name": "email", "Value": login["user"]}]
    cognito.admin_create_user(**key, UserAttributes=attributes, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(**key, Password=login["password"], Permanent=True)
    if group:
        cognito.admin_add_user_to_group(**key, GroupName=group)
    return login


def other_app(stack: LocalStack, pool: str, scope: str = SCOPE) -> App:
    """Add an application to a user pool, with a way in for a password."""
    created = stack.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool,
        ClientName="other",
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=scope.split(),
        CallbackURLs=["http://localhost/other"],
        SupportedIdentityProviders=["COGNITO"],
    )
    return App(
        client_id=created["UserPoolClient"]["ClientId"], redirect_uri="http://localhost/other", scope=scope
    )


def other_pool(stack: LocalStack, user: str, password: str) -> str:
    """Make a user pool of somebody else's, with the same names in it."""
    cognito = stack.client("cognito-idp")
    pool: str = cognito.create_user_pool(PoolName="other")["UserPool"]["Id"]
    cognito.create_resource_server(
        UserPoolId=pool,
        Identifier="cafe",
        Name="cafe",
        Scopes=[{"ScopeName": "status.read", "ScopeDescription": "The same words"}],
    )
    cognito.admin_create_user(UserPoolId=pool, Username=user, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=user, Password=password, Permanent=True)
    return pool


def authorize(stack: LocalStack, http: httpx.Client, app: App, verifier: str) -> httpx.Response:
    """Open the sign-in's page as an application sends people there."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    question = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
        "scope": app.scope,
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return http.get(f"{stack.endpoint}/oauth2/authorize", params=question)


def code_for(
    stack: LocalStack, http: httpx.Client, app: App, verifier: str, login: Login | None = None
) -> str:
    """Sign in by name and password, and return the code with which the browser is sent back."""
    login = login or stack.sign_in
    assert login is not None
    page = authorize(stack, http, app, verifier)
    assert page.status_code == 200, page.text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    form = {**fields, "username": login["user"], "password": login["password"]}
    sent_back = http.post(f"{stack.endpoint}/login", data=form)
    assert sent_back.status_code == 302, sent_back.text
    (code,) = parse_qs(urlsplit(sent_back.headers["Location"]).query)["code"]
    return code


def exchange(stack: LocalStack, http: httpx.Client, app: App, code: str, verifier: str) -> httpx.Response:
    """Ask for tokens with a code."""
    question = {
        "grant_type": "authorization_code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
        "code": code,
        "code_verifier": verifier,
    }
    return http.post(f"{stack.endpoint}/oauth2/token", data=question)


def sign_in(stack: LocalStack, http: httpx.Client, app: App, login: Login | None = None) -> dict[str, str]:
    """Sign in as the page does, and return the tokens."""
    verifier = secrets.token_urlsafe(48)
    answer = exchange(stack, http, app, code_for(stack, http, app, verifier, login), verifier)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, str] = answer.json()
    return tokens


def renew(stack: LocalStack, http: httpx.Client, app: App, refresh_token: str) -> dict[str, str]:
    """Ask for another access token, as the page does when one is about to end."""
    question = {"grant_type": "refresh_token", "client_id": app.client_id, "refresh_token": refresh_token}
    answer = http.post(f"{stack.endpoint}/oauth2/token", data=question)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, str] = answer.json()
    return tokens


def claims_of(token: str) -> dict[str, Any]:
    """Read a token without checking it."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return claims


def signed(token: str, key: rsa.RSAPrivateKey, **changes: Any) -> str:
    """Write a token's claims anew, some of them changed, and sign them."""
    header = token.split(".")[0]
    payload = base64.urlsafe_b64encode(json.dumps({**claims_of(token), **changes}).encode()).rstrip(b"=")
    unsigned = f"{header}.{payload.decode()}"
    signature = key.sign(unsigned.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def unsigned(token: str) -> str:
    """Write a token anew that says it needs no signature."""
    header = base64.urlsafe_b64encode(b'{"alg": "none"}').rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."


def keys_of_the_pool(stack: LocalStack) -> list[rsa.RSAPrivateKey]:
    """Take the keys with which the stand-in for Cognito signs."""
    found = []
    for path in (stack.directory / "ministack" / "state").rglob("*.pem"):
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        found.append(key)
    return found


def an_hour_ago() -> int:
    """Return a moment that is over, in seconds."""
    return int(time.time()) - 3600


def tokens_without_rights(stack: LocalStack, http: httpx.Client) -> dict[str, dict[str, str]]:
    """Make the headers of people who may not see orders, by who they are."""
    app = staff_app(stack)
    staff = sign_in(stack, http, app)
    access = staff["access_token"]
    tokens = {
        "a viewer": sign_in(stack, http, app, add_person(stack, "viewer"))["access_token"],
        "one without a group": sign_in(stack, http, app, add_person(stack, None))["access_token"],
        "staff, with an ID token": staff["id_token"],
        "staff, with a forged token": signed(access, rsa.generate_private_key(65537, 2048)),
    }
    for number, key in enumerate(keys_of_the_pool(stack)):
        tokens[f"staff, with an expired token ({number})"] = signed(access, key, exp=an_hour_ago())
    headers = {who: {"Authorization": f"Bearer {token}"} for who, token in tokens.items()}
    return headers | {"nobody": {}}
