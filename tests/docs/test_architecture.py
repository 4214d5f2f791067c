"""The diagram is up to date, names what exists, and its texts fit."""

from __future__ import annotations

import re

from docs import architecture
from infra.recording import ROOT

RESOURCES = set(
    re.findall(r"^\S+ (\S+) in ", (ROOT / "tests/program/inventory.txt").read_text("utf-8"), re.M)
)
TABLES = {
    table
    for migration in (ROOT / "functions/migrations").glob("*.sql")
    for table in re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", migration.read_text("utf-8"))
}
WIDTHS = {13.5: 0.68, 12: 0.6}  # of a letter in DejaVu Sans, bold and plain, as a share of its size


def test_the_diagram_is_the_one_that_its_source_makes() -> None:
    assert architecture.FILE.read_text(encoding="utf-8") == architecture.svg()


def test_every_box_is_a_resource_of_the_program_or_a_table_of_its_database() -> None:
    names = {node.name for node in architecture.NODES} - {"DynamoDB"}
    pages = {page for node in architecture.NODES for page in re.findall(r"/([\w-]+)", node.note)}
    parts = {name for node in architecture.NODES for name, _ in node.parts}
    assert names | pages <= RESOURCES
    assert parts <= RESOURCES | TABLES


def test_the_diagram_has_every_function_and_every_table() -> None:
    text = (ROOT / "tests/program/inventory.txt").read_text("utf-8")
    functions = set(re.findall(r"lambda/function:Function (\w+) ", text))
    assert {node.name for node in architecture.NODES if node.kind == "function"} == functions
    tables = set(re.findall(r"dynamodb/table:Table (\w+) ", text))
    (drawn,) = (node.parts for node in architecture.NODES if node.name == "DynamoDB")
    assert {name for name, _ in drawn} == tables


def test_every_text_fits_into_its_box() -> None:
    for node in architecture.NODES:
        names = [node.name, *(name for name, _ in node.parts)]
        notes = [node.note, *(note for _, note in node.parts)]
        for size, texts in ((13.5, names), (12, notes)):
            assert max(map(len, texts)) * size * WIDTHS[size] <= architecture.NODE_WIDTH, node.name
