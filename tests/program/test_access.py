"""Who may read the order status or change orders, and that every way of access leaves no other way in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from infra import access
from infra.recording import PROJECT
from tests.program.conftest import Program
from tests.program.test_api_and_page import behaviour, page_settings

AUTHORIZER = "apigateway/authorizer:Authorizer"
METHOD = "apigateway/method:Method"


def origin(program: Program, which: str) -> dict[str, Any]:
    origins = program.one("cloudfront/distribution:Distribution").inputs["origins"]
    (found,) = (origin for origin in origins if origin["originId"] == which)
    return dict(found)


def of_access(program: Program) -> set[str]:
    """Name what a stack has for its way of access alone."""
    return {
        f"{resource.type.rpartition(':')[2]} {resource.name}"
        for resource in program.resources
        if "cafe:orders:Access$" in resource.urn
    } - FOR_STAFF


# What every stack has: staff signs in whoever may read the order status.
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


def test_a_public_dashboard_needs_nothing_but_staffs_sign_in(dev: Program) -> None:
    assert of_access(dev) == set()
    assert dev.outputs["dashboard_access"] == "public"
    assert dev.one(METHOD, "GET-order-status").inputs["authorization"] == "NONE"
    assert page_settings(dev)["signIn"] is None
    assert behaviour(dev, "api").get("functionAssociations", []) == []
    assert origin(dev, "api").get("customHeaders", []) == []


def test_names_are_shortened_where_they_are_read(dev: Program, limited: Program) -> None:
    def told(program: Program) -> object:
        environment = program.one("lambda/function:Function", "GetOrderStatusLambda").inputs["environment"]
        return environment["variables"]["CUSTOMER_NAMES"]

    assert told(dev) == "initial"
    assert told(limited) == "none"


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


def test_the_api_is_told_that_a_request_came_through_cloudfront_and_by_a_secret(limited: Program) -> None:
    (header,) = origin(limited, "api")["customHeaders"]
    assert header["name"] == "x-origin-secret"
    assert "customHeaders" not in origin(limited, "page")
    assert "origins" in limited.one("cloudfront/distribution:Distribution").secret_inputs


def test_what_the_networks_are_limited_for_knows_the_secrets_hash_alone(limited: Program) -> None:
    """At the API's own address, which the guard does not see, these two refuse everybody."""
    found = {
        function.name: function.inputs["environment"]["variables"].get("ORIGIN_SECRET_SHA256")
        for function in limited.all("lambda/function:Function")
    }
    hashed = hashlib.sha256(b"p4ssw0rd").hexdigest()
    assert {name for name, known in found.items() if known == hashed} == {
        "GetOrderStatusLambda",
        "StaffOrders",
    }
    assert set(found.values()) == {None, hashed}


def test_customers_paths_are_open_to_every_network_and_staffs_are_not(limited: Program) -> None:
    paths = set(access.open_paths("prod"))
    assert {"/prod/orders", "/prod/menu", "/prod/ready", "/prod/track", "/config.js"} <= paths
    assert not {"/", "/order-status", "/kitchen", "/prod/order-status", "/prod/kitchen"} & paths
    # The guard compares whole paths: an open one must not open what is below it.
    code = limited.one("cloudfront/function:Function").inputs["code"]
    assert "OPEN.includes(request.uri)" in code
    assert not any(path.endswith("/") or "*" in path for path in paths)


# Signing in


def test_prod_wants_people_to_sign_in(prod: Program) -> None:
    assert prod.outputs["dashboard_access"] == "login"
    method = prod.one(METHOD, "GET-order-status").inputs
    assert method["authorization"] == "COGNITO_USER_POOLS"
    assert method["authorizerId"] == "id-Authorizer.readers"
    # A token for something else, such as an ID token, does not do.
    assert method["authorizationScopes"] == ["cafe/status.read"]


@pytest.mark.parametrize("name", ["GET-kitchen", "GET-orders-id", "PATCH-orders-id"])
def test_staff_signs_in_whoever_may_read_the_order_status(
    dev: Program, limited: Program, prod: Program, name: str
) -> None:
    for program in (dev, limited, prod):
        method = program.one(METHOD, name).inputs
        assert method["authorization"] == "COGNITO_USER_POOLS"
        assert method["authorizerId"] == "id-Authorizer.readers"
        # A scope of its own: neither an ID token nor a token for the order status does.
        assert method["authorizationScopes"] == ["cafe/orders.staff"]
        assert program.one(AUTHORIZER).inputs["providerArns"] == ["arn:UserPool.cafe"]
        assert program.one(AUTHORIZER).inputs["authorizerResultTtlInSeconds"] == 0


def test_the_order_status_gets_no_token_that_changes_an_order(prod: Program) -> None:
    scopes = {
        client.name: client.inputs["allowedOauthScopes"]
        for client in prod.all("cognito/userPoolClient:UserPoolClient")
    }
    assert scopes == {
        "page": ["openid", "cafe/status.read"],
        "staff": ["openid", "cafe/status.read", "cafe/orders.staff"],
    }


def test_roles_are_groups_of_these_names(program: Program) -> None:
    """A function reads them in `cognito:groups`."""
    groups = {group.inputs["name"] for group in program.all("cognito/userGroup:UserGroup")}
    assert groups == {"viewer", "staff", "manager"}


def test_who_is_named_in_the_settings_is_a_viewer_and_no_more(invited: Program) -> None:
    memberships = invited.all("cognito/userInGroup:UserInGroup")
    found = {member.inputs["username"]: member.inputs["groupName"] for member in memberships}
    assert found == {"ada@example.org": "viewer", "bo@example.org": "viewer"}


def test_staffs_accounts_survive_a_change_of_access_and_a_destroy_by_mistake(
    prod: Program, dev: Program
) -> None:
    assert prod.one("cognito/userPool:UserPool").protect
    assert prod.one("cognito/userPool:UserPool").inputs["deletionProtection"] == "ACTIVE"
    assert dev.one("cognito/userPool:UserPool").inputs["deletionProtection"] == "INACTIVE"


@pytest.mark.parametrize("name", ["POST-orders", "GET-menu", "GET-ready", "GET-track"])
def test_ordering_stays_open(program: Program, name: str) -> None:
    method = program.one(METHOD, name).inputs
    assert method["authorization"] == "NONE"
    assert not method.get("apiKeyRequired")


def test_an_answer_for_one_who_signed_in_is_kept_for_that_token_alone(dev: Program, prod: Program) -> None:
    def headers(program: Program) -> object:
        policy = program.one("cloudfront/cachePolicy:CachePolicy").inputs
        return policy["parametersInCacheKeyAndForwardedToOrigin"]["headersConfig"]

    assert headers(prod) == {"headerBehavior": "whitelist", "headers": {"items": ["Authorization"]}}
    assert headers(dev) == {"headerBehavior": "none"}


def test_nobody_signs_up_by_themselves(prod: Program) -> None:
    pool = prod.one("cognito/userPool:UserPool")
    assert pool.inputs["adminCreateUserConfig"]["allowAdminCreateUserOnly"] is True
    assert pool.inputs["passwordPolicy"]["minimumLength"] >= 12


def test_the_function_itself_answers_nobody_else_where_people_sign_in(
    dev: Program, limited: Program, prod: Program
) -> None:
    """A deploy that leaves another way of access changes the function before the API."""

    def knows(program: Program) -> bool:
        environment = program.one("lambda/function:Function", "GetOrderStatusLambda").inputs["environment"]
        return "SIGNED_IN_ONLY" in environment["variables"]

    assert [knows(program) for program in (dev, limited, prod)] == [False, False, True]


def test_a_second_factor_is_wanted_of_everybody_or_nobody(
    invited: Program, with_settings: Callable[..., Program]
) -> None:
    """Cognito's sign-in offers nobody to set up one that is optional."""
    strict = with_settings(dashboardAccess="login", dashboardSecondFactor="true")
    pool = strict.one("cognito/userPool:UserPool").inputs
    assert pool["mfaConfiguration"] == "ON"
    assert pool["softwareTokenMfaConfiguration"] == {"enabled": True}
    pool = invited.one("cognito/userPool:UserPool").inputs
    assert pool["mfaConfiguration"] == "OFF"
    assert "softwareTokenMfaConfiguration" not in pool


def test_another_way_of_access_can_be_chosen_without_unprotecting_the_database(prod: Program) -> None:
    """What only `login` has goes when it is left: none of it may refuse to."""
    of_login = prod.one("cognito/userPoolClient:UserPoolClient", "page")
    assert of_access(prod) == {"UserPoolClient page"}
    assert not of_login.protect


def test_an_invitation_tells_the_pages_address_and_what_cognito_wants_in_it(invited: Program) -> None:
    config = invited.one("cognito/userPool:UserPool").inputs["adminCreateUserConfig"]
    message = config["inviteMessageTemplate"]["emailMessage"]
    assert f'<a href="{invited.outputs["page_url"]}">' in message
    assert '<a href="https://d1.cloudfront.net/kitchen">' in message
    assert "{username}" in message
    assert "{####}" in message


def test_who_follows_an_invitation_finds_where_to_sign_in(invited: Program) -> None:
    domain = invited.one("cognito/userPoolDomain:UserPoolDomain")
    for user in invited.all("cognito/user:User"):
        assert domain.urn in user.depends_on


@pytest.mark.parametrize("name", ["page", "staff"])
def test_a_page_gets_a_short_token_by_a_code_without_keeping_a_secret(prod: Program, name: str) -> None:
    client = prod.one("cognito/userPoolClient:UserPoolClient", name).inputs
    assert client["generateSecret"] is False
    assert client["allowedOauthFlows"] == ["code"]
    assert client["explicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert client["preventUserExistenceErrors"] == "ENABLED"
    assert client["enableTokenRevocation"] is True
    assert client["tokenValidityUnits"]["accessToken"] == "minutes"
    assert client["accessTokenValidity"] <= 60


def test_the_browser_comes_back_to_the_page_and_nowhere_else(prod: Program) -> None:
    pages = {
        "page": ["https://d1.cloudfront.net/order-status", "https://d1.cloudfront.net/"],
        "staff": ["https://d1.cloudfront.net/kitchen"],
    }
    for name, urls in pages.items():
        client = prod.one("cognito/userPoolClient:UserPoolClient", name).inputs
        assert client["callbackUrls"] == client["logoutUrls"] == urls
    assert prod.outputs["page_url"] == pages["page"][0]


def test_the_pages_know_where_to_sign_in_and_may_ask_there(program: Program) -> None:
    domain = f"https://{PROJECT}-0a1b2c3d.auth.us-east-1.amazoncognito.com"
    told = page_settings(program)
    assert told["staffSignIn"] == {
        "domain": domain,
        "clientId": "id-UserPoolClient.staff",
        "scope": "openid cafe/status.read cafe/orders.staff",
    }
    if program.outputs["dashboard_access"] == "login":
        assert told["signIn"] == {
            "domain": domain,
            "clientId": "id-UserPoolClient.page",
            "scope": "openid cafe/status.read",
        }
    headers = program.one("cloudfront/responseHeadersPolicy:ResponseHeadersPolicy").inputs
    policy = headers["securityHeadersConfig"]["contentSecurityPolicy"]["contentSecurityPolicy"]
    assert f"connect-src 'self' {domain};" in policy


def test_people_are_invited_by_their_addresses(invited: Program) -> None:
    users = {user.inputs["username"]: user for user in invited.all("cognito/user:User")}
    assert set(users) == {"ada@example.org", "bo@example.org"}
    for address, user in users.items():
        assert user.inputs["desiredDeliveryMediums"] == ["EMAIL"]
        # Not by a place in the list, which another's leaving changes.
        assert user.name == f"user-{hashlib.sha256(address.encode()).hexdigest()[:12]}"


# A key for orders


def test_orders_want_a_key_if_the_setting_says_so_and_nothing_else_does(limited: Program) -> None:
    wanting = {method.name for method in limited.all(METHOD) if method.inputs.get("apiKeyRequired")}
    assert wanting == {"POST-orders"}
    plan = limited.one("apigateway/usagePlan:UsagePlan").inputs
    assert plan["apiStages"] == [{"apiId": "id-RestApi.orders", "stage": "prod"}]
    key = limited.one("apigateway/usagePlanKey:UsagePlanKey").inputs
    assert (key["keyId"], key["usagePlanId"]) == ("id-ApiKey.orders", "id-UsagePlan.orders")
    assert limited.outputs["orders_api_key"] == "k3y"


def test_place_order_knows_the_api_key_by_its_hash_and_only_where_there_is_one(
    limited: Program, dev: Program
) -> None:
    def variables(program: Program) -> dict[str, str]:
        function = program.one("lambda/function:Function", "PlaceOrder")
        assert "environment" not in function.secret_inputs
        found: dict[str, str] = function.inputs["environment"]["variables"]
        return found

    assert variables(limited)["ORDERS_API_KEY_SHA256"] == hashlib.sha256(b"k3y").hexdigest()
    assert "ORDERS_API_KEY_SHA256" not in variables(dev)
