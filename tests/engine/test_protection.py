"""A protected stack refuses to lose data, and nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.engine.conftest import Life
from tests.engine.stack import lost, plain_secrets
from tests.program.test_setting_effects import OTHERS

# Settings that differ from those of `prod`.
OTHERS_THAN_IN_PROD = {**OTHERS, "databaseMultiAz": "false", "privateEndpoints": "false"}


def test_a_destroy_is_refused_before_anything_is_deleted(prod: Life, tmp_path: Path) -> None:
    stack = prod.stack.copy(tmp_path)
    refused = stack.destroy()
    assert "last-resource" in refused.error
    assert [str(step) for step in refused.steps if step.ended] == []
    assert stack.urns == prod.stack.urns


def test_once_the_protection_is_off_a_destroy_leaves_the_copy_of_the_orders_alone(
    prod: Life, tmp_path: Path
) -> None:
    stack = prod.stack.copy(tmp_path)
    unprotected = stack.up({"deletionProtection": "false"})
    assert (unprotected.error, unprotected.those("create", "replace", "delete")) == ("", set())
    destroyed = stack.destroy()
    assert (destroyed.error, stack.resources) == ("", [])
    deleted = {urn.rpartition("::")[2] for urn in destroyed.deleted}
    assert {"cafe-db", "Orders", "order-status-page"} <= deleted
    assert "orders-backup" not in deleted


def test_another_network_is_refused_at_the_preview(prod: Life, tmp_path: Path) -> None:
    refused = prod.stack.copy(tmp_path).preview({"networkCidr": "10.41.0.0/16"})
    assert "cafe-db" in refused.error
    assert "marked for protection" in refused.error


def test_a_change_in_place_is_refused_nowhere_and_replaces_nothing_that_holds_data(
    prod: Life, tmp_path: Path
) -> None:
    """All settings that are changed in place, at once."""
    stack = prod.stack.copy(tmp_path)
    changed = stack.up(OTHERS_THAN_IN_PROD)
    assert changed.error == ""
    assert len(changed.those("update")) > 30
    assert lost(changed) == set()
    assert plain_secrets(stack, prod.deploy, changed) == set()
