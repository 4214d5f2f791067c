"""The Pulumi project as the local mode runs it: its name, the stack `local`, and that stack's settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STACK = "local"
REGION = "us-east-1"
# The Pulumi service's own default, for a project that sets none.
DEFAULT_NAMING = "${name}-${hex(7)}"

# In place of a `Pulumi.local.yaml`: the settings in which one machine differs from the project's defaults.
OVERRIDES: Mapping[str, Any] = {
    # The whole stack is thrown away at the end.
    "deletionProtection": False,
    # Nobody else reaches this machine's loopback.
    "dashboardAccess": "public",
}


@dataclass(frozen=True, kw_only=True)
class Project:
    """What the Pulumi CLI would tell a program and its engine."""

    name: str
    configuration: Mapping[str, str]  # full keys such as `aws:region`; all values are text
    naming: str  # pattern of physical names


def load(root: Path, chosen: Mapping[str, str] | None = None) -> Project:
    """Read `Pulumi.yaml`, whose defaults the CLI would apply, and add the overrides, and what a person chose.

    What is chosen is not checked here: the program knows its settings, and says which is wrong.
    """
    # Here, because the command `cafe` imports this module and reads no YAML.
    import yaml

    document = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))
    name = document["name"]
    entries = {key: _default(entry) for key, entry in (document.get("config") or {}).items()}
    naming = entries.get("pulumi:autonaming") or {}
    # Keys with a namespace belong to the engine or to a provider.
    settings = {key: value for key, value in entries.items() if ":" not in key and value is not None}
    overrides = {key: value for key, value in OVERRIDES.items() if key in settings}
    return Project(
        name=name,
        configuration={
            "aws:region": REGION,
            **{f"{name}:{key}": _text(value) for key, value in {**settings, **overrides}.items()},
            **{key if ":" in key else f"{name}:{key}": value for key, value in (chosen or {}).items()},
        },
        naming=naming.get("pattern", DEFAULT_NAMING),
    )


def _default(entry: Any) -> Any:
    """Return the value of an entry of `config:`, which is either the value itself or describes it."""
    if isinstance(entry, dict):
        return entry.get("value", entry.get("default"))
    return entry


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
