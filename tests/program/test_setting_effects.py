"""Effects of changed settings on a running stack, as far as they follow from the program.

The provider decides which inputs force a replacement; `replacements.py` lists those of protected resources.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from infra.protection import PROTECTED
from infra.settings import EFFECTS, Effect
from tests.program.conftest import Program
from tests.program.replacements import FORCE_REPLACEMENT
from tests.program.setting_values import CHANGED

REPLACING = {
    "apiStage": ("v1", {"Stage orders"}),
    "databaseSnapshot": ("cafe-orders-prod-0a1b2c3d", {"Instance cafe-db"}),
    # A new network also replaces the database: test_storage.py.
    "networkCidr": ("10.41.0.0/16", {"Vpc vpc", "Subnet private-1", "Subnet private-2"}),
}


def lost(before: Program, after: Program) -> set[str]:
    """Return the protected resources, and those of the network, that a change deletes or replaces."""
    kept = {resource.urn: resource for resource in after.resources}
    return {
        f"{resource.type.rpartition(':')[2]} {resource.name}"
        for resource in before.resources
        if resource.type in PROTECTED | FORCE_REPLACEMENT.keys()
        and (
            resource.urn not in kept
            or any(
                json.dumps(resource.inputs.get(key)) != json.dumps(kept[resource.urn].inputs.get(key))
                for key in [*FORCE_REPLACEMENT.get(resource.type, ()), *resource.replace_on_changes]
            )
        )
    }


def test_every_setting_is_in_one_of_the_two_tables() -> None:
    in_place = {key for key, effect in EFFECTS.items() if effect in {Effect.IN_PLACE, Effect.SHORT_OUTAGE}}
    assert set(CHANGED) == in_place
    assert set(REPLACING) == set(EFFECTS) - in_place


def test_a_change_in_place_replaces_nothing_with_data_or_a_public_address(
    dev: Program, with_settings: Callable[..., Program]
) -> None:
    assert lost(dev, with_settings(**CHANGED)) == set()


@pytest.mark.parametrize("key", REPLACING)
def test_a_change_with_another_effect_replaces_exactly_these_resources(
    dev: Program, with_settings: Callable[..., Program], key: str
) -> None:
    value, expected = REPLACING[key]
    assert lost(dev, with_settings(**{key: value})) == expected
