"""Users of a stack's user pool, and their roles."""

import secrets
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cli import aws
from cli.errors import OperationError

INVITED = "FORCE_CHANGE_PASSWORD"  # Cognito's status of a user who has not signed in yet


class Role(StrEnum):
    """The roles, by the names of their groups in the user pool (`infra/access.py`), the highest first."""

    MANAGER = "manager"
    STAFF = "staff"
    VIEWER = "viewer"


@dataclass(frozen=True, kw_only=True)
class User:
    """A user, with the highest of their roles."""

    name: str  # in the pool, and so in tokens: a UUID
    email: str
    role: Role | None
    managed: bool  # by Pulumi: the address is in `dashboardUsers`
    invited: bool  # and has not signed in yet


class Users:
    """The users of a stack's pool; those in the group viewer are managed by Pulumi."""

    def __init__(self, clients: aws.Clients) -> None:
        self._pool = clients.stack.output("user_pool_id")
        self._is_local = clients.stack.endpoint is not None
        self._cognito = clients.users

    def all(self) -> list[User]:
        """Read all users, by role and address."""
        roles: dict[str, set[Role]] = defaultdict(set)  # by the users' names
        with aws.translated_errors():
            for role in Role:
                for found in self._read("list_users_in_group", GroupName=role.value):
                    roles[found["Username"]].add(role)
            users = self._read("list_users")
        return sorted(
            (_user(found, roles[found["Username"]]) for found in users),
            key=lambda user: (user.role or "~", user.email),
        )

    def find(self, email: str) -> User | None:
        """Return a user who may be changed here, None if the address is unknown.

        Raises OperationError if it is in `dashboardUsers`: the next deploy would undo a change.
        """
        user = next((user for user in self.all() if user.email.lower() == email), None)
        if user is not None and user.managed:
            raise OperationError(
                f"{email} is in the setting dashboardUsers, and so managed by Pulumi: remove the address "
                "from it and deploy, then add it here; staff may read the order status, too."
            )
        return user

    def add(self, email: str, role: Role) -> tuple[User | None, str | None]:
        """Give an address a role, and create the user if needed; repeat an invitation that was not used.

        Returns the user as it was before, and the password of a new one on a local stack, which sends no
        e-mails.
        """
        before = self.find(email)
        key = {"UserPoolId": self._pool, "Username": email}
        password = None
        with aws.translated_errors():
            if before is None or (before.invited and not self._is_local):
                self._invite(email, again=before is not None)
            if before is None and self._is_local:
                password = f"{secrets.token_urlsafe(12)}-aA1"  # of each kind that the pool's policy requires
                self._cognito.admin_set_user_password(**key, Password=password, Permanent=True)
            self._cognito.admin_add_user_to_group(**key, GroupName=role.value)
            if before and before.role not in {None, role}:
                self._cognito.admin_remove_user_from_group(**key, GroupName=str(before.role))
        return before, password

    def remove(self, email: str) -> None:
        """Delete a user, and end their sessions."""
        key = {"UserPoolId": self._pool, "Username": email}
        with aws.translated_errors():
            self._cognito.admin_user_global_sign_out(**key)
            self._cognito.admin_delete_user(**key)

    def _read(self, operation: str, **request: str) -> list[dict[str, Any]]:
        pages = self._cognito.get_paginator(operation).paginate(UserPoolId=self._pool, **request)
        return [user for page in pages for user in page["Users"]]

    def _invite(self, email: str, *, again: bool) -> None:
        action = {"MessageAction": "RESEND"} if again else {}
        if self._is_local:
            action = {"MessageAction": "SUPPRESS"}
        self._cognito.admin_create_user(
            UserPoolId=self._pool,
            Username=email,
            UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
            DesiredDeliveryMediums=["EMAIL"],
            **action,
        )


def _user(found: dict[str, Any], roles: set[Role]) -> User:
    return User(
        name=found["Username"],
        email=next((item["Value"] for item in found["Attributes"] if item["Name"] == "email"), ""),
        role=next((role for role in Role if role in roles), None),
        managed=Role.VIEWER in roles,
        invited=found["UserStatus"] == INVITED,
    )
