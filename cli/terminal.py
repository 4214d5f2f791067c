"""Output of the commands: text that cannot harm a terminal, and JSON documents.

Names of customers and items are untrusted text. The consoles do not parse Rich's markup, and control
characters are escaped.
"""

import json
import os
import shutil
import sys
import unicodedata
from typing import TextIO

import typer
from rich.console import Console

from cli.errors import OperationError, SetUpError
from orders import exact_json
from orders.times import iso

FILE_WIDTH = 160  # columns of a table in a file or a pipe, so that nothing is cut off
MAX_REPLY = 100  # characters; standard input may be anything
MAX_WIDTH = 1000  # columns of a table, for which more would take long


def width(stream: TextIO | None, otherwise: int) -> int | None:
    """Return the width of a stream; None if it is a terminal, whose width can change.

    `COLUMNS` overrides it if it is a positive number; `otherwise` is for files and pipes.
    """
    if "COLUMNS" in os.environ:
        return min(shutil.get_terminal_size((otherwise, 0)).columns, MAX_WIDTH)
    return None if stream and stream.isatty() else otherwise


def is_live(console: Console) -> bool:
    """Return whether printed lines can be replaced."""
    return console.is_terminal and not console.is_dumb_terminal


# Rich resolves standard output and standard error at each print, so that tests can replace them.
out = Console(markup=False, highlight=False, emoji=False, width=width(sys.stdout, FILE_WIDTH))
err = Console(markup=False, highlight=False, emoji=False, stderr=True, width=width(sys.stderr, FILE_WIDTH))

# Control, format, surrogate, private use, unassigned, and the line and paragraph separators.
HARMFUL_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Format characters without which words of some scripts, and most emoji, fall apart.
JOINERS = frozenset("\u200c\u200d")


def plain(text: object) -> str:
    """Escape the characters that could control a terminal, such as `\\x1b`."""
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in HARMFUL_CATEGORIES and character not in JOINERS
        else character
        for character in str(text)
    )


def plain_lines(text: str) -> str:
    """Escape such characters in each line, and keep line breaks."""
    return "\n".join(plain(line) for line in text.split("\n"))


def say(sentence: str, *, style: str | None = None) -> None:
    """Print a line on standard output, not wrapped, so that it can be copied or searched."""
    out.print(sentence, style=style, soft_wrap=True)


def note(sentence: str, *, style: str | None = None) -> None:
    """Print a line on standard error: progress or a problem."""
    err.print(sentence, style=style, soft_wrap=True)


def print_json(document: object) -> None:
    """Print the JSON document of a command, in ASCII, which every terminal can show, with times in UTC."""
    typer.echo(json.dumps(document, indent=2, default=iso))


def print_exact_json(document: object) -> None:
    """Print a JSON document with the exact value of each `Decimal`."""
    typer.echo(exact_json.encode(document, indent=2))


def stopped(sentence: str) -> typer.Exit:
    """Print on standard error how far a command came before Ctrl-C; return the exit to raise."""
    note(plain_lines(sentence))
    return typer.Exit(130)


def failed(sentence: str, exit_code: int = 1) -> typer.Exit:
    """Print on standard error what failed; return the exit to raise."""
    note(plain_lines(sentence), style="red")
    return typer.Exit(exit_code)


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation on standard error, unless `yes`; raise OperationError if the reply is not yes."""
    if yes:
        return
    err.print(f"{plain_lines(question)} [y/N] ", end="", soft_wrap=True)
    reply = sys.stdin.readline(MAX_REPLY) if sys.stdin else ""
    if not reply:
        err.print()
        raise SetUpError("Nothing was done, because the confirmation could not be read: use `--yes`.")
    if reply.strip().lower() not in {"y", "yes"}:
        raise OperationError("Nothing was done.")
