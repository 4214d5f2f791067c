"""Changes of settings that a running stack cannot take, found before anything is changed.

The program does not see what is deployed. So each deploy exports the settings that matter, and
`cli/preflight.py` compares them with those of the next one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from infra.settings import EFFECTS, FIELDS, Effect, Settings

COMPARED = (
    "apiStage",
    "databaseInstanceClass",
    "databaseSnapshot",
    "databaseStorage",
    "deletionProtection",
    "networkCidr",
)


def deployed(settings: Settings) -> str:
    """Return the settings that are compared, as JSON for the output `deployed_settings`."""
    return json.dumps({key: getattr(settings, FIELDS[key]) for key in COMPARED})


def refusals(before: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """Yield a sentence for each change that AWS or Pulumi would refuse half-way.

    Parameters
    ----------
    before
        What is deployed: `deployed_settings`, parsed. Empty for a new stack.
    settings
        What is to be deployed.
    """
    changed = changes(before, settings)
    if before.get("deletionProtection"):
        yield from (
            f"{key}: a change makes a {EFFECTS[key]}, and what is there is protected. First set "
            f"deletionProtection to false and deploy; then change {key}."
            for key in changed
            if EFFECTS[key] in {Effect.NEW_ADDRESS, Effect.NEW_DATABASE}
        )
    is_kept = not any(EFFECTS[key] == Effect.NEW_DATABASE for key in changed)
    storage = before.get("databaseStorage", 0)
    if is_kept and settings.database_storage < storage:
        yield f"databaseStorage: cannot shrink, and is {storage}: set it to at least that."


def changes(before: Mapping[str, Any], settings: Settings) -> list[str]:
    """Return the keys whose values change in a running stack."""
    return [
        key
        for key in COMPARED
        if key in before
        and before[key] != (value := getattr(settings, FIELDS[key]))
        # A database stays as it is when the snapshot that it was made from is named no more.
        and not (key == "databaseSnapshot" and value == "")
    ]
