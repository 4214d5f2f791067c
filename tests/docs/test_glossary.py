"""The glossary has our own terms, in order, and only those that are used."""

from __future__ import annotations

import re

from infra.recording import ROOT
from tests.docs import markdown

TERMS = re.findall(r"^\| ([a-z ]+) \| [A-Z]", markdown.text("docs/glossary.md"), re.MULTILINE)
USERS = ("docs", "functions", "cli", "infra", "local")


def test_the_terms_are_sorted() -> None:
    assert len(TERMS) > 10
    assert sorted(TERMS) == TERMS


def test_every_term_is_used_outside_the_glossary() -> None:
    files = (
        file
        for folder in USERS
        for pattern in ("*.py", "*.md", "*.yaml")
        for file in (ROOT / folder).rglob(pattern)
        if file.name != "glossary.md"
    )
    text = "\n".join(file.read_text(encoding="utf-8") for file in files).lower()
    assert [term for term in TERMS if not re.search(rf"\b{term}", text)] == []
