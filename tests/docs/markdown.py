"""The project's Markdown files: their links, headings, names of files, and commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from infra.recording import ROOT

PATTERNS = ("*.md", ".github/*.md", "deploy/*/*.md", "docs/**/*.md", "functions/*.md", "infra/*.md")
FILES = sorted(file for pattern in PATTERNS for file in ROOT.glob(pattern))
NAMES = [str(file.relative_to(ROOT)) for file in FILES]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
# Text between backticks is a command if it starts with one of these programs.
PROGRAM = re.compile(r"(cafe|make|pulumi|aws|git|gh|scripts/\w+|\.venv/bin/\w+) ")
ASSIGNMENT = re.compile(r"\w+=")


def text(name: str) -> str:
    """Return a file's text."""
    return (ROOT / name).read_text(encoding="utf-8")


def links(name: str) -> list[tuple[Path, str]]:
    """Return the file and the anchor of each link to a file of the repository."""
    found = re.findall(r'(?:\]\(|src="|srcset=")([^)\s"]+)', FENCE.sub("", text(name)))
    here = (ROOT / name).parent
    parts = (link.partition("#") for link in found if "://" not in link and "${" not in link)
    return [((here / path).resolve() if path else ROOT / name, anchor) for path, _, anchor in parts]


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub gives to a file's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", file.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code(name: str) -> list[str]:
    """Return the texts between backticks, each on one line."""
    return [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", FENCE.sub("", text(name)))]


def typed(name: str) -> Iterator[list[str]]:
    """Yield each command of the blocks for a shell, as words."""
    for language, block in FENCE.findall(text(name)):
        if language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                yield from commands(line)


def mentioned(name: str) -> Iterator[list[str]]:
    """Yield each command between backticks, as words; its arguments may be left out."""
    for each in code(name):
        if PROGRAM.match(each):
            yield from commands(each)


def commands(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line, without assignments of variables before them."""
    if re.match(r"\w+=\$\(", line):  # the output of a command
        return
    for part in line.split(" && "):
        words = shlex.split(part, comments=True)
        while words and ASSIGNMENT.match(words[0]):
            words.pop(0)
        if words:
            yield words
