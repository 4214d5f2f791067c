"""`MigrateDatabase` refuses a wrong menu before it touches a store."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import migrate_database
from stores.mysql.login import LoginSecret
from stores.secret import SecretRefusedError


@pytest.mark.parametrize("item", ["", "\u200b", "\u2800", "x" * 101, "\ud83d"])
def test_a_menu_with_an_invalid_item_fails_the_deploy(item: str) -> None:
    with pytest.raises(ValueError, match=r"^must be text"):
        migrate_database.handler({"menu": {"Latte": "5", item: "1"}}, None)


def test_every_secret_is_read_before_the_database_is_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("DATABASE_SECRET", "STATUS_SECRET", "MASTER_SECRET"):
        monkeypatch.setenv(name, name)
    read: list[str] = []

    def refuse(secrets: Sequence[LoginSecret]) -> None:
        read.extend(secret.secret_id for secret in secrets)
        raise SecretRefusedError("Secrets Manager: AccessDeniedException")

    monkeypatch.setattr(migrate_database, "await_access", refuse)
    monkeypatch.setattr(migrate_database, "MySql", None)
    with pytest.raises(SecretRefusedError):
        migrate_database.handler({"menu": {}}, None)
    assert sorted(read) == ["DATABASE_SECRET", "MASTER_SECRET", "STATUS_SECRET"]
