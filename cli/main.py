"""The command `cafe`, with all its sub-commands."""

import io
import os
import shutil
import sys
from collections.abc import Callable

import typer

from cli.commands import (
    backup,
    chaos,
    cost,
    database,
    dlq,
    doctor,
    load,
    local,
    order,
    orders,
    reconcile,
    replay,
    restore,
    staff,
    status,
    verify,
    worker,
)
from cli.options import Debug, SentenceGroup
from cli.terminal import note, width

HELP_WIDTH = 80  # columns, at least

app = typer.Typer(
    name="cafe",
    cls=SentenceGroup,
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
for name, group in {
    "local": local,
    "dlq": dlq,
    "worker": worker,
    "orders": orders,
    "staff": staff,
    "database": database,
    "backup": backup,
}.items():
    app.add_typer(group.app, name=name)
for command in (order, status, verify, doctor, reconcile, replay, cost, restore, load, chaos):
    app.add_typer(command.app)


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
