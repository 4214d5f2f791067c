"""Generated docs, which `make docs` writes: `docs/settings.md`, and the tables of alarms.

Settings come from `Pulumi.yaml` and `infra/settings.py`, alarms from the program of a stack with all of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pulumi
import yaml

from infra.recording import ROOT, record
from infra.setting_parsers import Integer
from infra.settings import EFFECTS, PARSERS, Effect

SETTINGS = ROOT / "docs" / "settings.md"
INVALID = "\x00"
MEANINGS = {
    Effect.IN_PLACE: "without an interruption",
    Effect.SHORT_OUTAGE: "for minutes, orders wait in the queue, and none is lost",
    Effect.NEW_ADDRESS: "clients need the new URL",
    Effect.NEW_DATABASE: "empty or restored from the snapshot; the old one is deleted after a final snapshot",
}
HEAD = """# Settings

`make docs` writes this page, from `Pulumi.yaml` and `infra/settings.py`.
[How to change a setting](../README.md#make-it-yours).

Effects of a change on a running stack:

{meanings}

With `deletionProtection`, {protected} need two deploys: one that removes
the protection, and one for the change.

| setting | type | default | range | description | effect of a change |
|---|---|---|---|---|---|
"""
# Files with a table of alarms, and the links from there to the runbook
ALARM_TABLES = {ROOT / "docs/runbook.md": "", ROOT / "infra/README.md": "../docs/runbook.md"}
BEGIN, END = "<!-- alarms, written by `make docs` -->\n", "<!-- end of the alarms -->\n"
WITH_ALL_ALARMS = {"waitingAlarmMinutes": "20", "retentionDays": "30"}


def settings_page() -> str:
    """Return the page of all settings."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    replaced = [f"`{key}`" for key in PARSERS if EFFECTS[key] in {Effect.NEW_ADDRESS, Effect.NEW_DATABASE}]
    head = HEAD.format(
        meanings="\n".join(f"- *{effect}*: {meaning}." for effect, meaning in MEANINGS.items()),
        protected=f"{', '.join(replaced[:-1])} and {replaced[-1]}",
    )
    return head + "".join(_setting(key, declared[key]) for key in PARSERS)


def value_range(parser: Callable[[str], Any]) -> str:
    """Return the values that a parser accepts, from its error message."""
    if isinstance(parser, Integer):
        return f"{parser.minimum} to {parser.maximum}"
    try:
        parser(INVALID)
    except ValueError as error:
        return str(error).removeprefix("must be ").removeprefix("must have ")
    raise ValueError(f"{parser} accepts {INVALID!r}")


def alarm_table(resources: Iterable[Mapping[str, Any]], runbook: str) -> str:
    """Return the table of the alarms among recorded resources, linked to the runbook."""
    table = "| alarm | goes off when | for |\n|---|---|---|\n"
    for alarm in sorted(resources, key=lambda resource: str(resource["name"])):
        if alarm["type"] == "aws:cloudwatch/metricAlarm:MetricAlarm":
            name, inputs = alarm["name"], alarm["inputs"]
            condition = inputs["alarmDescription"].partition(" What to do:")[0].removesuffix(".")
            table += f"| [{name}]({runbook}#{name.lower()}) | {condition} | {_duration(inputs)} |\n"
    return table


def with_table(document: str, table: str) -> str:
    """Return a document with its table of alarms replaced."""
    head, _, rest = document.partition(BEGIN)
    return head + BEGIN + table + END + rest.partition(END)[2]


def _duration(alarm: Mapping[str, Any]) -> str:
    period = alarm.get("period") or alarm["metricQueries"][0]["metric"]["period"]
    breaching, evaluated = (alarm[key] * period // 60 for key in ("datapointsToAlarm", "evaluationPeriods"))
    if breaching < evaluated:
        return f"{breaching} of {evaluated} minutes"
    return f"{evaluated} minute{'s' if evaluated > 1 else ''}"


def _setting(key: str, entry: dict[str, Any]) -> str:
    default = entry["default"]
    cells = (
        f"`{key}`",
        entry.get("type", "array or text"),
        f"`{default if isinstance(default, str) and default else json.dumps(default)}`",
        value_range(PARSERS[key]),
        entry["description"],
        EFFECTS[key],
    )
    row = " | ".join(cell.replace("|", "\\|") for cell in cells)
    return f"| {row} |\n"


def main() -> int:
    """Write all generated docs; return the exit code."""
    try:
        resources = record("dev", WITH_ALL_ALARMS)["resources"]
        SETTINGS.write_text(settings_page(), encoding="utf-8")
        for file, runbook in ALARM_TABLES.items():
            document = file.read_text(encoding="utf-8")
            file.write_text(with_table(document, alarm_table(resources, runbook)), encoding="utf-8")
    except (pulumi.RunError, yaml.YAMLError, OSError) as error:
        print(f"The docs cannot be generated: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
