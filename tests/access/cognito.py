"""Sign-in as the pages do it, and forged tokens."""

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
    """An app client of a user pool."""

    client_id: str
    redirect_uri: str
    scope: str = SCOPE


def pool_of(stack: LocalStack) -> str:
    """Return the id of the stack's user pool."""
    return stack.outputs["user_pool_id"]


def page_app(stack: LocalStack) -> App:
    """Return the app client of the order status."""
    return App(client_id=_client_id(stack, "page-"), redirect_uri=stack.outputs["page_url"])


def staff_app(stack: LocalStack) -> App:
    """Return the app client of the kitchen's page."""
    url = urljoin(stack.outputs["page_url"], "/kitchen")
    return App(client_id=_client_id(stack, "staff-"), redirect_uri=url, scope=STAFF_SCOPE)


def _client_id(stack: LocalStack, prefix: str) -> str:
    clients = stack.client("cognito-idp").list_user_pool_clients(UserPoolId=pool_of(stack), MaxResults=10)
    (found,) = (one for one in clients["UserPoolClients"] if one["ClientName"].startswith(prefix))
    client_id: str = found["ClientId"]
    return client_id


def add_user(stack: LocalStack, group: str | None) -> Login:
    """Add a user to the stack's user pool, in a group or in none."""
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
    """Add an app client to a user pool."""
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
    """Create another user pool with the same names in it."""
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
    """Open the sign-in page as the app redirects to it."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
        "scope": app.scope,
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return http.get(f"{stack.endpoint}/oauth2/authorize", params=query)


def code_for(
    stack: LocalStack, http: httpx.Client, app: App, verifier: str, login: Login | None = None
) -> str:
    """Sign in by name and password; return the authorization code in the redirect."""
    login = login or stack.sign_in
    assert login is not None
    page = authorize(stack, http, app, verifier)
    assert page.status_code == 200, page.text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    form = {**fields, "username": login["user"], "password": login["password"]}
    redirect = http.post(f"{stack.endpoint}/login", data=form)
    assert redirect.status_code == 302, redirect.text
    (code,) = parse_qs(urlsplit(redirect.headers["Location"]).query)["code"]
    return code


def exchange(stack: LocalStack, http: httpx.Client, app: App, code: str, verifier: str) -> httpx.Response:
    """Request tokens with an authorization code."""
    form = {
        "grant_type": "authorization_code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
        "code": code,
        "code_verifier": verifier,
    }
    return http.post(f"{stack.endpoint}/oauth2/token", data=form)


def sign_in(stack: LocalStack, http: httpx.Client, app: App, login: Login | None = None) -> dict[str, str]:
    """Sign in as the page does, and return the tokens."""
    verifier = secrets.token_urlsafe(48)
    response = exchange(stack, http, app, code_for(stack, http, app, verifier, login), verifier)
    assert response.status_code == 200, response.text
    tokens: dict[str, str] = response.json()
    return tokens


def refresh(stack: LocalStack, http: httpx.Client, app: App, refresh_token: str) -> dict[str, str]:
    """Request another access token, as the page does before one expires."""
    form = {"grant_type": "refresh_token", "client_id": app.client_id, "refresh_token": refresh_token}
    response = http.post(f"{stack.endpoint}/oauth2/token", data=form)
    assert response.status_code == 200, response.text
    tokens: dict[str, str] = response.json()
    return tokens


def claims_of(token: str) -> dict[str, Any]:
    """Return a token's claims without verifying it."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return claims


def signed(token: str, key: rsa.RSAPrivateKey, **changes: Any) -> str:
    """Return a token with some claims changed, signed by a key."""
    header = token.split(".")[0]
    payload = base64.urlsafe_b64encode(json.dumps({**claims_of(token), **changes}).encode()).rstrip(b"=")
    unsigned = f"{header}.{payload.decode()}"
    signature = key.sign(unsigned.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def unsigned(token: str) -> str:
    """Return a token with `alg` set to `none`, and without a signature."""
    header = base64.urlsafe_b64encode(b'{"alg": "none"}').rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."


def keys_of_the_pool(stack: LocalStack) -> list[rsa.RSAPrivateKey]:
    """Return MiniStack's keys for signing tokens."""
    found = []
    for path in (stack.directory / "ministack" / "state").rglob("*.pem"):
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        found.append(key)
    assert found, "MiniStack keeps its keys in another place"
    return found


def an_hour_ago() -> int:
    """Return the Unix time one hour ago."""
    return int(time.time()) - 3600


def tokens_without_rights(stack: LocalStack, http: httpx.Client) -> dict[str, dict[str, str]]:
    """Return the headers of users without access to orders, by a description."""
    app = staff_app(stack)
    staff = sign_in(stack, http, app)
    access = staff["access_token"]
    tokens = {
        "a viewer": sign_in(stack, http, app, add_user(stack, "viewer"))["access_token"],
        "a user without a group": sign_in(stack, http, app, add_user(stack, None))["access_token"],
        "staff, with an ID token": staff["id_token"],
        "staff, with a forged token": signed(access, rsa.generate_private_key(65537, 2048)),
    }
    for number, key in enumerate(keys_of_the_pool(stack)):
        tokens[f"staff, with an expired token ({number})"] = signed(access, key, exp=an_hour_ago())
    headers = {user: {"Authorization": f"Bearer {token}"} for user, token in tokens.items()}
    return headers | {"no token": {}}
