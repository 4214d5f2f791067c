"""Links and names of files in the documentation lead somewhere."""

from __future__ import annotations

import re

import pytest

from infra.recording import ROOT
from tests.docs import markdown

FOLDERS = (
    "bench",
    "chaos",
    "cli",
    "deploy",
    "docs",
    "functions",
    "infra",
    "local",
    "scripts",
    "tests",
    "web",
)
FILE_NAMES = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")} | set(markdown.NAMES)
NOT_IN_THE_REPOSITORY = {"config.js"}  # a deploy makes it


@pytest.mark.parametrize("name", markdown.NAMES)
def test_every_link_leads_to_a_file_and_a_heading(name: str) -> None:
    wrong = [
        (str(file.relative_to(ROOT)), anchor)
        for file, anchor in markdown.links(name)
        if not file.exists() or (anchor and anchor not in markdown.anchors(file))
    ]
    assert wrong == []


@pytest.mark.parametrize("name", markdown.NAMES)
def test_every_file_that_is_named_exists(name: str) -> None:
    bases = [(ROOT / name).parent, ROOT, ROOT / "functions", ROOT / "infra"]
    missing = []
    for each in markdown.code(name):
        top, slash, _ = each.partition("/")
        if top and slash and re.fullmatch(r"[\w./-]+", each) and not re.search(r"NAME|csv", each):
            homes = [base / each for base in bases if (base / top).is_dir()]
            missing += [each] if homes and not any(home.exists() for home in homes) else []
        elif re.fullmatch(r"[\w-]+\.(py|md|js|css|sql)", each):
            missing += [each] if each not in FILE_NAMES | NOT_IN_THE_REPOSITORY else []
    assert missing == []
