"""Access to the order status, with customers' names: public, limited to networks, or with sign-in.

Staff always sign in to change orders. Reasons, and what stays public: docs/decisions/0010-access.md.
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

from infra import web_files
from infra.settings import Settings

GUARD = Path(__file__).parent / "cloudfront_guard.js"
# Header that CloudFront adds to requests, by which functions recognise that they came through CloudFront
ORIGIN_HEADER = "x-origin-secret"
# Scopes limit what a page may do, groups what a user may do; changing an order requires both.
RESOURCE = "cafe"
READ_STATUS, WORK_ON_ORDERS = f"{RESOURCE}/status.read", f"{RESOURCE}/orders.staff"
SCOPES = {READ_STATUS: "Read the order status", WORK_ON_ORDERS: "See orders, and change their states"}
# Lifetime of an access token, even of a stolen one; pages refresh theirs before it expires.
ACCESS_MINUTES = 15
# A tablet in the kitchen stays signed in for a year; `cafe staff remove` revokes its session.
STATUS_REFRESH_DAYS, STAFF_REFRESH_DAYS = 30, 365
INVITATION_DAYS = 7
VIEWER = "viewer"
GROUPS = {
    VIEWER: "Can read the order status; from the setting dashboardUsers",
    "staff": "Can also see orders and change their states; from `cafe staff add`",
    "manager": "Can also cancel orders that are ready; from `cafe staff add --role manager`",
}


class SignIn(TypedDict):
    """Settings of a page for its sign-in."""

    domain: pulumi.Input[str]
    clientId: pulumi.Input[str]
    scope: str


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """Inputs of Access."""

    mode: Literal["public", "cidrs", "login"]
    networks: Sequence[str]  # IPv4 and IPv6, for `cidrs`
    users: Sequence[str]  # e-mail addresses, for `login`
    mfa: bool  # require a TOTP code at sign-in
    stage: str  # of the API
    region: str
    deletion_protection: bool

    @classmethod
    def of(cls, settings: Settings, region: str) -> AccessArgs:
        """Read the inputs from the settings."""
        return cls(
            mode=settings.dashboard_access,
            networks=settings.dashboard_cidrs,
            users=settings.dashboard_users,
            mfa=settings.dashboard_mfa,
            stage=settings.api_stage,
            region=region,
            deletion_protection=settings.deletion_protection,
        )


class Access(pulumi.ComponentResource):
    """A user pool for staff and, with `login`, for readers; with `cidrs`, a CloudFront function as guard."""

    mode: Literal["public", "cidrs", "login"]
    guard: aws.cloudfront.Function | None = None
    """Responds with 403 to viewers from other networks."""
    origin_secret: pulumi.Output[str] | None = None
    sign_in_url: pulumi.Output[str]
    user_pool: aws.cognito.UserPool
    """Created by `create_user_pool`."""

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Access", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        self.mode = args.mode
        if args.mode == "cidrs":
            self._guard(args)
        # Unique in the region across all accounts. Cognito reserves words that a stack's name may contain.
        suffix = random.RandomId("sign-in", byte_length=6, opts=self._child)
        self._domain = pulumi.Output.concat(f"{pulumi.get_project()}-", suffix.hex)
        self.sign_in_url = pulumi.Output.concat(
            "https://", self._domain, f".auth.{args.region}.amazoncognito.com"
        )
        self.register_outputs({})

    @property
    def origin_secret_hash(self) -> pulumi.Output[str] | None:
        """Return the SHA-256 of the origin secret, which grants no access."""
        if self.origin_secret is None:
            return None
        digest = self.origin_secret.apply(lambda secret: hashlib.sha256(secret.encode()).hexdigest())
        return pulumi.Output.unsecret(digest)

    def create_user_pool(self, *origins: pulumi.Output[str]) -> tuple[SignIn | None, SignIn]:
        """Create the user pool for the pages, and invite the users.

        Parameters
        ----------
        origins
            Of the pages. Cognito redirects to these only; invitations contain the first.

        Returns
        -------
        tuple
            Sign-in settings of the order-status page, None without `login`, and of the kitchen page.
        """
        pool = self.user_pool = self._pool(origins[0])
        domain = aws.cognito.UserPoolDomain(
            "cafe", domain=self._domain, user_pool_id=pool.id, opts=self._child
        )
        resource_server = aws.cognito.ResourceServer(
            "cafe",
            identifier=RESOURCE,
            name=RESOURCE,
            scopes=[
                {"scope_name": scope.removeprefix(f"{RESOURCE}/"), "scope_description": description}
                for scope, description in SCOPES.items()
            ],
            user_pool_id=pool.id,
            opts=self._child,
        )
        groups = {
            name: aws.cognito.UserGroup(
                name, name=name, description=description, user_pool_id=pool.id, opts=self._child
            )
            for name, description in GROUPS.items()
        }
        staff = self._client(
            "staff",
            pool,
            pages=_urls(origins, web_files.KITCHEN),
            scopes=["openid", READ_STATUS, WORK_ON_ORDERS],
            refresh_days=STAFF_REFRESH_DAYS,
            after=resource_server,
        )
        if self.mode != "login":
            return None, staff
        self._invite_readers(pool, groups[VIEWER], domain)
        # The page is also served at `/`, and the browser returns to the URL that it came from.
        readers = self._client(
            "page",
            pool,
            pages=_urls(origins, web_files.INDEX, ""),
            scopes=["openid", READ_STATUS],
            refresh_days=STATUS_REFRESH_DAYS,
            after=resource_server,
        )
        return readers, staff

    def _invite_readers(
        self, pool: aws.cognito.UserPool, viewers: aws.cognito.UserGroup, domain: aws.cognito.UserPoolDomain
    ) -> None:
        for address in self._args.users:
            # Not the index in the list: removing one user would replace those after it.
            name = f"user-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
            user = aws.cognito.User(
                name,
                user_pool_id=pool.id,
                username=address,
                attributes={"email": address, "email_verified": "true"},
                desired_delivery_mediums=["EMAIL"],
                # The sign-in page must exist before the invitation arrives.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[domain]),
            )
            aws.cognito.UserInGroup(
                name,
                user_pool_id=pool.id,
                group_name=viewers.name,
                username=user.username,
                opts=self._child,
            )

    def _guard(self, args: AccessArgs) -> None:
        self.guard = aws.cloudfront.Function(
            "networks",
            runtime="cloudfront-js-2.0",
            comment="Lets the networks of dashboardCidrs read the order status and work in the kitchen",
            code=guard_code(args.networks, open_paths(args.stage)),
            publish=True,
            opts=self._child,
        )
        # The API's own URL bypasses CloudFront, so its functions check this secret.
        self.origin_secret = random.RandomPassword(
            "origin", length=40, special=False, opts=self._child
        ).result

    def _pool(self, origin: pulumi.Output[str]) -> aws.cognito.UserPool:
        return aws.cognito.UserPool(
            "cafe",
            admin_create_user_config={
                "allow_admin_create_user_only": True,
                "invite_message_template": {
                    "email_subject": "You may sign in to the cafe's pages",
                    "email_message": origin.apply(invitation),
                },
            },
            username_attributes=["email"],
            username_configuration={"case_sensitive": False},
            auto_verified_attributes=["email"],
            account_recovery_setting={"recovery_mechanisms": [{"name": "verified_email", "priority": 1}]},
            # It contains the staff's accounts, which no deploy can restore.
            deletion_protection="ACTIVE" if self._args.deletion_protection else "INACTIVE",
            # With OPTIONAL, Cognito's sign-in page never offers to set MFA up.
            mfa_configuration="ON" if self._args.mfa else "OFF",
            software_token_mfa_configuration={"enabled": True} if self._args.mfa else None,
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
        name: str,
        pool: aws.cognito.UserPool,
        *,
        pages: Sequence[pulumi.Output[str]],
        scopes: Sequence[str],
        refresh_days: int,
        after: aws.cognito.ResourceServer,
    ) -> SignIn:
        client = aws.cognito.UserPoolClient(
            name,
            user_pool_id=pool.id,
            # A page cannot keep a client secret; it uses PKCE.
            generate_secret=False,
            allowed_oauth_flows_user_pool_client=True,
            allowed_oauth_flows=["code"],
            allowed_oauth_scopes=scopes,
            callback_urls=pages,
            logout_urls=pages,
            supported_identity_providers=["COGNITO"],
            # Users enter passwords on Cognito's own pages only.
            explicit_auth_flows=["ALLOW_REFRESH_TOKEN_AUTH"],
            access_token_validity=ACCESS_MINUTES,
            id_token_validity=ACCESS_MINUTES,
            refresh_token_validity=refresh_days,
            token_validity_units={"access_token": "minutes", "id_token": "minutes", "refresh_token": "days"},
            enable_token_revocation=True,
            prevent_user_existence_errors="ENABLED",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[after]),
        )
        return {"domain": self.sign_in_url, "clientId": client.id, "scope": " ".join(scopes)}


def _urls(origins: Sequence[pulumi.Output[str]], *pages: str) -> list[pulumi.Output[str]]:
    return [pulumi.Output.concat(origin, f"/{page}") for origin in origins for page in pages]


def invitation(origin: str) -> str:
    """Return the invitation e-mail; Cognito requires and replaces both placeholders in braces."""
    links = [
        f'<a href="{origin}/{page}">{origin}/{page}</a>' for page in (web_files.INDEX, web_files.KITCHEN)
    ]
    return (
        f"<p>You may sign in to the cafe's pages: {links[0]} (the order status) or, if you work in the "
        f"kitchen, {links[1]}</p>"
        "<p>Use your e-mail address and this password, then choose one of your own:</p>"
        "<p>{####}</p>"
        f"<p>It is valid for {INVITATION_DAYS} days. Your account: {{username}}</p>"
    )


def open_paths(stage: str) -> list[str]:
    """Return the paths that stay open to every network: ordering, customers' pages, and the pages' files.

    They are whole paths, not prefixes: `/orders/ID` is not open.
    """
    pages = [f"/{key}" for key in [*web_files.files(), web_files.SETTINGS] if key not in web_files.GUARDED]
    return [*(f"/{stage}/{path}" for path in ("orders", "menu", "ready", "track")), *pages]


def guard_code(networks: Sequence[str], paths: Sequence[str]) -> str:
    """Return the code of the CloudFront function that limits all but these paths to these networks."""
    parsed = map(ipaddress.ip_network, networks)
    admitted = [{"bytes": list(each.network_address.packed), "bits": each.prefixlen} for each in parsed]
    constants = f"const NETWORKS = {json.dumps(admitted)};\nconst OPEN = {json.dumps(list(paths))};\n"
    return constants + GUARD.read_text(encoding="utf-8")
