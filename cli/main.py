"""The command `cafe`: what can be typed, and what is then printed."""

import io
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from cli import operate, stack, worker
from cli.commands import backup, cost, database, load, local, restore, staff
from cli.commands import orders as kitchen
from cli.commands.dlq import commands as dlq
from cli.errors import AnswerError, SetUpError
from cli.options import (
    DAY,
    DEFAULT_STACK,
    MOST,
    AsJson,
    Debug,
    Directory,
    SentenceGroup,
    StackName,
    examples,
    finite,
    text,
)
from cli.plurals import counted, orders, were
from cli.progress import sending
from cli.terminal import is_live, note, out, plain, plain_lines, print_json, say, width

# boto3, httpx and others take longer to import than most commands run, so each command imports its own.
if TYPE_CHECKING:
    from cli.checks import Check
    from cli.traffic.send import Placed

REFRESH = 2.0  # seconds
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
        "Exit codes: 0 done; 1 the answer is no; 2 wrong usage, or something is missing that the command "
        "needs; 130 stopped by Ctrl-C. With --json, an error is a document with the field error."
    ),
)


app.add_typer(local.app, name="local")
app.add_typer(dlq.app, name="dlq")
app.add_typer(worker.app, name="worker")
app.add_typer(kitchen.app, name="orders")
app.add_typer(staff.app, name="staff")
app.add_typer(database.app, name="database")
app.add_typer(backup.app, name="backup")
app.add_typer(operate.app)
app.add_typer(cost.app)
app.add_typer(restore.app)
app.add_typer(load.app)


@app.callback()
def _cafe(debug: Debug = False) -> None:
    pass


@app.command(
    "order",
    epilog=examples(
        "cafe order Latte",
        'cafe order "Flat White" --quantity 2 --customer Ada',
        "cafe order Coffee --count 1000",
        "cafe order Tea --stack dev --json",
    ),
)
def order_command(
    item: Annotated[
        str,
        typer.Argument(
            metavar="ITEM", callback=text, help="What to order, 1 to 100 characters.", show_default=False
        ),
    ],
    quantity: Annotated[int, typer.Option(help="How many pieces, 1 to 1000.")] = 1,
    customer: Annotated[
        str | None,
        typer.Option(callback=text, help="The customer's name; Guest unless given.", show_default=False),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=MOST, help="How many such orders to place.")] = 1,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Place an order, or many equal ones.

    An order that the API does not take at once is sent again, for up to a minute, and never becomes two.
    Exit code 1: the API did not take all of them.
    """
    from cli import http
    from cli.stopping import stopping
    from cli.traffic.client import Order, OrderClient
    from cli.traffic.send import CONNECTIONS, place_many

    target = stack.load(stack_name, directory)
    url = target.output("orders_url")
    order = Order(item=item, quantity=quantity, customer_name=customer)
    with (
        http.client(target.endpoint, CONNECTIONS) as connections,
        sending(count) as on_accepted,
        stopping() as stop,
    ):
        client = OrderClient(connections, url, api_key=target.orders_api_key)
        placed = place_many(client, order, count, stop, on_accepted)
    if as_json:
        print_json(_order_document(placed))
    elif count == 1 and placed.accepted:
        say(f"Order accepted: {plain(placed.order_ids[0])}")
    elif placed.accepted:
        say(
            f"{placed.accepted:,} of {orders(count)} accepted in {placed.seconds:.1f} s "
            f"({placed.accepted / placed.seconds:.0f} per second)"
        )
    _end_order(placed)


def _end_order(placed: "Placed") -> None:
    """Say on standard error why not all orders were placed, and choose the exit code."""
    if placed.interrupted:
        note(
            f"Stopped: {placed.accepted:,} of {orders(placed.requested)} "
            f"{were(placed.requested)} accepted, no more were sent."
        )
        raise typer.Exit(130)
    if placed.problem is not None:
        note(plain_lines(str(placed.problem)), style="red")
        raise typer.Exit(placed.problem.exit_code)


def _order_document(placed: "Placed") -> dict[str, object]:
    document: dict[str, object] = {
        "requested": placed.requested,
        "accepted": placed.accepted,
        "order_ids": placed.order_ids,
        "seconds": round(placed.seconds, 3),
        "interrupted": placed.interrupted,
    }
    if placed.problem is not None:
        document["error"] = str(placed.problem)
        document["errors"] = getattr(placed.problem, "fields", {})
    return document


@app.command(
    "status", epilog=examples("cafe status", "cafe status --watch", "cafe status --stack prod --json")
)
def status_command(
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every two seconds until Ctrl-C.")] = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show the counts, the orders on their way and the recent orders, as the page does.

    Where the terminal is too narrow for a table, its rows are printed line by line, with all that is in them.
    Where the status is not public, your AWS credentials open it: they have to allow calling its function.
    Exit code 1: the status API does not answer.
    """
    from cli import http, status

    if watch and as_json:
        raise typer.BadParameter("--json prints one document: leave out --watch.", param_hint="--watch")
    target = stack.load(stack_name, directory)
    with http.client(target.endpoint) as client:
        ask = status.source(target, client)
        if watch:
            _watch(lambda: status.render(status.parse(ask())))
        document = ask()
        if as_json:
            print_json(document)
        else:
            out.print(status.render(status.parse(document)))


def _watch(view: Callable[[], RenderableType]) -> NoReturn:
    """Show `view` again and again until Ctrl-C; while the API does not answer, what was seen last stays."""
    started = time.monotonic()
    updates = 0
    seen: RenderableType = Text("Waiting for the first answer…")
    try:
        with Live(seen, console=out, auto_refresh=False) as live:
            while True:
                try:
                    shown = seen = view()
                    updates += 1
                except AnswerError as problem:
                    shown = Group(seen, Text(plain_lines(str(problem)), style="red"))
                live.update(shown, refresh=True)
                if not is_live(out):  # Live itself prints only its last state into a file
                    out.print(shown)
                time.sleep(REFRESH)
    except KeyboardInterrupt:
        note(f"Stopped: watched for {time.monotonic() - started:.0f} s, {counted(updates, 'update')}.")
        raise typer.Exit(130) from None


@app.command(
    "verify",
    epilog=examples("cafe verify", "cafe verify --stack dev --timeout 120", "cafe verify --json"),
)
def verify_command(
    timeout: Annotated[
        float,
        typer.Option(
            min=1, max=DAY, callback=finite, help="Seconds for all checks together, once the order is placed."
        ),
    ] = 60,
    item: Annotated[str, typer.Option(callback=text, help="What to order.")] = "Coffee",
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Place one order and check that it went all the way.

    It is accepted, the worker takes it from the queue, its row is in RDS, both counters grew, the worker
    logged it, the kitchen can move it, and the page is served. The order is a test: no screen shows it, and
    it is cancelled in the end; it stays in the stack's counts. Exit code 1: a check failed.
    """
    from cli import aws, http, verify

    target = stack.load(stack_name, directory)
    clients = aws.Clients(target)
    show = note if as_json else say
    checks: list[Check] = []
    interrupted = False
    started = time.monotonic()
    with http.client(target.endpoint) as client:
        verification = verify.Verification(target, client, clients, item=item, timeout=timeout)
        try:
            for check in verification.run():
                checks.append(check)
                show(check.line, style=check.style)
        except KeyboardInterrupt:
            interrupted = True
    failed = sum(not check.ok for check in checks)
    pending = [check.name for check in checks if check.pending]
    if as_json:
        print_json(
            {
                "stack": target.name,
                "ok": not failed and not interrupted,
                "pending": pending,
                "order_id": verification.order_id,
                "interrupted": interrupted,
                "checks": [check.document() for check in checks],
            }
        )
    if interrupted:
        note(f"Stopped after {counted(len(checks), 'check')}, {failed} of them failed.")
        raise typer.Exit(130)
    seconds = time.monotonic() - started
    if failed:
        show(f"{failed} of {len(checks)} checks failed, in {seconds:.1f} s.", style="bold red")
        raise typer.Exit(1)
    if pending:
        show(
            f"{len(checks) - len(pending)} of {len(checks)} checks passed, {len(pending)} not seen yet, "
            f"in {seconds:.1f} s.",
            style="bold yellow",
        )
        return
    show(f"All {len(checks)} checks passed, in {seconds:.1f} s.", style="bold green")


@app.command(
    "chaos",
    hidden=True,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)
def chaos_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Name the command that does it now."""
    options = shlex.join([*context.args, *["--json"] * as_json])
    words = f"make chaos ARGS={shlex.quote(options)}" if options else "make chaos"
    raise SetUpError(f"`cafe chaos` is now a target of make: type `{words}` in the repository.")


def main(command: Callable[[], object] = app) -> None:
    """Run a command line."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character shows its escape instead of an error.
            stream.reconfigure(errors="backslashreplace")
    # Typer would cut the names of options in fewer columns; so the terminal wraps the lines. Typer reads this
    # when it writes a help page or an error: importing that part takes longer than most commands run.
    help_width = width(sys.stdout, HELP_WIDTH) or shutil.get_terminal_size().columns
    os.environ["TERMINAL_WIDTH"] = str(max(HELP_WIDTH, help_width))
    try:
        command()
    finally:
        _flush()


def _flush() -> None:
    """Write what standard output still buffers, while a full disk can be reported and sets the exit code."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        # Python would write the rest of the buffer again at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            note(f"Standard output cannot be written: {error.strerror}.", style="red")
        sys.exit(1)
