"""The runbook has a page for every alarm, and every command in it can be typed as it stands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from cli.main import app

ROOT = Path(__file__).parent.parent.parent
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
INVENTORY = (ROOT / "tests" / "program" / "inventory.txt").read_text(encoding="utf-8")
CODE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(cafe [^`]+)`")
# What stands for something else in a command, and a value in its place.
PLACEHOLDERS = {"ID": "8f14e45f"}
HEADINGS = re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE)


def lines() -> Iterator[str]:
    for block in CODE.findall(RUNBOOK):
        yield from block.splitlines()
    yield from INLINE.findall(RUNBOOK)


def pages() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


COMMANDS = sorted({line for line in lines() if line.startswith("cafe ")})
OTHERS = sorted({line for line in lines() if not line.startswith("cafe ")})


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_exists_and_takes_these_words(line: str) -> None:
    words = [PLACEHOLDERS.get(word, word) for word in shlex.split(line)[1:]]
    command = typer.main.get_command(app)
    while isinstance(command, TyperGroup):
        name, *words = words
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    # Raises what a person would be told of a wrong option, and runs nothing.
    command.make_context(command.name, words)


@pytest.mark.parametrize("line", OTHERS)
def test_every_other_command_is_one_that_the_project_has(line: str) -> None:
    words = shlex.split(line)
    if words[0] == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert words[1] in targets
    else:
        settings = (ROOT / "Pulumi.yaml").read_text(encoding="utf-8")
        assert words[:3] == ["pulumi", "config", "set"]
        setting = next(word for word in words[3:] if not word.startswith("-")).partition("[")[0]
        assert re.search(rf"^  {setting}:$", settings, re.MULTILINE)


def test_every_alarm_has_a_page_under_its_name() -> None:
    alarms = re.findall(r"metricAlarm:MetricAlarm (\w+) ", INVENTORY)
    assert len(alarms) >= 9
    assert [name for name in alarms if name not in HEADINGS] == []


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_page_says_what_it_means_how_to_see_it_and_how_to_mend_it(heading: str) -> None:
    page = pages()[heading]
    assert "**Means:**" in page
    assert "**See" in page
    assert "**Mend" in page
    assert "`" in page[page.index("**See") :]


def test_every_link_leads_to_a_page() -> None:
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADINGS}
    assert [link for link in re.findall(r"\]\(#([^)]+)\)", RUNBOOK) if link not in anchors] == []
