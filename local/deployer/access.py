"""The user pool of those who may sign in, and one of them whose password is known."""

from __future__ import annotations

from typing import Any

from local.deployer.cloud import Cloud, Visitor
from local.deployer.inputs import Inputs
from local.deployer.registry import Result, resource
from local.deployer.storage import random_text

VISITOR = "barista@cafe.example"
STAFF = "staff"  # the group of those who change orders
_LETTERS = "this machine sends no e-mails"
_ONE_FACTOR = "who signs in here has no authenticator app"
_UNITS = {"accessToken": "AccessToken", "idToken": "IdToken", "refreshToken": "RefreshToken"}
_PASSWORD_POLICY = {
    "minimumLength": "MinimumLength",
    "requireLowercase": "RequireLowercase",
    "requireUppercase": "RequireUppercase",
    "requireNumbers": "RequireNumbers",
    "requireSymbols": "RequireSymbols",
    "temporaryPasswordValidityDays": "TemporaryPasswordValidityDays",
}
_CLIENT = {
    "generateSecret": "GenerateSecret",
    "allowedOauthFlowsUserPoolClient": "AllowedOAuthFlowsUserPoolClient",
    "allowedOauthFlows": "AllowedOAuthFlows",
    "allowedOauthScopes": "AllowedOAuthScopes",
    "supportedIdentityProviders": "SupportedIdentityProviders",
    "explicitAuthFlows": "ExplicitAuthFlows",
    "accessTokenValidity": "AccessTokenValidity",
    "idTokenValidity": "IdTokenValidity",
    "refreshTokenValidity": "RefreshTokenValidity",
    "enableTokenRevocation": "EnableTokenRevocation",
    "preventUserExistenceErrors": "PreventUserExistenceErrors",
}


@resource(
    "aws:cognito/userPool:UserPool",
    {
        "accountRecoverySetting": _LETTERS,
        "mfaConfiguration": _ONE_FACTOR,
        "softwareTokenMfaConfiguration": _ONE_FACTOR,
        "deletionProtection": "what is on this machine is thrown away",
        "adminCreateUserConfig.inviteMessageTemplate": _LETTERS,
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
        Policies={"PasswordPolicy": inputs.section("passwordPolicy").renamed(_PASSWORD_POLICY)},
    )["UserPool"]
    cloud.visitor = _visitor(cloud, created["Id"])
    return created["Id"], {"name": physical, "arn": created["Arn"]}


def _visitor(cloud: Cloud, pool: str) -> Visitor:
    """Let somebody in whose password is known here: no invitation reaches anybody."""
    client = cloud.client("cognito-idp")
    # One of each kind that a password policy may ask for.
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
    client.create_group(UserPoolId=pool, GroupName=physical, **inputs.renamed({"description": "Description"}))
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
        TokenValidityUnits=inputs.section("tokenValidityUnits").renamed(_UNITS),
        **inputs.renamed(_CLIENT),
    )["UserPoolClient"]
    return created["ClientId"], {"name": created["ClientName"]}


@resource("aws:cognito/user:User", {"desiredDeliveryMediums": _LETTERS})
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
