"""The records of the project: decisions and the changelog."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs import markdown

DECISIONS = [name for name in markdown.NAMES if re.match(r"docs/decisions/\d", name)]


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_has_a_number_a_status_and_a_date_and_is_listed(name: str) -> None:
    folder, _, file = name.rpartition("/")
    found = re.match(r"# (\d+)\. (.+)\n\n\*Status: [a-z]+ \d{4}-\d\d-\d\d[,.]", markdown.text(name))
    assert found is not None
    assert file.startswith(f"{int(found[1]):04}-")
    assert f"\n{found[1]}. [{found[2]}]({file})\n" in markdown.text(f"{folder}/README.md")


def test_the_changelog_has_the_projects_version_with_a_date() -> None:
    version = tomllib.loads(markdown.text("pyproject.toml"))["project"]["version"]
    unreleased, *released = re.findall(r"^## \[(.+?)\](.*)$", markdown.text("CHANGELOG.md"), re.MULTILINE)
    assert unreleased == ("Unreleased", "")
    assert released[0][0] == version
    assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", date) for _, date in released)
