"""The command `cafe`: its sub-commands, one module each."""

import typer

app = typer.Typer(no_args_is_help=True)


def main() -> None:
    """Run the command line."""
    app()
