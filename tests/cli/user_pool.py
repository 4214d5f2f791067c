"""The user pool of a stack, in moto."""

from __future__ import annotations

from typing import Any


class Pool:
    """The stack's user pool in moto."""

    def __init__(self, cognito: Any) -> None:
        self._cognito = cognito
        self.id: str = cognito.create_user_pool(
            PoolName="cafe-dev",
            UsernameAttributes=["email"],
            AdminCreateUserConfig={"AllowAdminCreateUserOnly": True},
        )["UserPool"]["Id"]
        for group in ("viewer", "staff", "manager"):
            cognito.create_group(UserPoolId=self.id, GroupName=group)

    def invite(self, email: str, group: str) -> None:
        """Create a user as Pulumi does."""
        self._cognito.admin_create_user(
            UserPoolId=self.id, Username=email, UserAttributes=[{"Name": "email", "Value": email}]
        )
        self._cognito.admin_add_user_to_group(UserPoolId=self.id, Username=email, GroupName=group)

    def accept(self, email: str) -> None:
        """Choose a password, as at the first sign-in."""
        self._cognito.admin_set_user_password(
            UserPoolId=self.id, Username=email, Password="Correct-horse-9", Permanent=True
        )

    def name(self, email: str) -> str:
        """Return a user's name in the pool, which tokens have."""
        user = self._cognito.admin_get_user(UserPoolId=self.id, Username=email)
        return str(user["Username"])

    def groups(self, email: str) -> list[str]:
        """Return the groups of a user."""
        found = self._cognito.admin_list_groups_for_user(UserPoolId=self.id, Username=email)["Groups"]
        return [group["GroupName"] for group in found]
