"""Resources of Cognito, and a user whose password is printed."""

from __future__ import annotations

from typing import Any

from local.deployer.cloud import Cloud, Visitor
from local.deployer.inputs import Inputs
from local.deployer.registry import Result, resource
from local.deployer.storage import random_text

VISITOR = "barista@cafe.example"
STAFF = "staff"  # the group that changes orders
_NO_EMAIL = "this machine sends no e-mails"
_NO_MFA = "the local user has no authenticator app"
_PASSWORD_POLICY = (
    *("minimumLength", "requireLowercase", "requireUppercase", "requireNumbers", "requireSymbols"),
    "temporaryPasswordValidityDays",
)
_CLIENT = (
    *("generateSecret", "supportedIdentityProviders", "explicitAuthFlows", "accessTokenValidity"),
    *("idTokenValidity", "refreshTokenValidity", "enableTokenRevocation", "preventUserExistenceErrors"),
)
_OAUTH = {
    "allowedOauthFlowsUserPoolClient": "AllowedOAuthFlowsUserPoolClient",
    "allowedOauthFlows": "AllowedOAuthFlows",
    "allowedOauthScopes": "AllowedOAuthScopes",
}


@resource(
    "aws:cognito/userPool:UserPool",
    {
        "accountRecoverySetting": _NO_EMAIL,
        "mfaConfiguration": _NO_MFA,
        "softwareTokenMfaConfiguration": _NO_MFA,
        "deletionProtection": "the local stack is removed when it stops",
        "adminCreateUserConfig.inviteMessageTemplate": _NO_EMAIL,
    },
)
def user_pool(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    client = cloud.client("cognito-idp")
    physical = inputs.get("name", cloud.physical_name(name))
    invited = inputs.section("adminCreateUserConfig")
    created = client.create_user_pool(
        PoolName=physical,
        AdminCreateUserConfig={"AllowAdminCreateUserOnly": invited.flag("allowAdminCreateUserOnly")},
        UsernameAttributes=inputs.texts("usernameAttributes"),
        UsernameConfiguration={
            "CaseSensitive": inputs.section("usernameConfiguration").flag("caseSensitive")
        },
        AutoVerifiedAttributes=inputs.texts("autoVerifiedAttributes"),
        Policies={"PasswordPolicy": inputs.section("passwordPolicy").capitalized(*_PASSWORD_POLICY)},
    )["UserPool"]
    cloud.visitor = _create_visitor(cloud, created["Id"])
    return created["Id"], {"name": physical, "arn": created["Arn"]}


def _create_visitor(cloud: Cloud, pool: str) -> Visitor:
    """Create a user with a known password, since no invitations are sent."""
    client = cloud.client("cognito-idp")
    # A character of each kind that a password policy may require.
    visitor = Visitor(user=VISITOR, password=f"{random_text(16)}-aA1")
    client.admin_create_user(
        UserPoolId=pool,
        Username=visitor.user,
        UserAttributes=_attributes({"email": visitor.user, "email_verified": "true"}),
        MessageAction="SUPPRESS",
    )
    client.admin_set_user_password(
        UserPoolId=pool, Username=visitor.user, Password=visitor.password, Permanent=True
    )
    cloud.deviations.visitor(visitor.user)
    return visitor


@resource("aws:cognito/userGroup:UserGroup")
def user_group(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    pool, physical = inputs.text("userPoolId"), inputs.text("name")
    client = cloud.client("cognito-idp")
    client.create_group(UserPoolId=pool, GroupName=physical, **inputs.capitalized("description"))
    if physical == STAFF:
        client.admin_add_user_to_group(UserPoolId=pool, Username=VISITOR, GroupName=physical)
    return f"{pool}/{physical}", {}


@resource("aws:cognito/userInGroup:UserInGroup")
def user_in_group(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    pool, group, username = (inputs.text(key) for key in ("userPoolId", "groupName", "username"))
    cloud.client("cognito-idp").admin_add_user_to_group(UserPoolId=pool, Username=username, GroupName=group)
    return f"{pool}/{group}/{username}", {}


@resource("aws:cognito/userPoolDomain:UserPoolDomain")
def domain(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    prefix = inputs.text("domain")
    cloud.served.user_pool = inputs.text("userPoolId")
    cloud.client("cognito-idp").create_user_pool_domain(Domain=prefix, UserPoolId=cloud.served.user_pool)
    return prefix, {}


@resource("aws:cognito/resourceServer:ResourceServer")
def resource_server(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    pool, identifier = inputs.text("userPoolId"), inputs.text("identifier")
    cloud.client("cognito-idp").create_resource_server(
        UserPoolId=pool,
        Identifier=identifier,
        Name=inputs.text("name"),
        Scopes=[
            {"ScopeName": item.text("scopeName"), "ScopeDescription": item.text("scopeDescription")}
            for item in inputs.sections("scopes")
        ],
    )
    return f"{pool}|{identifier}", {}


@resource("aws:cognito/userPoolClient:UserPoolClient")
def client(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("cognito-idp").create_user_pool_client(
        UserPoolId=inputs.text("userPoolId"),
        ClientName=inputs.get("name", cloud.physical_name(name)),
        CallbackURLs=[cloud.deviations.addresses(url) for url in inputs.texts("callbackUrls")],
        LogoutURLs=[cloud.deviations.addresses(url) for url in inputs.texts("logoutUrls")],
        TokenValidityUnits=inputs.section("tokenValidityUnits").capitalized(
            "accessToken", "idToken", "refreshToken"
        ),
        **inputs.capitalized(*_CLIENT),
        **inputs.renamed(_OAUTH),
    )["UserPoolClient"]
    return created["ClientId"], {"name": created["ClientName"]}


@resource("aws:cognito/user:User", {"desiredDeliveryMediums": _NO_EMAIL})
def user(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    pool, username = inputs.text("userPoolId"), inputs.text("username")
    cloud.client("cognito-idp").admin_create_user(
        UserPoolId=pool,
        Username=username,
        UserAttributes=_attributes(inputs.get("attributes", {})),
        MessageAction="SUPPRESS",
    )
    return f"{pool}/{username}", {}


def _attributes(values: dict[str, Any]) -> list[dict[str, str]]:
    return [{"Name": key, "Value": str(value)} for key, value in values.items()]
