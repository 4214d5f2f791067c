"""The lifecycle of each stack: preview, deploy, a preview without changes, and destroy."""

from __future__ import annotations

import re
from pathlib import Path

from tests.engine.conftest import DeployedStack
from tests.engine.fake_provider import NAMED
from tests.engine.stack import plain_secrets

# Named by the program, within another resource
NAMED_BY_PROGRAM = {"Model", "ResourceServer", "UserGroup"}


def test_a_deploy_creates_the_resources_of_the_first_preview(deployed: DeployedStack) -> None:
    assert (deployed.first_preview.error, deployed.deploy.error) == ("", "")
    assert (
        deployed.first_preview.resources_of("create")
        == deployed.deploy.resources_of("create")
        == deployed.deploy.changed
    )


def test_a_preview_after_a_deploy_shows_no_changes(deployed: DeployedStack) -> None:
    assert (deployed.second_preview.error, deployed.second_preview.changed) == ("", set())


def test_physical_names_contain_the_name_of_the_stack(deployed: DeployedStack) -> None:
    """An account can have several stacks."""
    names = {}
    for resource in deployed.stack.resources:
        kind, logical = resource["type"].rpartition(":")[2], resource["urn"].rpartition("::")[2]
        name = resource.get("inputs", {}).get(NAMED.get(resource["type"], "name"))
        if name and kind not in NAMED_BY_PROGRAM:
            names[kind, logical] = name
            assert re.fullmatch(f"{logical}-{deployed.stack.name}-[0-9a-f]{{7}}", name), kind
    assert {("Instance", "cafe-db"), ("Bucket", "order-status-page"), ("Queue", "OrderQueue")} <= set(names)


def test_the_state_contains_no_secret_in_plain_text(deployed: DeployedStack) -> None:
    assert plain_secrets(deployed.stack, deployed.deploy) == set()


def test_a_destroy_of_dev_leaves_nothing(dev: DeployedStack, tmp_path: Path) -> None:
    stack = dev.stack.copy(tmp_path)
    assert stack.destroy().error == ""
    assert stack.resources == []
