"""The command `cafe`, with all its sub-commands."""

import io
import os
import shutil
import sys
from collections import UserDict
from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer

from cli.options import Debug, SentenceGroup
from cli.terminal import note, width

# The modules of `cli.commands`: those with sub-commands, and those that are one command.
GROUPS = ("local", "dlq", "worker", "orders", "staff", "database", "backup")
SINGLE = (
    "order",
    "status",
    "verify",
    "doctor",
    "trace",
    "logs",
    "reconcile",
    "replay",
    "forget",
    "cost",
    "restore",
    "load",
    "chaos",
)
HELP_WIDTH = 80  # columns, at least


class LazyCommands(UserDict[str, Any]):
    """The commands by their names; each is imported at its first use, because some take a second for that."""

    def __getitem__(self, name: str) -> Any:
        """Return a command."""
        if self.data[name] is None:
            parent = typer.Typer(add_completion=False, rich_markup_mode="rich")
            module = import_module(f"cli.commands.{name}")
            parent.add_typer(module.app, name=name if name in GROUPS else None)
            self.data[name] = typer.main.get_group(parent).commands[name]
        return self.data[name]


class CafeGroup(SentenceGroup):
    """The commands of `cafe`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = LazyCommands(dict.fromkeys((*GROUPS, *SINGLE)))


app = typer.Typer(
    name="cafe",
    cls=CafeGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Run, use and check the cafe's order system: on this machine, or a stack on AWS.",
    epilog=(
        "Exit codes: 0 done; 1 the operation failed or was refused; 2 wrong usage, or something that the "
        "command needs is missing; 130 stopped by Ctrl-C. With --json, an error is a document with the field "
        "error."
    ),
)


@app.callback()
def _cafe(debug: Debug = False) -> None:
    pass


def main(command: Callable[[], object] = app) -> None:
    """Run a command line."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without a character shows its escape instead of an error.
            stream.reconfigure(errors="backslashreplace")
    # In fewer columns Typer would cut the names of options; so the terminal wraps the lines. The variable is
    # read when Typer prints a help page or an error: importing that part takes longer than most commands run.
    help_width = width(sys.stdout, HELP_WIDTH) or shutil.get_terminal_size().columns
    os.environ["TERMINAL_WIDTH"] = str(max(HELP_WIDTH, help_width))
    try:
        command()
    finally:
        _flush()


def _flush() -> None:
    """Write the buffer of standard output now, while a full disk can be reported and sets the exit code."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        # Python would write the rest of the buffer again at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            note(f"Standard output cannot be written: {error.strerror}.", style="red")
        sys.exit(1)
