"""What the command shows: text that cannot harm a terminal, and JSON documents.

Names of customers and dishes are any text that anybody sent. They never reach Rich's markup parser
(the consoles have it off) and never the terminal as control characters.
"""

import json
import os
import shutil
import sys
import unicodedata
from typing import TextIO

import typer
from rich.console import Console

from cli.errors import AnswerError, SetUpError
from orders import exact_json

# Columns of a table that goes into a file or a pipe: wide enough that nothing of it is cut off.
FILE_WIDTH = 160

LONGEST_ANSWER = 100  # characters; standard input may be anything

WIDEST = 1000  # columns; a wider table would take long, and nobody could read it


def width(stream: TextIO | None, otherwise: int) -> int | None:
    """Return the columns of a stream, `None` for those that its terminal has at each moment.

    `COLUMNS` counts if it is a positive number; `otherwise` is for files and pipes.
    """
    if "COLUMNS" in os.environ:
        return min(shutil.get_terminal_size((otherwise, 0)).columns, WIDEST)
    return None if stream and stream.isatty() else otherwise


def is_live(console: Console) -> bool:
    """Whether what is printed can be replaced later."""
    return console.is_terminal and not console.is_dumb_terminal


# Rich resolves standard output and standard error at each print, so that tests can replace them.
out = Console(markup=False, highlight=False, emoji=False, width=width(sys.stdout, FILE_WIDTH))
err = Console(markup=False, highlight=False, emoji=False, stderr=True, width=width(sys.stderr, FILE_WIDTH))

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


def plain_lines(text: str) -> str:
    """As `plain`, but lines stay lines."""
    return "\n".join(plain(line) for line in text.split("\n"))


def say(sentence: str, *, style: str | None = None) -> None:
    """Print a line on standard output; it is never wrapped, so that it can be copied or searched."""
    out.print(sentence, style=style, soft_wrap=True)


def note(sentence: str, *, style: str | None = None) -> None:
    """Print a line on standard error: progress and problems, never results."""
    err.print(sentence, style=style, soft_wrap=True)


def print_json(document: object) -> None:
    """Print the one JSON document of a `--json` run; ASCII only, so that it prints everywhere."""
    typer.echo(json.dumps(document, indent=2))


def print_exact_json(document: object) -> None:
    """Print a document as `print_json` does, with each `Decimal` as the number that it is."""
    typer.echo(exact_json.encode(document, indent=2))


def confirm(question: str, *, yes: bool) -> None:
    """Ask on standard error, and go on only if the answer is yes.

    Raises
    ------
    AnswerError
        The answer is no.
    SetUpError
        Nobody answers: standard input is at its end.
    """
    if yes:
        return
    err.print(f"{plain_lines(question)} [y/N] ", end="", soft_wrap=True)
    answer = sys.stdin.readline(LONGEST_ANSWER) if sys.stdin else ""
    if not answer:
        err.print()
        raise SetUpError("Nothing was done, because nobody answered: `--yes` answers yes.")
    if answer.strip().lower() not in {"y", "yes"}:
        raise AnswerError("Nothing was done.")
