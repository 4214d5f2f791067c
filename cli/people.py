"""The people who may sign in to a stack's pages, and what they may do there."""

from __future__ import annotations

import secrets
import string
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

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
    """Somebody with an account.

    Attributes
    ----------
    managed
        By Pulumi: the address is in `dashboardUsers`.
    invited
        Has not signed in yet.
    """

    email: str
    role: Role | None
    managed: bool
    invited: bool

    @classmethod
    def of(cls, attributes: Any, status: str, groups: Collection[str]) -> Person:
        """Read an account of the user pool; the highest role counts."""
        return cls(
            email=next((item["Value"] for item in attributes if item["Name"] == "email"), ""),
            role=next((role for role in Role if role in groups), None),
            managed=Role.VIEWER in groups,
            invited=status == INVITED,
        )


@dataclass(frozen=True, kw_only=True)
class Added:
    """Result of adding an account.

    Attributes
    ----------
    password
        On a local stack, which sends no e-mails, a new one.
    """

    was: Person | None
    password: str | None = None


class People:
    """The accounts of a stack's user pool; those in the group viewer are managed by Pulumi."""

    def __init__(self, stack: Stack, clients: aws.Clients) -> None:
        self._pool = stack.output("user_pool_id")
        self._is_local = stack.endpoint is not None
        self._cognito = clients.users

    def all(self) -> list[Person]:
        """Read all accounts, by role and address."""
        groups: dict[str, set[str]] = defaultdict(set)  # by the users' names in the pool
        with aws.asking():
            for role in Role:
                for user in self._read("list_users_in_group", GroupName=role.value):
                    groups[user["Username"]].add(role.value)
            users = self._read("list_users")
        found = [
            Person.of(user["Attributes"], user["UserStatus"], groups[user["Username"]]) for user in users
        ]
        return sorted(found, key=lambda person: (person.role or "~", person.email))

    def _read(self, operation: str, **which: str) -> list[dict[str, Any]]:
        pages = self._cognito.get_paginator(operation).paginate(UserPoolId=self._pool, **which)
        return [user for page in pages for user in page["Users"]]

    def find(self, email: str) -> Person | None:
        """Read an account; None if it is missing."""
        key = {"UserPoolId": self._pool, "Username": email}
        try:
            with aws.asking():
                user = self._cognito.admin_get_user(**key)
                groups = self._cognito.admin_list_groups_for_user(**key)["Groups"]
        except AnswerError as error:
            if _is_unknown(error):
                return None
            raise
        return Person.of(user["UserAttributes"], user["UserStatus"], [group["GroupName"] for group in groups])

    def address(self, name: str) -> str:
        """Return the address of an account by its name in the pool, or the name if it is gone."""
        person = self.find(name)
        return person.email if person and person.email else name

    def add(self, email: str, role: Role) -> Added:
        """Give somebody a role, and an account if needed; repeat an invitation that was not used."""
        was = self.find(email)
        _refuse_pulumis(was, email)
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
        return Added(was=was, password=password)

    def remove(self, email: str) -> None:
        """Delete an account, and end its sessions."""
        key = {"UserPoolId": self._pool, "Username": email}
        with aws.asking():
            self._cognito.admin_user_global_sign_out(**key)
            self._cognito.admin_delete_user(**key)

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


def removable(person: Person | None, email: str) -> Person:
    """Return an account that may be removed.

    Raises
    ------
    AnswerError
        If it is missing, or managed by Pulumi.
    """
    if person is None:
        raise AnswerError(f"{email} has no account: `cafe staff list` shows who has.")
    _refuse_pulumis(person, email)
    return person


def _refuse_pulumis(person: Person | None, email: str) -> None:
    """Refuse an account of `dashboardUsers`: the next deploy would put back what is changed here."""
    if person is not None and person.managed:
        raise AnswerError(
            f"{email} is in the setting dashboardUsers, and so managed by Pulumi: take the address out of it "
            "and deploy, then add it here; staff may read the order status, too."
        )


def _is_unknown(error: AnswerError) -> bool:
    cause = error.__cause__
    return isinstance(cause, ClientError) and cause.response["Error"].get("Code") == "UserNotFoundException"


def _password() -> str:
    letters = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(PASSWORD_LENGTH))
    return f"{letters}-aA1"  # one of each kind that the pool's policy requires
