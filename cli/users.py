"""The people who may sign in to a stack's pages, and what they may do there."""

from __future__ import annotations

import secrets
import string
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cli import aws
from cli.errors import AnswerError
from cli.stack import Stack

INVITED = "FORCE_CHANGE_PASSWORD"  # Cognito's status of who has not signed in yet
PASSWORD_LENGTH = 16


class Role(StrEnum):
    """The roles, by the names of their groups in the user pool (`infra/access.py`), the highest first."""

    MANAGER = "manager"
    STAFF = "staff"
    VIEWER = "viewer"


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with an account; the highest role counts.

    Attributes
    ----------
    name
        In the pool, and so in tokens: a UUID.
    managed
        By Pulumi: the address is in `dashboardUsers`.
    invited
        Has not signed in yet.
    """

    name: str
    email: str
    role: Role | None
    managed: bool
    invited: bool


class People:
    """The accounts of a stack's user pool; those in the group viewer are managed by Pulumi."""

    def __init__(self, stack: Stack, clients: aws.Clients) -> None:
        self._pool = stack.output("user_pool_id")
        self._is_local = stack.endpoint is not None
        self._cognito = clients.users

    def all(self) -> list[Person]:
        """Read all accounts, by role and address."""
        groups: dict[str, set[Role]] = defaultdict(set)  # by the users' names in the pool
        with aws.asking():
            for role in Role:
                for user in self._read("list_users_in_group", GroupName=role.value):
                    groups[user["Username"]].add(role)
            users = self._read("list_users")
        found = [
            Person(
                name=user["Username"],
                email=next((item["Value"] for item in user["Attributes"] if item["Name"] == "email"), ""),
                role=next((role for role in Role if role in groups[user["Username"]]), None),
                managed=Role.VIEWER in groups[user["Username"]],
                invited=user["UserStatus"] == INVITED,
            )
            for user in users
        ]
        return sorted(found, key=lambda person: (person.role or "~", person.email))

    def find(self, email: str) -> Person | None:
        """Return an account that may be changed here, None if it is missing.

        Raises
        ------
        AnswerError
            If it is in `dashboardUsers`: the next deploy would put back what is changed here.
        """
        person = next((person for person in self.all() if person.email.lower() == email), None)
        if person is not None and person.managed:
            raise AnswerError(
                f"{email} is in the setting dashboardUsers, and so managed by Pulumi: take the address out "
                "of it and deploy, then add it here; staff may read the order status, too."
            )
        return person

    def add(self, email: str, role: Role) -> tuple[Person | None, str | None]:
        """Give somebody a role, and an account if needed; repeat an invitation that was not used.

        Returns the account that was there, and the password of a new one on a local stack, which sends no
        e-mails.
        """
        was = self.find(email)
        key = {"UserPoolId": self._pool, "Username": email}
        password = None
        with aws.asking():
            if was is None or (was.invited and not self._is_local):
                self._invite(email, again=was is not None)
            if was is None and self._is_local:
                password = _password()
                self._cognito.admin_set_user_password(**key, Password=password, Permanent=True)
            self._cognito.admin_add_user_to_group(**key, GroupName=role.value)
            if was and was.role not in {None, role}:
                self._cognito.admin_remove_user_from_group(**key, GroupName=str(was.role))
        return was, password

    def remove(self, email: str) -> None:
        """Delete an account, and end its sessions."""
        key = {"UserPoolId": self._pool, "Username": email}
        with aws.asking():
            self._cognito.admin_user_global_sign_out(**key)
            self._cognito.admin_delete_user(**key)

    def _read(self, operation: str, **which: str) -> list[dict[str, Any]]:
        pages = self._cognito.get_paginator(operation).paginate(UserPoolId=self._pool, **which)
        return [user for page in pages for user in page["Users"]]

    def _invite(self, email: str, *, again: bool) -> None:
        how = {"MessageAction": "RESEND"} if again else {}
        if self._is_local:
            how = {"MessageAction": "SUPPRESS"}
        self._cognito.admin_create_user(
            UserPoolId=self._pool,
            Username=email,
            UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
            DesiredDeliveryMediums=["EMAIL"],
            **how,
        )


def _password() -> str:
    letters = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(PASSWORD_LENGTH))
    return f"{letters}-aA1"  # one of each kind that the pool's policy requires
