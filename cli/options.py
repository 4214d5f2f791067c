"""The options that the sub-commands share, and the one place where errors become sentences and exit codes."""

import errno
import math
import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import times
from cli.errors import CafeError
from cli.stack import LOCAL
from cli.terminal import note, plain_lines, print_json

DEBUG = "cafe.debug"
JSON = "cafe.json"
# Things in one run, and things a second; a load keeps the orders' ids in memory, a few hundred bytes each.
MOST = 1_000_000
DAY = 86_400  # seconds


def _remember(key: str) -> Any:
    """Keep an option's value where errors are handled; `meta` is shared by all contexts of a run."""

    def callback(context: typer.Context, value: bool) -> bool:
        context.meta[key] = value or context.meta.get(key, False)
        return value

    return callback


def finite(value: float | None) -> float | None:
    """Refuse `nan`, which is neither less than an option's least value nor more than its greatest."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number.")
    return value


def text(value: str | None) -> str | None:
    """Read an argument as UTF-8, whatever the locale; Python reads it with the locale's encoding."""
    try:
        return None if value is None else os.fsencode(value).decode()
    except UnicodeError:
        raise typer.BadParameter("It is not UTF-8 text.") from None


def moment(text: str, option: str) -> datetime:
    """Read an option's date or time, in UTC."""
    try:
        return times.moment(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a date or time such as 2026-11-22 or 2026-11-22T14:00Z.", param_hint=option
        ) from None


StackName = Annotated[
    str,
    typer.Option("--stack", help="`local`, or a stack of this Pulumi project.", show_default=True),
]
Directory = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        envvar="CAFE_LOCAL_DIRECTORY",
        help="Where the local stack keeps its files; .local in the repository unless given.",
        show_default=False,
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON document, and nothing else, on standard output.",
        callback=_remember(JSON),
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug", envvar="CAFE_DEBUG", help="Show where an error comes from.", callback=_remember(DEBUG)
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; the answer is yes.")]
DEFAULT_STACK = LOCAL


def examples(*lines: str) -> str:
    """Typer prints an epilog's paragraphs as they are when a blank line is between them."""
    return "\n\n".join(("[bold]Examples[/bold]", *lines))


# Typer's messages are Pydantic's, in its words for programmers.
PYDANTIC = (
    ("Value error, ", ""),
    (", unable to (parse|interpret) .*$", ""),
    ("Input should be", "It must be"),
)


def _sentence(message: str) -> str:
    """Return an error of Typer's in words for whoever typed the command."""
    for pattern, words in PYDANTIC:
        message = re.sub(pattern, words, message)
    return message


@contextmanager
def _plain_usage_errors(ctx: Any, args: list[str]) -> Iterator[None]:
    """Write Typer's errors in plain words, and as a document where the arguments contain `--json`."""
    # Read before the arguments are: a wrong one may keep `--json` from being understood.
    wants_json = ctx.parent is None and "--json" in args
    try:
        yield
    except typer.TyperException as error:
        error.message = _sentence(error.message)
        if wants_json:
            print_json({"error": error.format_message()})
        raise


def _unwrapped(help_text: str) -> str:
    """Return a docstring's paragraphs, each as one line that Typer wraps to the terminal."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in help_text.split("\n\n"))


class SentenceGroup(TyperGroup):
    """Runs a sub-command; whatever it raises ends in a sentence on standard error, never in a traceback."""

    def __init__(self, *, help: str | None = None, **options: Any) -> None:  # noqa: A002 - Typer's name
        super().__init__(help=help and _unwrapped(help), **options)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a sub-command, with help that is wrapped to the terminal."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and command.help:
            command.help = _unwrapped(command.help)
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read what comes before a sub-command, and the environment in place of it."""
        with _plain_usage_errors(ctx, args):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            with _plain_usage_errors(ctx, ctx.args):
                return super().invoke(ctx)
        except (typer.TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise  # Typer's own ways to end
        except KeyboardInterrupt as error:
            raise self._end(ctx, "Stopped.", 130) from error
        except CafeError as error:
            raise self._end(ctx, str(error), error.exit_code) from error
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise self._end(ctx, f"The output cannot be written: {error.strerror}.", 1) from error
            sentence = f"Unexpected {type(error).__name__}: {error} (`--debug` shows where it comes from)."
            raise self._end(ctx, sentence, 1) from error

    @staticmethod
    def _end(ctx: Any, sentence: str, exit_code: int) -> typer.Exit:
        if ctx.meta.get(DEBUG):
            note(plain_lines(traceback.format_exc()))
        note(plain_lines(sentence), style="red")
        if ctx.meta.get(JSON):
            with suppress(OSError):  # standard output may be what is wrong: a full disk
                print_json({"error": sentence})
        return typer.Exit(exit_code)
