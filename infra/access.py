"""Who may read the order status, with its customers' names: everybody, some networks, or who signs in.

What is open all the same, and why this way: docs/decisions/0010-access.md.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from infra import site
from infra.settings import Settings

GUARD = Path(__file__).parent / "guard.js"
# What CloudFront adds to each request for the API, so that the function knows that it came that way.
ORIGIN_HEADER = "x-origin-secret"
# What an access token must allow: reading the status, and nothing else that may come to be.
RESOURCE, SCOPE = "cafe", "status.read"
SCOPES = ["openid", f"{RESOURCE}/{SCOPE}"]
# A stolen access token works for so long; the page asks for a new one in time.
ACCESS_MINUTES, REFRESH_DAYS = 15, 30
INVITATION_DAYS = 7


class SignIn(TypedDict):
    """What the page needs to know in order to send people to the sign-in."""

    domain: pulumi.Input[str]
    clientId: pulumi.Input[str]
    scope: str


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """Who may read the order status."""

    mode: Literal["public", "cidrs", "login"]
    networks: Sequence[str]  # IPv4 and IPv6, for `cidrs`
    users: Sequence[str]  # e-mail addresses, for `login`
    second_factor: bool  # whether they need an authenticator app, too
    stage: str  # the API's
    region: str

    @classmethod
    def of(cls, settings: Settings, region: str) -> AccessArgs:
        """Take them from the stack's settings."""
        return cls(
            mode=settings.dashboard_access,
            networks=settings.dashboard_cidrs,
            users=settings.dashboard_users,
            second_factor=settings.dashboard_second_factor,
            stage=settings.api_stage,
            region=region,
        )


class Access(pulumi.ComponentResource):
    """`public`: nothing. `cidrs`: a guard at CloudFront, and a secret behind it. `login`: a user pool."""

    mode: Literal["public", "cidrs", "login"]
    guard: aws.cloudfront.Function | None = None
    """Answers viewers from other networks in CloudFront's place."""
    origin_secret: pulumi.Output[str] | None = None
    sign_in_url: pulumi.Output[str] | None = None
    user_pool: aws.cognito.UserPool | None = None
    """There once there is a page to invite people to (`invite`)."""

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Access", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        self.mode = args.mode
        match args.mode:
            case "cidrs":
                self._guard(args)
            case "login":
                self._name_sign_in(args)
        self.register_outputs({})

    @property
    def origin_secret_hash(self) -> pulumi.Output[str] | None:
        """What the function compares with; nothing that opens anything."""
        if self.origin_secret is None:
            return None
        digest = self.origin_secret.apply(lambda secret: hashlib.sha256(secret.encode()).hexdigest())
        return pulumi.Output.unsecret(digest)

    def invite(self, page_url: pulumi.Output[str]) -> SignIn | None:
        """Let people sign in on the page at an address; None where nobody has to."""
        if self.sign_in_url is None:
            return None
        pool = self.user_pool = self._pool(page_url)
        domain = aws.cognito.UserPoolDomain(
            "cafe", domain=self._domain, user_pool_id=pool.id, opts=self._child
        )
        resource_server = aws.cognito.ResourceServer(
            "cafe",
            identifier=RESOURCE,
            name=RESOURCE,
            scopes=[{"scope_name": SCOPE, "scope_description": "Read the order status"}],
            user_pool_id=pool.id,
            opts=self._child,
        )
        for address in self._args.users:
            aws.cognito.User(
                # Not by its place in the list: who is removed must not replace the others.
                f"user-{hashlib.sha256(address.encode()).hexdigest()[:12]}",
                user_pool_id=pool.id,
                username=address,
                attributes={"email": address, "email_verified": "true"},
                desired_delivery_mediums=["EMAIL"],
                # Who follows the invitation at once finds where to sign in.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[domain]),
            )
        client = self._client(page_url, pool, resource_server)
        return {"domain": self.sign_in_url, "clientId": client.id, "scope": " ".join(SCOPES)}

    def _guard(self, args: AccessArgs) -> None:
        self.guard = aws.cloudfront.Function(
            "networks",
            runtime="cloudfront-js-2.0",
            comment="Lets the networks of dashboardCidrs read the order status",
            code=guard_code(args.networks, open_paths(args.stage)),
            publish=True,
            opts=self._child,
        )
        # The API has an address of its own, which CloudFront does not guard.
        self.origin_secret = random.RandomPassword(
            "origin", length=40, special=False, opts=self._child
        ).result

    def _name_sign_in(self, args: AccessArgs) -> None:
        # Unique in the whole region, whoever's account it is; a stack's name may hold words that it must not.
        suffix = random.RandomId("sign-in", byte_length=6, opts=self._child)
        self._domain = pulumi.Output.concat(f"{pulumi.get_project()}-", suffix.hex)
        self.sign_in_url = pulumi.Output.concat(
            "https://", self._domain, f".auth.{args.region}.amazoncognito.com"
        )

    def _pool(self, page_url: pulumi.Output[str]) -> aws.cognito.UserPool:
        return aws.cognito.UserPool(
            "cafe",
            admin_create_user_config={
                "allow_admin_create_user_only": True,
                "invite_message_template": {
                    "email_subject": "You may read the cafe's order status",
                    "email_message": page_url.apply(invitation),
                },
            },
            username_attributes=["email"],
            username_configuration={"case_sensitive": False},
            auto_verified_attributes=["email"],
            account_recovery_setting={"recovery_mechanisms": [{"name": "verified_email", "priority": 1}]},
            # Not optional: the sign-in would then never ask anybody to set one up.
            mfa_configuration="ON" if self._args.second_factor else "OFF",
            software_token_mfa_configuration={"enabled": True} if self._args.second_factor else None,
            password_policy={
                "minimum_length": 12,
                "require_lowercase": True,
                "require_uppercase": True,
                "require_numbers": True,
                "require_symbols": True,
                "temporary_password_validity_days": INVITATION_DAYS,
            },
            opts=self._child,
        )

    def _client(
        self,
        page_url: pulumi.Output[str],
        pool: aws.cognito.UserPool,
        resource_server: aws.cognito.ResourceServer,
    ) -> aws.cognito.UserPoolClient:
        # The page is served at `/`, too; and the browser comes back to where it was.
        pages = [page_url, page_url.apply(lambda url: url.removesuffix(site.INDEX))]
        return aws.cognito.UserPoolClient(
            "page",
            user_pool_id=pool.id,
            # A page keeps no secret: PKCE takes its place.
            generate_secret=False,
            allowed_oauth_flows_user_pool_client=True,
            allowed_oauth_flows=["code"],
            allowed_oauth_scopes=SCOPES,
            callback_urls=pages,
            logout_urls=pages,
            supported_identity_providers=["COGNITO"],
            # Signing in happens on Cognito's own pages; the API for it takes no password.
            explicit_auth_flows=["ALLOW_REFRESH_TOKEN_AUTH"],
            access_token_validity=ACCESS_MINUTES,
            id_token_validity=ACCESS_MINUTES,
            refresh_token_validity=REFRESH_DAYS,
            token_validity_units={"access_token": "minutes", "id_token": "minutes", "refresh_token": "days"},
            enable_token_revocation=True,
            prevent_user_existence_errors="ENABLED",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[resource_server]),
        )


def invitation(page_url: str) -> str:
    """Write the e-mail to who may sign in; Cognito fills in what is in braces, and wants both."""
    return (
        f'<p>You may read the cafe\'s order status: <a href="{page_url}">{page_url}</a></p>'
        "<p>Sign in there with your e-mail address and this password, then choose one of your own:</p>"
        "<p>{####}</p>"
        f"<p>It is good for {INVITATION_DAYS} days. Your account: {{username}}</p>"
    )


def open_paths(stage: str) -> list[str]:
    """List what stays open to every network: ordering, and the pages' files but the dashboard itself."""
    pages = [f"/{key}" for key in [*site.files(), site.SETTINGS] if key != site.INDEX]
    return [f"/{stage}/orders", f"/{stage}/menu", *pages]


def guard_code(networks: Sequence[str], paths: Sequence[str]) -> str:
    """Write the CloudFront Function that lets in these networks, and everybody to these paths."""
    parsed = map(ipaddress.ip_network, networks)
    baked = [{"bytes": list(network.network_address.packed), "bits": network.prefixlen} for network in parsed]
    constants = f"const NETWORKS = {json.dumps(baked)};\nconst OPEN = {json.dumps(list(paths))};\n"
    return constants + GUARD.read_text(encoding="utf-8")
