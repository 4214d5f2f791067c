"""A protected stack refuses deletes and replacements of data, and no other change."""

from __future__ import annotations

from pathlib import Path

from tests.engine.conftest import DeployedStack
from tests.engine.stack import lost, plain_secrets
from tests.program.setting_values import CHANGED

# Settings that differ from those of `prod`.
CHANGED_FROM_PROD = {**CHANGED, "databaseMultiAz": "false", "privateEndpoints": "false"}


def test_a_destroy_is_refused_before_anything_is_deleted(prod: DeployedStack, tmp_path: Path) -> None:
    stack = prod.stack.copy(tmp_path)
    refused = stack.destroy()
    assert "last-resource" in refused.error
    assert [str(step) for step in refused.steps if step.ended] == []
    assert stack.urns == prod.stack.urns


def test_without_the_protection_a_destroy_retains_only_the_copies_of_the_orders(
    prod: DeployedStack, tmp_path: Path
) -> None:
    stack = prod.stack.copy(tmp_path)
    unprotected = stack.up({"deletionProtection": "false"})
    assert (unprotected.error, unprotected.resources_of("create", "replace", "delete")) == ("", set())
    destroyed = stack.destroy()
    assert (destroyed.error, stack.resources) == ("", [])
    deleted = {urn.rpartition("::")[2] for urn in destroyed.deleted}
    assert {"cafe-db", "Orders", "order-status-page"} <= deleted
    assert "orders-backup" not in deleted


def test_a_new_network_is_refused_at_the_preview(prod: DeployedStack, tmp_path: Path) -> None:
    refused = prod.stack.copy(tmp_path).preview({"networkCidr": "10.41.0.0/16"})
    assert "cafe-db" in refused.error
    assert "marked for protection" in refused.error


def test_changes_in_place_are_accepted_and_replace_nothing_that_holds_data(
    prod: DeployedStack, tmp_path: Path
) -> None:
    """All settings that change in place, at once."""
    stack = prod.stack.copy(tmp_path)
    changed = stack.up(CHANGED_FROM_PROD)
    assert changed.error == ""
    assert len(changed.resources_of("update")) > 30
    assert lost(changed) == set()
    assert plain_secrets(stack, prod.deploy, changed) == set()
