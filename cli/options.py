"""Options that the commands share, and the one place where errors become messages and exit codes."""

import errno
import functools
import inspect
import math
import os
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cli import stack, times
from cli.errors import CafeError
from cli.stack import LOCAL, Stack
from cli.terminal import note, plain_lines, print_json, say

if TYPE_CHECKING:
    from cli.aws import Clients

DEBUG = "cafe.debug"
JSON = "cafe.json"
# Orders in one run, and a second; a load keeps their ids in memory, a few hundred bytes each.
MOST = 1_000_000
DAY = 86_400  # seconds

Command = Callable[..., None]


def _remember_debug(context: typer.Context, value: bool) -> bool:
    """Keep the option where errors are handled; all contexts of a run share `meta`."""
    context.meta[DEBUG] = value or context.meta.get(DEBUG, False)
    return value


def finite(value: float | None) -> float | None:
    """Refuse `nan`, which no minimum and no maximum excludes."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number.")
    return value


def text(value: str | None) -> str | None:
    """Decode an argument as UTF-8; Python uses the locale's encoding."""
    try:
        return None if value is None else os.fsencode(value).decode()
    except UnicodeError:
        raise typer.BadParameter("It is not UTF-8 text.") from None


def not_blank(value: str | None) -> str | None:
    """Decode an argument as UTF-8; refuse one without a visible character."""
    found = text(value)
    if found is not None and not found.strip():
        raise typer.BadParameter("It is empty.")
    return found


def parse_time(text: str, option: str, *, ago: bool = False) -> datetime:
    """Parse an option's date or time, or also how long ago it was; return it in UTC."""
    try:
        return times.parse_since(text) if ago else times.parse_local(text)
    except (ValueError, OverflowError):
        expected = "not a date or time such as 2026-11-22 or 2026-11-22T14:00Z"
        if ago:
            expected = "neither a time such as 2026-11-22T14:00Z nor how long ago, such as 15m, 1h or 2d"
        raise typer.BadParameter(f"{text!r} is {expected}.", param_hint=option) from None


StackName = Annotated[str, typer.Option("--stack", help="`local`, or a stack of this Pulumi project.")]
Directory = Annotated[
    Path | None,
    typer.Option(
        envvar="CAFE_LOCAL_DIRECTORY", help="The local stack's directory; default: .local in the repository."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, and nothing else, on standard output.")
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug", envvar="CAFE_DEBUG", help="Print the traceback of an error.", callback=_remember_debug
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def rate_option(things: str) -> Any:
    """Return the option for a maximum rate."""
    return typer.Option(
        min=0.01, max=MOST, callback=finite, help=f"{things} a second, at most; default: as fast as possible."
    )


@dataclass
class Target:
    """The stack that a command is about, and whether the command prints JSON."""

    name: str
    directory: Path | None = None
    as_json: bool = False

    @functools.cached_property
    def stack(self) -> Stack:
        """The stack, whose outputs are read once."""
        return stack.load(self.name, self.directory)

    @functools.cached_property
    def clients(self) -> "Clients":
        """Clients for the stack."""
        from cli import aws  # boto3 takes longer to import than most commands run

        return aws.Clients(self.stack)

    def output(self, name: str) -> str:
        """Return one of the stack's outputs."""
        return self.stack.output(name)

    def say(self, sentence: str, *, style: str | None = None) -> None:
        """Print a line: on standard output, or on standard error if a document goes there."""
        (note if self.as_json else say)(sentence, style=style)

    def print_result(self, document: object, sentence: str) -> None:
        """Print a result: as JSON, or as a sentence."""
        if self.as_json:
            print_json(document)
        else:
            say(sentence)


# The commands of `cafe`; the module of each adds it.
commands = typer.Typer(rich_markup_mode="rich")


def command_group(name: str, *lines: str) -> typer.Typer:
    """Add a command that has sub-commands, with examples for its help page."""
    group = typer.Typer(no_args_is_help=True, epilog=examples(*lines))
    commands.add_typer(group, name=name)
    return group


def stack_command(app: typer.Typer, name: str, *lines: str, **options: Any) -> Callable[[Command], Command]:
    """Add a command on a stack to an application, with examples for its help page."""
    return lambda command: app.command(name, epilog=examples(*lines), **options)(on_stack(command))


def on_stack(command: Command) -> Command:
    """Replace the first parameter of a command by the options that all commands on a stack have."""

    def run(
        *,
        stack_name: StackName = LOCAL,
        directory: Directory = None,
        as_json: AsJson = False,
        debug: Debug = False,
        **own: Any,
    ) -> None:
        command(Target(stack_name, directory, as_json), **own)

    _target, *own = inspect.signature(command, eval_str=True).parameters.values()
    *common, _own = inspect.signature(run).parameters.values()
    parameters = [*(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own), *common]
    functools.update_wrapper(run, unwrapped(command))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def unwrapped(command: Command) -> Command:
    """Put each paragraph of a command's help in one line, which Typer wraps to the terminal."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    command.__doc__ = "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
    return command


def examples(*lines: str) -> str:
    """Return an epilog; Typer keeps its lines if they are separate paragraphs."""
    return "\n\n".join(("[bold]Examples[/bold]", *lines))


# Typer's messages are Pydantic's, which are written for programmers.
PYDANTIC = (
    ("Value error, ", ""),
    (", unable to (parse|interpret) .*$", ""),
    ("Input should be", "It must be"),
)


def _explained(error: BaseException) -> tuple[str, int]:
    """Return a sentence about an error, and the exit code."""
    match error:
        case KeyboardInterrupt():
            return "Stopped.", 130
        case CafeError():
            return str(error), error.exit_code
        case OSError(errno=errno.ENOSPC):
            return f"The output cannot be written: {error.strerror}.", 1
    return f"Unexpected {type(error).__name__}: {error} (`--debug` prints the traceback).", 1


class SentenceGroup(TyperGroup):
    """A command line that prints its exceptions as sentences on standard error, without a traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the options before a sub-command, and their environment variables; print help pages."""
        # Looked up before the arguments are parsed: an invalid one may prevent that.
        ctx.meta[JSON] = "--json" in args
        with self._sentences(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        with self._sentences(ctx):
            return super().invoke(ctx)

    @contextmanager
    def _sentences(self, ctx: Any) -> Iterator[None]:
        """Print an exception as a sentence, and end with its exit code."""
        try:
            yield
        except typer.TyperException as error:
            for pattern, words in PYDANTIC:
                error.message = re.sub(pattern, words, error.message)
            if ctx.meta[JSON]:
                print_json({"error": error.format_message()})
            raise  # Typer prints it
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise  # Typer handles these
        except (KeyboardInterrupt, Exception) as error:
            sentence, exit_code = _explained(error)
            if ctx.meta.get(DEBUG):
                note(plain_lines(traceback.format_exc()))
            note(plain_lines(sentence), style="red")
            if ctx.meta[JSON]:
                with suppress(OSError):  # standard output itself may fail, on a full disk
                    print_json({"error": sentence})
            raise typer.Exit(exit_code) from error
