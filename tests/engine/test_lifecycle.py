"""The life of each stack: preview, deploy, nothing left to change, and as far as it may, destroy."""

from __future__ import annotations

import re
from pathlib import Path

from tests.engine.conftest import Life
from tests.engine.fake_provider import NAMED
from tests.engine.stack import plain_secrets

# They have names of their own, each inside another resource.
INSIDE = {"Model", "ResourceServer", "UserGroup"}


def test_a_deploy_makes_what_the_first_preview_shows(life: Life) -> None:
    assert (life.first_preview.error, life.deploy.error) == ("", "")
    assert life.first_preview.those("create") == life.deploy.those("create") == life.deploy.changed


def test_a_preview_after_a_deploy_shows_nothing_to_change(life: Life) -> None:
    assert (life.second_preview.error, life.second_preview.changed) == ("", set())


def test_physical_names_hold_the_name_of_the_stack(life: Life) -> None:
    """Two stacks can so live in one account."""
    names = {}
    for resource in life.stack.resources:
        kind, logical = resource["type"].rpartition(":")[2], resource["urn"].rpartition("::")[2]
        name = resource.get("inputs", {}).get(NAMED.get(resource["type"], "name"))
        if name and kind not in INSIDE:
            names[kind, logical] = name
            assert re.fullmatch(f"{logical}-{life.stack.name}-[0-9a-f]{{7}}", name), kind
    assert {("Instance", "cafe-db"), ("Bucket", "order-status-page"), ("Queue", "OrderQueue")} <= set(names)


def test_the_state_holds_no_secret_in_plain_text(life: Life) -> None:
    assert plain_secrets(life.stack, life.deploy) == set()


def test_a_destroy_of_a_stack_to_try_things_on_leaves_nothing(dev: Life, tmp_path: Path) -> None:
    stack = dev.stack.copy(tmp_path)
    assert stack.destroy().error == ""
    assert stack.resources == []
