"""Command line of `make chaos`."""

import random
import secrets
import time
from typing import Annotated

import typer

from chaos import display, run
from chaos.faults import Faults
from cli.checks import Check
from cli.errors import SetUpError
from cli.main import main
from cli.options import MOST, SentenceGroup, Target, examples, on_stack
from cli.plurals import messages
from cli.stack import LOCAL, REPOSITORY
from cli.terminal import note, print_json, stopped
from local import signals

app = typer.Typer(cls=SentenceGroup, add_completion=False, rich_markup_mode="rich")


@app.callback(
    invoke_without_command=True,
    subcommand_metavar="",
    epilog=examples(
        "make chaos",
        "make chaos ARGS=--outage",
        'make chaos ARGS="--orders 100000 --moves 300000 --seed 7"',
        "make chaos ARGS=--repair",
    ),
)
@on_stack
def chaos_command(
    target: Target,
    orders: Annotated[
        int,
        typer.Option(
            min=100, max=MOST, help="Number of orders; of each hundred, one is malformed and ten sent twice."
        ),
    ] = 500,
    moves: Annotated[
        int,
        typer.Option(
            min=0,
            max=10 * MOST,
            help="Number of moves by the staff, for which the orders wait.",
            show_default="as many as two people make meanwhile",
        ),
    ] = 0,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Repeat the orders and faults of an earlier run.")
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
        bool,
        # --mend is its old name.
        typer.Option("--repair", "--mend", help="Only repair what a killed run left broken."),
    ] = False,
) -> None:
    """Break the local stack while orders arrive, and check that none is lost or counted twice.

    The database is killed and restarted, refuses logins and runs out of connections; worker processes are
    killed in the middle of a batch; DynamoDB throttles and its responses get lost. Meanwhile staff move the
    orders. Ctrl-C ends the run and repairs the faults. The orders stay in the stack's counts. Exit code 1: an
    order is missing, was counted twice, or has another state than was confirmed.
    """
    if target.name != LOCAL:
        raise SetUpError(
            f"`make chaos` breaks things on purpose: it works on the local stack only, not on {target.name}."
        )
    if outage and moves:
        raise typer.BadParameter("no order moves during an outage: leave out --moves or --outage.")
    where = target.directory or REPOSITORY / ".local"
    if repair:
        found = Faults(target.clients, where, random.Random(0)).repair_all()  # noqa: S311
        repaired = (
            f"Repaired: {'; '.join(found)}." if found else "Nothing that `make chaos` breaks is broken."
        )
        target.print_result({"mended": bool(found)}, repaired)
        return
    settings = run.Settings(
        orders=orders,
        moves=moves,
        seed=secrets.randbits(32) if seed is None else seed,
        run=secrets.token_hex(4),
        outage=outage,
        keep=keep,
    )
    note(f"Seed {settings.seed}: --seed {settings.seed} repeats these orders and faults.")
    chaos_run = run.ChaosRun(target.clients, where, settings)
    began = time.monotonic()
    checks = _watch(chaos_run)
    seconds = time.monotonic() - began
    if target.as_json:
        print_json(display.document(chaos_run, checks, seconds))
    elif checks is not None:
        display.report(chaos_run, checks, seconds)
    if checks is None:
        raise stopped(f"Stopped after {messages(chaos_run.progress.sent)}; everything is repaired.")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _watch(chaos_run: run.ChaosRun) -> list[Check] | None:
    """Run and show the progress; return None after Ctrl-C, once everything is repaired."""
    try:
        # However often Ctrl-C is typed, the repair is completed.
        with signals.handled(lambda _number: chaos_run.stop()), display.screen(chaos_run.progress):
            return chaos_run.run()
    except run.StoppedError:
        return None


if __name__ == "__main__":
    main(app)
