"""`cafe status`: the counts and the recent orders."""

import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, NoReturn

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from cli import http, status
from cli.errors import OperationError
from cli.options import Target, commands, stack_command
from cli.plurals import counted
from cli.terminal import is_live, out, plain_lines, print_exact_json, stopped

REFRESH = 2.0  # seconds


@stack_command(commands, "status", "cafe status", "cafe status --watch", "cafe status --stack prod --json")
def status_command(
    target: Target,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every two seconds until Ctrl-C.")] = False,
) -> None:
    """Show the counts, the orders in transit and the recent orders, as the page does.

    In a terminal that is too narrow for a table, its rows are printed line by line. If the status API is not
    public, its function is invoked with your AWS credentials. Exit code 1: the status API is not available.
    """
    if watch and target.as_json:
        raise typer.BadParameter("--json prints one document: leave out --watch.", param_hint="--watch")
    with http.client(target.stack.endpoint) as client:
        read = partial(status.read, target.stack, client, lambda: target.clients)
        if watch:
            _watch(lambda: status.render(status.parse(read())))
        document = read()
        if target.as_json:
            print_exact_json(document)
        else:
            out.print(status.render(status.parse(document)))


def _watch(view: Callable[[], RenderableType]) -> NoReturn:
    """Refresh a view until Ctrl-C; add the error below the last one while the API is not available."""
    started = time.monotonic()
    updates = 0
    last: RenderableType = Text("Waiting for the first response…")
    try:
        with Live(last, console=out, auto_refresh=False) as live:
            while True:
                try:
                    current = last = view()
                    updates += 1
                except OperationError as problem:
                    current = Group(last, Text(plain_lines(str(problem)), style="red"))
                live.update(current, refresh=True)
                if not is_live(out):  # Live itself prints only its last state into a file
                    out.print(current)
                time.sleep(REFRESH)
    except KeyboardInterrupt:
        seconds = time.monotonic() - started
        raise stopped(f"Stopped: watched for {seconds:.0f} s, {counted(updates, 'update')}.") from None
