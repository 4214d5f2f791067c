"""`cafe database widen`: make room for more ids and later times in a table that a deploy leaves as it is."""

from dataclasses import asdict, dataclass

import typer

from cli import stack, worker
from cli.options import DEFAULT_STACK, AsJson, Debug, Directory, SentenceGroup, StackName, Yes, examples
from cli.plurals import orders
from cli.progress import waiting
from cli.terminal import confirm, note, print_json, say
from cli.times import duration

app = typer.Typer(
    cls=SentenceGroup,
    no_args_is_help=True,
    help="Change the database's large table, in a quiet hour.",
    epilog=examples("cafe database widen --stack prod"),
)


@dataclass(frozen=True, kw_only=True)
class Table:
    """The columns to widen, and how long that takes or took."""

    columns: list[str]
    rows: int
    megabytes: int
    seconds: float


@app.callback()
def _database() -> None:
    pass


@app.command("widen", epilog=examples("cafe database widen", "cafe database widen --stack prod --yes"))
def widen_command(
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Make ids of 64 bits, and times that do not end in 2038, in a table of an earlier release.

    MySQL writes the table anew and locks it meanwhile. The worker is paused for that time: orders wait in the
    queue, and none is lost. A deploy does this by itself where it takes two seconds at most.
    """
    from cli import aws
    from cli.functions import Function

    target = stack.load(stack_name, directory)
    functions = aws.Clients(target).functions
    migrate = Function(functions=functions, name=target.output("migrate_function"))
    with waiting("Looking at the table"):
        table = migrate.ask({"command": "widen", "dry_run": True}, Table)
    if table.columns:
        show = note if as_json else say
        show(
            f"Table orders has {orders(table.rows)} in {table.megabytes:,} MB. Writing it anew takes about "
            f"{duration(max(1, table.seconds))} and as much free storage again. Until then the table can be "
            "read and not written: the worker is paused, and orders wait in the queue."
        )
        confirm(f"Widen table orders of stack {target.name}?", yes=yes)
        with worker.paused(functions, target.output("worker_mapping")), waiting("Widening"):
            table = migrate.ask({"command": "widen"}, Table)
    if as_json:
        print_json({"stack": target.name, **asdict(table)})
    elif table.columns:
        say(f"Widened in {table.seconds:.1f} s.")
    else:
        say("Table orders is wide already.")
