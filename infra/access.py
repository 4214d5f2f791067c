"""Who may read the order status, with its customers' names: everybody, some networks, or who signs in.

Staff sign in wherever orders are changed, whatever the setting says. What is open all the same, and why this
way: docs/decisions/0010-access.md.
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
# What CloudFront adds to each request for the API, so that the function knows that it came that way.
ORIGIN_HEADER = "x-origin-secret"
# Scopes of access tokens: what a page may do. A person's rights are the groups; changing an order needs both.
RESOURCE = "cafe"
READ_STATUS, WORK_ON_ORDERS = f"{RESOURCE}/status.read", f"{RESOURCE}/orders.staff"
SCOPES = {READ_STATUS: "Read the order status", WORK_ON_ORDERS: "See orders, and change their states"}
# A stolen access token works for so long; the page asks for a new one in time.
ACCESS_MINUTES = 15
# A tablet in the kitchen signs in once; `cafe staff remove` ends its session earlier.
STATUS_REFRESH_DAYS, STAFF_REFRESH_DAYS = 30, 365
INVITATION_DAYS = 7
VIEWER = "viewer"
GROUPS = {
    VIEWER: "Reads the order status; made by dashboardUsers",
    "staff": "Sees orders and changes their states; made by `cafe staff add`",
    "manager": "As staff, and cancels orders that are ready; made by `cafe staff add --role manager`",
}


class SignIn(TypedDict):
    """What a page needs to know in order to send people to the sign-in."""

    domain: pulumi.Input[str]
    clientId: pulumi.Input[str]
    scope: str


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """Who may read the order status, and how people sign in."""

    mode: Literal["public", "cidrs", "login"]
    networks: Sequence[str]  # IPv4 and IPv6, for `cidrs`
    users: Sequence[str]  # e-mail addresses, for `login`
    second_factor: bool  # whether they need an authenticator app, too
    stage: str  # the API's
    region: str
    deletion_protection: bool

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
            deletion_protection=settings.deletion_protection,
        )


class Access(pulumi.ComponentResource):
    """A user pool for staff, and for readers with `login`; with `cidrs`, a guard at CloudFront."""

    mode: Literal["public", "cidrs", "login"]
    guard: aws.cloudfront.Function | None = None
    """Answers viewers from other networks in CloudFront's place."""
    origin_secret: pulumi.Output[str] | None = None
    sign_in_url: pulumi.Output[str]
    user_pool: aws.cognito.UserPool
    """There once there are pages to invite people to (`invite`)."""

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Access", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        self.mode = args.mode
        if args.mode == "cidrs":
            self._guard(args)
        # Unique in the whole region, whoever's account it is; a stack's name may hold words that it must not.
        suffix = random.RandomId("sign-in", byte_length=6, opts=self._child)
        self._domain = pulumi.Output.concat(f"{pulumi.get_project()}-", suffix.hex)
        self.sign_in_url = pulumi.Output.concat(
            "https://", self._domain, f".auth.{args.region}.amazoncognito.com"
        )
        self.register_outputs({})

    @property
    def origin_secret_hash(self) -> pulumi.Output[str] | None:
        """What the function compares with; nothing that opens anything."""
        if self.origin_secret is None:
            return None
        digest = self.origin_secret.apply(lambda secret: hashlib.sha256(secret.encode()).hexdigest())
        return pulumi.Output.unsecret(digest)

    def invite(self, origin: pulumi.Output[str]) -> tuple[SignIn | None, SignIn]:
        """Let people sign in on the pages of an origin.

        Returns
        -------
        tuple
            How the order status signs people in, None where nobody has to; and how staff's page does.
        """
        pool = self.user_pool = self._pool(origin)
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
            pages=[pulumi.Output.concat(origin, f"/{web_files.KITCHEN}")],
            scopes=["openid", READ_STATUS, WORK_ON_ORDERS],
            refresh_days=STAFF_REFRESH_DAYS,
            after=resource_server,
        )
        if self.mode != "login":
            return None, staff
        self._invite_readers(pool, groups[VIEWER], domain)
        # The page is served at `/`, too; and the browser comes back to where it was.
        readers = self._client(
            "page",
            pool,
            pages=[pulumi.Output.concat(origin, path) for path in (f"/{web_files.INDEX}", "/")],
            scopes=["openid", READ_STATUS],
            refresh_days=STATUS_REFRESH_DAYS,
            after=resource_server,
        )
        return readers, staff

    def _invite_readers(
        self, pool: aws.cognito.UserPool, viewers: aws.cognito.UserGroup, domain: aws.cognito.UserPoolDomain
    ) -> None:
        for address in self._args.users:
            # Not by its place in the list: who is removed must not replace the others.
            name = f"user-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
            user = aws.cognito.User(
                name,
                user_pool_id=pool.id,
                username=address,
                attributes={"email": address, "email_verified": "true"},
                desired_delivery_mediums=["EMAIL"],
                # Who follows the invitation at once finds where to sign in.
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
        # The API has an address of its own, which CloudFront does not guard.
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
            # It holds the accounts of staff, which no deploy could make again.
            deletion_protection="ACTIVE" if self._args.deletion_protection else "INACTIVE",
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
            # A page keeps no secret: PKCE takes its place.
            generate_secret=False,
            allowed_oauth_flows_user_pool_client=True,
            allowed_oauth_flows=["code"],
            allowed_oauth_scopes=scopes,
            callback_urls=pages,
            logout_urls=pages,
            supported_identity_providers=["COGNITO"],
            # Signing in happens on Cognito's own pages; the API for it takes no password.
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


def invitation(origin: str) -> str:
    """Write the e-mail to who may sign in; Cognito fills in what is in braces, and wants both."""
    links = [
        f'<a href="{origin}/{page}">{origin}/{page}</a>' for page in (web_files.INDEX, web_files.KITCHEN)
    ]
    return (
        f"<p>You may sign in to the cafe's pages: {links[0]} (the order status) or, if you work in the "
        f"kitchen, {links[1]}</p>"
        "<p>Use your e-mail address and this password, then choose one of your own:</p>"
        "<p>{####}</p>"
        f"<p>It is good for {INVITATION_DAYS} days. Your account: {{username}}</p>"
    )


def open_paths(stage: str) -> list[str]:
    """List what stays open to every network: ordering, what customers see, and the pages' files.

    Whole paths: what begins like an open one, such as an order of `/orders`, is not open.
    """
    pages = [f"/{key}" for key in [*web_files.files(), web_files.SETTINGS] if key not in web_files.GUARDED]
    return [*(f"/{stage}/{path}" for path in ("orders", "menu", "ready", "track")), *pages]


def guard_code(networks: Sequence[str], paths: Sequence[str]) -> str:
    """Write the CloudFront Function that lets in these networks, and everybody to these paths."""
    parsed = map(ipaddress.ip_network, networks)
    baked = [{"bytes": list(network.network_address.packed), "bits": network.prefixlen} for network in parsed]
    constants = f"const NETWORKS = {json.dumps(baked)};\nconst OPEN = {json.dumps(list(paths))};\n"
    return constants + GUARD.read_text(encoding="utf-8")
