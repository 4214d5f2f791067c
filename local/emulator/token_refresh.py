"""Renewed tokens as Cognito makes them; runs in MiniStack's environment."""

from __future__ import annotations

from typing import Any


def keep_groups(cognito: Any) -> None:
    """Let MiniStack name the person's groups in a renewed token, too: without them staff lose access."""
    make = cognito._fake_token

    def token(
        sub: str, pool: str, client: str, kind: str = "access", username: str = "", **claims: Any
    ) -> Any:
        if claims.get("groups") is None and username:
            people = cognito._get_pool_unscoped(pool)["_users"]
            claims["groups"] = people.get(username, {}).get("_groups", [])
        return make(sub, pool, client, kind, username, **claims)

    cognito._fake_token = token
