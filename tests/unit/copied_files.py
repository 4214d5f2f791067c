"""Read the files of copies."""

from __future__ import annotations

import csv
import gzip
import io
import re

MARKED = re.compile(r"((?:\A|[;\t\r\n])(?:\x22|[^\S\t\r\n])*)'(?=['=+\-@＝＋－＠])")


def read(content: bytes) -> list[list[str]]:
    """Return the cells of a file."""
    text = gzip.decompress(content).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def original(cell: str) -> str | None:
    """Return the text of a cell, as docs/runbook.md describes."""
    if cell == "":
        return None
    return "" if cell == "'" else MARKED.sub(r"\1", cell)
