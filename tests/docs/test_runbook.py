"""The runbook has a page for every alarm, and every page has the same parts."""

from __future__ import annotations

import re

import pytest

from tests.docs import markdown

RUNBOOK = markdown.text("docs/runbook.md")
INVENTORY = markdown.text("tests/program/inventory.txt")
_PARTS = re.split(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE)
PAGES = dict(zip(_PARTS[1::2], _PARTS[2::2], strict=True))


def test_every_alarm_has_a_page_under_its_name() -> None:
    alarms = re.findall(r"metricAlarm:MetricAlarm (\w+) ", INVENTORY)
    assert len(alarms) >= 9
    assert [name for name in alarms if name not in PAGES] == []


@pytest.mark.parametrize("heading", PAGES)
def test_every_page_has_what_it_means_how_to_see_it_and_how_to_fix_it(heading: str) -> None:
    page = PAGES[heading]
    assert "**Means:**" in page
    assert "**See" in page
    assert "**Fix" in page
    assert "`" in page[page.index("**See") :]


def test_every_page_is_listed_at_the_top() -> None:
    listed = re.findall(r"\[([^\]]+)\]\(#", _PARTS[0])
    assert sorted(listed) == sorted(PAGES)
