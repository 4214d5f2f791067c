"""Command line of `make chaos`."""

import random
import secrets
import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli import stack
from cli.errors import SetUpError
from cli.main import main
from cli.options import DEFAULT_STACK, MOST, AsJson, Debug, Directory, SentenceGroup, StackName, examples
from cli.plurals import messages
from cli.terminal import note, print_json, say

if TYPE_CHECKING:
    from chaos.faults import Faults
    from chaos.run import ChaosRun
    from cli.checks import Check

REFRESH = 0.2  # seconds
SEEDS = 2**32

app = typer.Typer(cls=SentenceGroup, add_completion=False, rich_markup_mode="rich")


@app.callback(
    invoke_without_command=True,
    subcommand_metavar="",
    epilog=examples(
        "make chaos",
        "make chaos ARGS=--outage",
        'make chaos ARGS="--orders 100000 --seed 7"',
        "make chaos ARGS=--mend",
    ),
)
def chaos_command(
    orders: Annotated[
        int,
        typer.Option(
            min=100, max=MOST, help="Number of orders; of each hundred, one is malformed and ten come twice."
        ),
    ] = 500,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Repeat the orders and faults of an earlier run.", show_default=False),
    ] = None,
    outage: Annotated[
        bool,
        typer.Option(
            "--outage", help="One long outage of the database instead, until every order is dead-lettered."
        ),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the run's malformed orders in the dead-letter queue.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--mend", help="Only repair what a killed run left broken.")
    ] = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Break the local stack while orders arrive, and check that none is lost or counted twice.

    The database is killed and restarted, refuses logins and runs out of connections; worker processes are
    killed in the middle of a batch; DynamoDB throttles and its responses get lost. Meanwhile staff move the
    orders. Ctrl-C repairs what is broken. The orders stay in the stack's counts. Exit code 1: an order is
    missing, was counted twice, or has another state than was confirmed.
    """
    if stack_name != stack.LOCAL:
        raise SetUpError(
            f"`make chaos` breaks things on purpose: it works on the local stack only, not on {stack_name}."
        )
    from chaos import display, faults, run
    from cli import aws

    target = stack.load(stack_name, directory)
    clients = aws.Clients(target)
    where = directory or stack.REPOSITORY / ".local"
    if repair:
        _repair(faults.Faults(target, clients, where, random.Random(0)), as_json=as_json)  # noqa: S311
        return
    settings = run.Settings(
        orders=orders,
        seed=secrets.randbelow(SEEDS) if seed is None else seed,
        run=secrets.token_hex(4),
        outage=outage,
        keep=keep,
    )
    note(
        f"Seed {settings.seed}: --seed {settings.seed} sends the same orders and makes the same faults again."
    )
    chaos_run = run.ChaosRun(target, clients, where, settings)
    began = time.monotonic()
    checks = _watch(chaos_run)
    seconds = time.monotonic() - began
    if as_json:
        print_json(display.document(chaos_run, checks, seconds))
    elif checks is not None:
        for line, style in display.report(chaos_run, checks, seconds):
            say(line, style=style)
    if checks is None:
        note(f"Stopped after {messages(chaos_run.progress.sent)}; everything is repaired.")
        raise typer.Exit(130)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _repair(faults: "Faults", *, as_json: bool) -> None:
    found = faults.repair_all()
    if as_json:
        print_json({"mended": bool(found)})
    else:
        say(f"Repaired: {'; '.join(found)}." if found else "Nothing that `make chaos` breaks is broken.")


def _watch(run: "ChaosRun") -> "list[Check] | None":
    """Run and show the progress; return None after Ctrl-C, once everything is repaired."""
    from chaos import display
    from chaos.faults import repeating
    from chaos.schedule import StoppedError
    from local import signals

    failures: list[Exception] = []

    def refresh() -> None:
        try:
            show()
        except Exception as error:  # noqa: BLE001  # raised again below
            failures.append(error)
            run.stop()

    try:
        # However often Ctrl-C is typed, the repair comes to its end.
        with signals.handled(lambda _number: run.stop()), display.screen(run.progress) as show:
            try:
                with repeating(refresh, every=REFRESH):
                    return run.run()
            finally:
                refresh()
    except StoppedError:
        if failures:
            raise failures[0] from None
        return None


if __name__ == "__main__":
    main(app)
