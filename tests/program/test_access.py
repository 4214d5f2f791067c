"""Access to the order status and to changes of orders, with each value of `dashboardAccess`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from infra import access
from infra.recording import PROJECT
from tests.program.conftest import Program

AUTHORIZER = "apigateway/authorizer:Authorizer"
METHOD = "apigateway/method:Method"


def origin(program: Program, which: str) -> dict[str, Any]:
    origins = program.one("cloudfront/distribution:Distribution").inputs["origins"]
    (found,) = (origin for origin in origins if origin["originId"] == which)
    return dict(found)


def of_access(program: Program) -> set[str]:
    """Return the resources of Access that only some stacks have."""
    return {
        f"{resource.type.rpartition(':')[2]} {resource.name}"
        for resource in program.resources
        if "cafe:orders:Access$" in resource.urn
    } - FOR_STAFF


# In every stack, because staff always signs in.
FOR_STAFF = {
    "RandomId sign-in",
    "ResourceServer cafe",
    "UserGroup manager",
    "UserGroup staff",
    "UserGroup viewer",
    "UserPool cafe",
    "UserPoolClient staff",
    "UserPoolDomain cafe",
}


# Public


def test_a_public_dashboard_adds_no_resources(dev: Program) -> None:
    assert of_access(dev) == set()
    assert dev.outputs["dashboard_access"] == "public"
    assert dev.one(METHOD, "GET-order-status").inputs["authorization"] == "NONE"
    assert dev.page_settings()["signIn"] is None
    assert dev.behavior("api").get("functionAssociations", []) == []
    assert origin(dev, "api").get("customHeaders", []) == []


def test_the_function_masks_names(dev: Program, limited: Program) -> None:
    def mode(program: Program) -> object:
        environment = program.one("lambda/function:Function", "GetOrderStatusLambda").inputs["environment"]
        return environment["variables"]["CUSTOMER_NAMES"]

    assert (mode(dev), mode(limited)) == ("initial", "none")


# Networks


def test_limited_networks_have_a_guard_and_a_secret(limited: Program) -> None:
    assert of_access(limited) == {"Function networks", "RandomPassword origin"}


def test_every_request_through_cloudfront_passes_the_guard(limited: Program) -> None:
    guard = [{"eventType": "viewer-request", "functionArn": "arn:Function.networks"}]
    distribution = limited.one("cloudfront/distribution:Distribution").inputs
    for behavior in [distribution["defaultCacheBehavior"], *distribution["orderedCacheBehaviors"]]:
        assert behavior["functionAssociations"] == guard


def test_the_guard_is_published_and_small_enough_with_fifty_networks(limited: Program) -> None:
    guard = limited.one("cloudfront/function:Function").inputs
    assert (guard["runtime"], guard["publish"]) == ("cloudfront-js-2.0", True)
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
    assert len(guard["code"]) < 10_240


def test_cloudfront_adds_a_secret_header_to_requests_for_the_api(limited: Program) -> None:
    (header,) = origin(limited, "api")["customHeaders"]
    assert header["name"] == "x-origin-secret"
    assert "customHeaders" not in origin(limited, "page")
    assert "origins" in limited.one("cloudfront/distribution:Distribution").secret_inputs


def test_only_functions_behind_the_guard_get_the_hash_of_the_secret(limited: Program) -> None:
    """They refuse requests at the API's own URL, which bypasses the guard."""
    found = {
        function.name: function.inputs["environment"]["variables"].get("ORIGIN_SECRET_SHA256")
        for function in limited.all("lambda/function:Function")
    }
    hashed = hashlib.sha256(b"p4ssw0rd").hexdigest()
    assert {name for name, value in found.items() if value == hashed} == {
        "GetOrderStatusLambda",
        "StaffOrders",
    }
    assert set(found.values()) == {None, hashed}


def test_customers_paths_are_open_to_every_network_and_other_paths_are_not(limited: Program) -> None:
    paths = set(access.open_paths("prod"))
    assert {"/prod/orders", "/prod/menu", "/prod/ready", "/prod/track", "/config.js"} <= paths
    assert not {"/", "/order-status", "/kitchen", "/prod/order-status", "/prod/kitchen"} & paths
    # The guard compares whole paths, so that an open path does not open those below it.
    code = limited.one("cloudfront/function:Function").inputs["code"]
    assert "OPEN.includes(request.uri)" in code
    assert not any(path.endswith("/") or "*" in path for path in paths)


# Signing in


def test_prod_requires_sign_in(prod: Program) -> None:
    assert prod.outputs["dashboard_access"] == "login"
    method = prod.one(METHOD, "GET-order-status").inputs
    assert method["authorization"] == "COGNITO_USER_POOLS"
    assert method["authorizerId"] == "id-Authorizer.readers"
    # Refuses tokens without this scope, such as ID tokens.
    assert method["authorizationScopes"] == ["cafe/status.read"]


@pytest.mark.parametrize("name", ["GET-kitchen", "GET-orders-id", "PATCH-orders-id"])
def test_staff_always_signs_in(dev: Program, limited: Program, prod: Program, name: str) -> None:
    for program in (dev, limited, prod):
        method = program.one(METHOD, name).inputs
        assert method["authorization"] == "COGNITO_USER_POOLS"
        assert method["authorizerId"] == "id-Authorizer.readers"
        # Refuses ID tokens, and tokens for the order status.
        assert method["authorizationScopes"] == ["cafe/orders.staff"]
        assert program.one(AUTHORIZER).inputs["providerArns"] == ["arn:UserPool.cafe"]
        assert program.one(AUTHORIZER).inputs["authorizerResultTtlInSeconds"] == 0


def test_tokens_of_the_order_status_cannot_change_an_order(prod: Program) -> None:
    scopes = {
        client.name: client.inputs["allowedOauthScopes"]
        for client in prod.all("cognito/userPoolClient:UserPoolClient")
    }
    assert scopes == {
        "page": ["openid", "cafe/status.read"],
        "staff": ["openid", "cafe/status.read", "cafe/orders.staff"],
    }


def test_roles_are_groups_of_the_user_pool(program: Program) -> None:
    """StaffOrders reads them from the claim `cognito:groups`."""
    groups = {group.inputs["name"] for group in program.all("cognito/userGroup:UserGroup")}
    assert groups == {"viewer", "staff", "manager"}


def test_users_of_the_settings_are_viewers_only(invited: Program) -> None:
    memberships = invited.all("cognito/userInGroup:UserInGroup")
    found = {member.inputs["username"]: member.inputs["groupName"] for member in memberships}
    assert found == {"ada@example.org": "viewer", "bo@example.org": "viewer"}


def test_staffs_accounts_are_protected(prod: Program, dev: Program) -> None:
    assert prod.one("cognito/userPool:UserPool").protect
    assert prod.one("cognito/userPool:UserPool").inputs["deletionProtection"] == "ACTIVE"
    assert dev.one("cognito/userPool:UserPool").inputs["deletionProtection"] == "INACTIVE"


@pytest.mark.parametrize("name", ["POST-orders", "GET-menu", "GET-ready", "GET-track"])
def test_ordering_stays_open(program: Program, name: str) -> None:
    method = program.one(METHOD, name).inputs
    assert method["authorization"] == "NONE"
    assert not method.get("apiKeyRequired")


def test_with_login_the_cache_key_contains_the_token(dev: Program, prod: Program) -> None:
    def headers(program: Program) -> object:
        policy = program.one("cloudfront/cachePolicy:CachePolicy").inputs
        return policy["parametersInCacheKeyAndForwardedToOrigin"]["headersConfig"]

    assert headers(prod) == {"headerBehavior": "whitelist", "headers": {"items": ["Authorization"]}}
    assert headers(dev) == {"headerBehavior": "none"}


def test_users_cannot_sign_up(prod: Program) -> None:
    pool = prod.one("cognito/userPool:UserPool")
    assert pool.inputs["adminCreateUserConfig"]["allowAdminCreateUserOnly"] is True
    assert pool.inputs["passwordPolicy"]["minimumLength"] >= 12


def test_with_login_the_function_itself_requires_sign_in(
    dev: Program, limited: Program, prod: Program
) -> None:
    """A deploy that switches to `login` updates the function before the API."""

    def requires_sign_in(program: Program) -> bool:
        environment = program.one("lambda/function:Function", "GetOrderStatusLambda").inputs["environment"]
        return "SIGNED_IN_ONLY" in environment["variables"]

    assert [requires_sign_in(program) for program in (dev, limited, prod)] == [False, False, True]


@pytest.mark.parametrize(
    ("key", "warning"), [("dashboardMfa", ""), ("dashboardSecondFactor", "dashboardMfa")]
)
def test_mfa_is_required_of_all_users_or_none_also_by_its_old_name(
    invited: Program, with_settings: Callable[..., Program], key: str, warning: str
) -> None:
    """Cognito's sign-in page never offers to set up optional MFA."""
    strict = with_settings(dashboardAccess="login", **{key: "true"})
    pool = strict.one("cognito/userPool:UserPool").inputs
    assert warning in strict.warnings
    assert pool["mfaConfiguration"] == "ON"
    assert pool["softwareTokenMfaConfiguration"] == {"enabled": True}
    pool = invited.one("cognito/userPool:UserPool").inputs
    assert pool["mfaConfiguration"] == "OFF"
    assert "softwareTokenMfaConfiguration" not in pool


def test_access_can_be_changed_without_removing_the_protection(prod: Program) -> None:
    """A change deletes the resources that only `login` has, so none of them is protected."""
    of_login = prod.one("cognito/userPoolClient:UserPoolClient", "page")
    assert of_access(prod) == {"UserPoolClient page"}
    assert not of_login.protect


def test_an_invitation_contains_the_pages_urls_and_cognitos_placeholders(invited: Program) -> None:
    config = invited.one("cognito/userPool:UserPool").inputs["adminCreateUserConfig"]
    message = config["inviteMessageTemplate"]["emailMessage"]
    assert f'<a href="{invited.outputs["page_url"]}">' in message
    assert '<a href="https://d1.cloudfront.net/kitchen">' in message
    assert "{username}" in message
    assert "{####}" in message


def test_the_sign_in_page_exists_before_the_invitations(invited: Program) -> None:
    domain = invited.one("cognito/userPoolDomain:UserPoolDomain")
    for user in invited.all("cognito/user:User"):
        assert domain.urn in user.depends_on


@pytest.mark.parametrize("name", ["page", "staff"])
def test_a_page_gets_a_short_lived_token_by_a_code_without_a_client_secret(prod: Program, name: str) -> None:
    client = prod.one("cognito/userPoolClient:UserPoolClient", name).inputs
    assert client["generateSecret"] is False
    assert client["allowedOauthFlows"] == ["code"]
    assert client["explicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert client["preventUserExistenceErrors"] == "ENABLED"
    assert client["enableTokenRevocation"] is True
    assert client["tokenValidityUnits"]["accessToken"] == "minutes"
    assert client["accessTokenValidity"] <= 60


def test_the_sign_in_redirects_to_the_page_only(prod: Program) -> None:
    pages = {
        "page": ["https://d1.cloudfront.net/order-status", "https://d1.cloudfront.net/"],
        "staff": ["https://d1.cloudfront.net/kitchen"],
    }
    for name, urls in pages.items():
        client = prod.one("cognito/userPoolClient:UserPoolClient", name).inputs
        assert client["callbackUrls"] == client["logoutUrls"] == urls
    assert prod.outputs["page_url"] == pages["page"][0]


def test_the_pages_have_the_sign_ins_settings_and_may_connect_to_it(program: Program) -> None:
    domain = f"https://{PROJECT}-0a1b2c3d.auth.us-east-1.amazoncognito.com"
    settings = program.page_settings()
    assert settings["staffSignIn"] == {
        "domain": domain,
        "clientId": "id-UserPoolClient.staff",
        "scope": "openid cafe/status.read cafe/orders.staff",
    }
    if program.outputs["dashboard_access"] == "login":
        assert settings["signIn"] == {
            "domain": domain,
            "clientId": "id-UserPoolClient.page",
            "scope": "openid cafe/status.read",
        }
    headers = program.one("cloudfront/responseHeadersPolicy:ResponseHeadersPolicy").inputs
    policy = headers["securityHeadersConfig"]["contentSecurityPolicy"]["contentSecurityPolicy"]
    assert f"connect-src 'self' {domain};" in policy


def test_users_are_invited_by_e_mail(invited: Program) -> None:
    users = {user.inputs["username"]: user for user in invited.all("cognito/user:User")}
    assert set(users) == {"ada@example.org", "bo@example.org"}
    for address, user in users.items():
        assert user.inputs["desiredDeliveryMediums"] == ["EMAIL"]
        # Not the index in the list, which changes when another user is removed.
        assert user.name == f"user-{hashlib.sha256(address.encode()).hexdigest()[:12]}"


# A key for orders


def test_with_the_setting_only_orders_require_an_api_key(limited: Program) -> None:
    requiring = {method.name for method in limited.all(METHOD) if method.inputs.get("apiKeyRequired")}
    assert requiring == {"POST-orders"}
    plan = limited.one("apigateway/usagePlan:UsagePlan").inputs
    assert plan["apiStages"] == [{"apiId": "id-RestApi.orders", "stage": "prod"}]
    key = limited.one("apigateway/usagePlanKey:UsagePlanKey").inputs
    assert (key["keyId"], key["usagePlanId"]) == ("id-ApiKey.orders", "id-UsagePlan.orders")
    assert limited.outputs["orders_api_key"] == "k3y"


def test_place_order_gets_the_hash_of_the_api_key_if_there_is_one(limited: Program, dev: Program) -> None:
    def variables(program: Program) -> dict[str, str]:
        function = program.one("lambda/function:Function", "PlaceOrder")
        assert "environment" not in function.secret_inputs
        found: dict[str, str] = function.inputs["environment"]["variables"]
        return found

    assert variables(limited)["ORDERS_API_KEY_SHA256"] == hashlib.sha256(b"k3y").hexdigest()
    assert "ORDERS_API_KEY_SHA256" not in variables(dev)
