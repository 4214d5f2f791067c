"""Patch of MiniStack's Cognito: refreshed tokens keep their groups. Runs in MiniStack's environment."""

from __future__ import annotations

from typing import Any


def keep_groups(cognito: Any) -> None:
    """Add the user's groups to refreshed tokens, as Cognito does; without them staff lose access."""
    make = cognito._fake_token

    def token(
        sub: str, pool: str, client: str, kind: str = "access", username: str = "", **claims: Any
    ) -> Any:
        if claims.get("groups") is None and username:
            users = cognito._get_pool_unscoped(pool)["_users"]
            claims["groups"] = users.get(username, {}).get("_groups", [])
        return make(sub, pool, client, kind, username, **claims)

    cognito._fake_token = token
