"""`cafe database widen`: larger ids and later times in a table that a deploy leaves unchanged."""

from dataclasses import asdict, dataclass

from cli import worker
from cli.functions import Function
from cli.options import Target, Yes, command_group, stack_command
from cli.plurals import orders
from cli.progress import waiting
from cli.terminal import confirm
from cli.times import duration

app = command_group("database", "cafe database widen --stack prod")


@dataclass(frozen=True, kw_only=True)
class Table:
    """The columns to widen, and how long that takes or took."""

    columns: list[str]
    rows: int
    megabytes: int
    seconds: float


@stack_command(app, "widen", "cafe database widen", "cafe database widen --stack prod --yes")
def widen_command(target: Target, yes: Yes = False) -> None:
    """Make ids 64 bits wide, and times last beyond 2038, in a table of an earlier release.

    MySQL rewrites the table, and locks it meanwhile. The worker is paused for that time: orders wait in the
    queue, and none is lost. A deploy does this itself if it takes two seconds at most.
    """
    functions = target.clients.functions
    migrate = Function(functions=functions, name=target.output("migrate_function"))
    with waiting("Reading the table's size"):
        table = migrate.call({"command": "widen", "dry_run": True}, Table)
    sentence = "Table orders is wide already."
    if table.columns:
        target.say(
            f"Table orders has {orders(table.rows)} in {table.megabytes:,} MB. Rewriting it takes about "
            f"{duration(max(1, table.seconds))} and as much free storage again. Until then the table can be "
            "read but not written: the worker is paused, and orders wait in the queue."
        )
        confirm(f"Widen table orders of stack {target.name}?", yes=yes)
        with worker.paused(functions, target.output("worker_mapping")), waiting("Widening"):
            table = migrate.call({"command": "widen"}, Table)
        sentence = f"Widened in {table.seconds:.1f} s."
    target.print_result({"stack": target.name, **asdict(table)}, sentence)
