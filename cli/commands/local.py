"""`cafe local`: the whole system on this machine."""

from typing import Annotated

import typer

from cli.options import Directory, commands, text
from cli.terminal import failed, say
from local import ports, stack
from local.database.engine import Engine
from local.display import Display
from local.errors import LocalError

MAX_PORT = 65_535

app = typer.Typer()
commands.add_typer(app, name="local")


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    directory: Directory = None,
    port: Annotated[
        int, typer.Option(min=0, max=MAX_PORT, help="Port of everything but the database; 0 is any free one.")
    ] = ports.DEFAULT_PORT,
    database_port: Annotated[
        int, typer.Option(min=0, max=MAX_PORT, help="Port of the database; 0 is any free one.")
    ] = 0,
    database_server: Annotated[
        Engine,
        typer.Option(
            envvar="CAFE_DATABASE_SERVER",
            help="The database server: MariaDB, which starts faster, or MySQL, if it is installed.",
        ),
    ] = Engine.MARIADB,
    config: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A setting such as dashboardAccess=login; can be repeated."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return as soon as everything is ready.")] = False,
) -> None:
    """Run the whole system on this machine, without an AWS account."""
    if context.invoked_subcommand is not None:
        return
    try:
        settings = stack.parse_settings([text(entry) or "" for entry in config or []])
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--config") from None
    options = stack.Options(
        directory=directory or stack.DEFAULT_DIRECTORY,
        port=port,
        database_port=database_port,
        database_server=database_server,
        settings=settings,
    )
    if detach:
        raise typer.Exit(stack.detach(options))
    how_to_stop = "Ctrl-C stops it and removes everything."
    raise typer.Exit(stack.run(options, Display(), on_ready=lambda: None, how_to_stop=how_to_stop))


@app.command()
def stop(context: typer.Context, directory: Directory = None) -> None:
    """Stop a local stack, detached or not, and remove everything."""
    # `cafe local --directory D stop` works, too.
    before = context.parent.params.get("directory") if context.parent else None
    path = directory or before or stack.DEFAULT_DIRECTORY
    try:
        stopped = stack.stop(path)
    except LocalError as error:
        raise failed(str(error)) from error
    say("Stopped and removed." if stopped else f"No local stack runs in {path}.")
