"""Changes of settings that AWS or Pulumi would refuse in a running stack, found before the deploy.

The program cannot read the deployed settings, so each deploy exports those in `COMPARED`, and
`cli/preflight.py` compares them with the settings of the next deploy.
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
    """Return the compared settings as JSON, for the output `deployed_settings`."""
    return json.dumps({key: getattr(settings, FIELDS[key]) for key in COMPARED})


def refusals(before: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """Yield an error message for each change that AWS or Pulumi would refuse during a deploy.

    Parameters
    ----------
    before
        The parsed output `deployed_settings`; empty for a new stack.
    settings
        Those of the next deploy.
    """
    changed = changes(before, settings)
    if before.get("deletionProtection"):
        yield from (
            f"{key}: a change makes a {EFFECTS[key]}, and the existing one is protected. First set "
            f"deletionProtection to false and deploy; then change {key}."
            for key in changed
            if EFFECTS[key] in {Effect.NEW_ADDRESS, Effect.NEW_DATABASE}
        )
    keeps_database = not any(EFFECTS[key] == Effect.NEW_DATABASE for key in changed)
    storage = before.get("databaseStorage", 0)
    if keeps_database and settings.database_storage < storage:
        yield f"databaseStorage: cannot shrink; set it to at least {storage}."


def changes(before: Mapping[str, Any], settings: Settings) -> list[str]:
    """Return the keys whose change affects a running stack."""
    return [
        key
        for key in COMPARED
        if key in before
        and before[key] != (value := getattr(settings, FIELDS[key]))
        # Clearing the snapshot after a restore keeps the database.
        and not (key == "databaseSnapshot" and value == "")
    ]
