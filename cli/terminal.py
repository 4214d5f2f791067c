"""What the command shows: text that cannot harm a terminal, and JSON documents.

Names of customers and dishes are any text that anybody sent. They never reach Rich's markup parser
(the consoles have it off) and never the terminal as control characters.
"""

import json
import os
import sys
import unicodedata

import typer
from rich.console import Console

# Columns of a table that goes into a file or a pipe: wide enough that nothing of it is cut off.
FILE_WIDTH = 160

# Rich resolves standard output and standard error at each print, so that tests can replace them.
out = Console(
    markup=False,
    highlight=False,
    emoji=False,
    width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else FILE_WIDTH,
)
err = Console(markup=False, highlight=False, emoji=False, stderr=True)

# Control, format, surrogate, private use, unassigned, and the line and paragraph separators.
HARMFUL_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Format characters without which words of some scripts, and most emoji, fall apart.
JOINERS = frozenset("\u200c\u200d")


def plain(text: object) -> str:
    """Return `text` with everything that could steer a terminal written as an escape, `\\x1b` for Escape."""
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in HARMFUL_CATEGORIES and character not in JOINERS
        else character
        for character in str(text)
    )


def say(sentence: str, *, style: str | None = None) -> None:
    """Print a line on standard output; it is never wrapped, so that it can be copied or searched."""
    out.print(sentence, style=style, soft_wrap=True)


def note(sentence: str, *, style: str | None = None) -> None:
    """Print a line on standard error: progress and problems, never results."""
    err.print(sentence, style=style, soft_wrap=True)


def print_json(document: object) -> None:
    """Print the one JSON document of a `--json` run; ASCII only, so that it prints everywhere."""
    typer.echo(json.dumps(document, indent=2))
