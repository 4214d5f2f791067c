"""`cafe chaos`, which is `make chaos` now."""

import shlex

import typer

from cli.errors import SetUpError
from cli.options import AsJson, SentenceGroup

app = typer.Typer(cls=SentenceGroup)


@app.command(
    "chaos",
    hidden=True,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)
def chaos_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Name the command that replaces this one."""
    options = shlex.join([*context.args, *["--json"] * as_json])
    command = f"make chaos ARGS={shlex.quote(options)}" if options else "make chaos"
    raise SetUpError(f"`cafe chaos` is now a target of make: type `{command}` in the repository.")
