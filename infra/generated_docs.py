"""The table of all settings, `docs/settings.md`; `make settings` writes it.

Names, types, defaults and descriptions come from `Pulumi.yaml`, ranges from the parsers, and effects from
`infra/settings.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from infra.setting_parsers import Whole
from infra.settings import EFFECTS, PARSERS, Effect

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "settings.md"
NEVER_VALID = "\x00"
MEANINGS = {
    Effect.IN_PLACE: "nobody notices, but for what the setting is about",
    Effect.SHORT_OUTAGE: "minutes in which orders wait in the queue, and none is lost",
    Effect.NEW_ADDRESS: "whoever knows the old address has to be told the new one",
    Effect.NEW_DATABASE: "an empty one, or the snapshot's; the old one is deleted, but for a last snapshot",
}
HEAD = """# Settings

`make settings` writes this page, from `Pulumi.yaml` and `infra/settings.py`.
[How to change a setting](../README.md#make-it-yours).

A change of a setting in a running stack:

{meanings}

Where `deletionProtection` is on, {protected} need two deploys: one that takes
the protection off, and one for the change.

| setting | type | default | range | description | a change |
|---|---|---|---|---|---|
"""


def page(project: Path = ROOT / "Pulumi.yaml") -> str:
    """Return the page."""
    declared = yaml.safe_load(project.read_text(encoding="utf-8"))["config"]
    replaced = [f"`{key}`" for key in PARSERS if EFFECTS[key] in {Effect.NEW_ADDRESS, Effect.NEW_DATABASE}]
    head = HEAD.format(
        meanings="\n".join(f"- *{effect}*: {meaning}." for effect, meaning in MEANINGS.items()),
        protected=f"{', '.join(replaced[:-1])} and {replaced[-1]}",
    )
    return head + "".join(_row(key, declared[key]) for key in PARSERS)


def value_range(parser: Callable[[str], Any]) -> str:
    """Return what a parser accepts, in the words in which it refuses anything else."""
    if isinstance(parser, Whole):
        return f"{parser.least} to {parser.most}"
    try:
        parser(NEVER_VALID)
    except ValueError as error:
        return str(error).removeprefix("must be ").removeprefix("must have ")
    raise ValueError(f"{parser} accepts {NEVER_VALID!r}")


def _row(key: str, entry: dict[str, Any]) -> str:
    cells = (
        f"`{key}`",
        entry.get("type", "array or text"),
        f"`{_text(entry['default'])}`",
        value_range(PARSERS[key]),
        entry["description"],
        EFFECTS[key],
    )
    return f"| {' | '.join(map(_escaped, cells))} |\n"


def _text(default: object) -> str:
    return default if isinstance(default, str) and default else json.dumps(default)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
