"""The command `cafe`, with all its sub-commands."""

import io
import os
import shutil
import sys
from collections import UserDict
from collections.abc import Callable
from copy import copy
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand

from cli.options import Debug, SentenceGroup, commands
from cli.terminal import note, width

# The modules of `cli.commands`, each with its summary in the list of commands.
COMMANDS = {
    "local": "Run the whole system on this machine, without an AWS account.",
    "dlq": "List, correct, redrive, delete and export the messages in the dead-letter queues.",
    "worker": "Pause the worker, so that orders wait in the queue, and resume it.",
    "orders": "Show and move orders in the kitchen, with your AWS credentials.",
    "staff": "Manage the kitchen's users, who see orders and move them once signed in.",
    "database": "Change the database's large table at a quiet time.",
    "backup": "List the backups of the orders, and copy the orders now.",
    "order": "Place an order, or many equal ones.",
    "status": "Show the counts, the orders in transit and the recent orders, as the page does.",
    "verify": "Place one order, and check that the whole system processes it.",
    "doctor": "Report what is wrong with the system, and which command to type next.",
    "trace": "Show an order's path: accepted, published, received, recorded and shown, or where it stopped.",
    "logs": "Print the functions' log lines, sorted by time, without those of Lambda about each invocation.",
    "reconcile": "Compare DynamoDB with the database, and repair the differences.",
    "replay": "Send the orders of a period again, each with its own id and time; none is counted twice.",
    "forget": "Erase a customer's or an order's name, its further fields, and who moved it and why.",
    "cost": "Compute the monthly price of a stack by service, before or after it is deployed.",
    "restore": "Restore the database of a stack on AWS from a backup.",
    "load": "Place many orders, wait until they are recorded, and check that each was counted exactly once.",
    "chaos": "",  # not in the list
}
HELP_WIDTH = 80  # columns, at least


class LazyCommands(UserDict[str, Any]):
    """The commands by their names; each is imported at its first use, because some take a second for that."""

    def __getitem__(self, name: str) -> Any:
        """Return a command."""
        if self.data[name] is None:
            import_module(f"cli.commands.{name}")
            self.data[name] = typer.main.get_group(commands).commands[name]
            self.data[name].help = self.data[name].help or COMMANDS[name]
        return self.data[name]


class CafeGroup(SentenceGroup):
    """The commands of `cafe`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = LazyCommands(dict.fromkeys(COMMANDS))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the list of commands without importing them."""
        listed = copy(self)
        listed.commands = {name: TyperCommand(name, help=text) for name, text in COMMANDS.items() if text}
        super(CafeGroup, listed).format_help(ctx, formatter)


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
