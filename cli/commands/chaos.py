"""`cafe chaos`, which is `make chaos` now."""

import shlex

import typer

from cli.errors import SetUpError
from cli.options import commands


@commands.command(
    "chaos",
    hidden=True,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)
def chaos_command(context: typer.Context) -> None:
    """Name the command that replaces this one."""
    options = shlex.join(context.args)
    command = f"make chaos ARGS={shlex.quote(options)}" if options else "make chaos"
    raise SetUpError(f"`cafe chaos` is now a target of make: type `{command}` in the repository.")
