"""The Pulumi project as local mode runs it: its name, and the settings of the stack `local`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STACK = "local"
REGION = "us-east-1"
# Pulumi's default, for a project without `pulumi:autonaming`.
DEFAULT_NAMING = "${name}-${hex(7)}"

# In place of a `Pulumi.local.yaml`: values that differ from the project's defaults.
OVERRIDES: Mapping[str, Any] = {
    # The stack is removed at the end.
    "deletionProtection": False,
    # Only this machine can reach its loopback.
    "dashboardAccess": "public",
}


# Settings without effect: only AWS issues certificates, and only the internet's DNS has the domain.
IGNORED = ("domain", "hostedZone", "certificateArn")


@dataclass(frozen=True, kw_only=True)
class Project:
    """Configuration that the Pulumi CLI would pass to the program and its engine."""

    name: str
    configuration: Mapping[str, str]  # full keys such as `aws:region`; all values are text
    naming: str  # pattern of generated names


def load(root: Path, chosen: Mapping[str, str] | None = None) -> Project:
    """Read `Pulumi.yaml` and apply its defaults, local mode's overrides and the `chosen` settings.

    The program itself validates the settings.
    """
    # Imported here: the command `cafe` imports this module without reading YAML.
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
            **{f"{name}:{key}": "" for key in IGNORED if key in settings},
        },
        naming=naming.get("pattern", DEFAULT_NAMING),
    )


def _default(entry: Any) -> Any:
    """Return the value of an entry of `config:`, which is the value itself or an object with it."""
    if isinstance(entry, dict):
        return entry.get("value", entry.get("default"))
    return entry


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
