"""`cafe local`: the whole system on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from local import stack
from local.display import Display
from local.errors import LocalError

app = typer.Typer(help="Run the whole system on this machine, without an AWS account.")

Directory = Annotated[Path, typer.Option(help="Run directory; one stack runs in it at a time.")]
HIGHEST_PORT = 65_535


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    directory: Directory = stack.DEFAULT_DIRECTORY,
    port: Annotated[
        int, typer.Option(min=0, max=HIGHEST_PORT, help="Port of the page, the API and AWS; 0 is any.")
    ] = stack.DEFAULT_PORT,
    database_port: Annotated[
        int, typer.Option(min=0, max=HIGHEST_PORT, help="Port of the database; 0 is any.")
    ] = 0,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it runs.")] = False,
) -> None:
    """Start a local stack, and stop it with Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    options = stack.Options(directory=directory, port=port, database_port=database_port)
    if detach:
        raise typer.Exit(stack.detach(options, sys.stdout.buffer))
    code = stack.run(
        options,
        Display(Console()),
        on_ready=lambda: None,
        how_to_stop="Ctrl-C stops it and removes everything.",
    )
    raise typer.Exit(code)


@app.command()
def stop(directory: Directory = stack.DEFAULT_DIRECTORY) -> None:
    """Stop a local stack, detached or not."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        stopped = stack.stop(directory)
    except LocalError as error:
        console.print(f"[bold red]Error:[/] {error}")
        raise typer.Exit(1) from error
    console.print("Stopped; nothing is left." if stopped else f"No local stack runs in {directory}.")
