"""`MigrateDatabase` refuses a wrong menu before it touches a store."""

from __future__ import annotations

import pytest

import migrate_database


@pytest.mark.parametrize("item", ["", "\u200b", "\u2800", "x" * 101, "\ud83d"])
def test_a_menu_with_an_item_that_nobody_can_order_fails_the_deploy(item: str) -> None:
    with pytest.raises(ValueError, match=r"^must be text"):
        migrate_database.handler({"menu": {"Latte": "5", item: "1"}}, None)
