"""`cafe reconcile`: compare and repair the stores."""

from collections.abc import Iterator
from typing import Annotated

import typer

from cli.error_codes import explain
from cli.errors import CafeError
from cli.options import Target, Yes, commands, stack_command
from cli.plurals import orders
from cli.progress import waiting
from cli.reconciler import Reconciler, Report
from cli.terminal import confirm, note, plain, print_json, say


@stack_command(
    commands, "reconcile", "cafe reconcile", "cafe reconcile --full --stack prod", "cafe reconcile --rebuild"
)
def reconcile_command(
    target: Target,
    full: Annotated[
        bool, typer.Option("--full", help="Also audit every counter by the whole table.")
    ] = False,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild", help="Also write every order to DynamoDB again, while orders are accepted."
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """Compare DynamoDB with the database, and repair the differences.

    The schedule does so, too: every minute for new orders, every hour for every counter. `--rebuild` is for
    the case that a table of DynamoDB was lost. Exit code 1: something still differs, or could not be
    compared.
    """
    reconciler = Reconciler.of(target.clients)
    if rebuild:
        confirm(f"Write every order of stack {target.name} to DynamoDB again?", yes=yes)
    command = "rebuild" if rebuild else "full" if full else None
    try:
        with waiting("Comparing") as update:
            report = reconciler.run(command, lambda so_far: update(f"Compared {orders(so_far.checked)}"))
    except KeyboardInterrupt:
        raise CafeError(
            "Stopped waiting. The current run of ReconcileOrders continues, and its repairs stay.",
            exit_code=130,
        ) from None
    if target.as_json:
        ok = not report.remaining and not report.reason
        print_json(report.model_dump() | {"stack": target.name, "ok": ok})
    else:
        _say_report(report)
    if not report.compared:
        note(f"Could not compare: {plain(explain(report.unchecked or ''))}", style="red")
    elif report.reason:
        note(f"Incomplete: {plain(explain(report.reason))}", style="red")
    if report.remaining:
        hint = "" if command else " `cafe reconcile --full` audits every counter."
        differ = "differs" if report.remaining == 1 else "differ"
        note(f"{orders(report.remaining)} still {differ}.{hint}", style="red")
    if report.remaining or report.reason:
        raise typer.Exit(1)


def _say_report(report: Report) -> None:
    compared = orders(report.checked)
    if report.rds_orders is not None:
        compared = f"{report.checked:,} of {orders(report.rds_orders)}"
    if report.compared:
        say(f"{compared} compared: {report.drift:,} differed, {report.repaired:,} repaired.")
    if report.counted:
        say(f"{orders(report.counted)} counted that another program inserted.")
    for row, why in report.bad_rows.items():
        say(f"Row {row} of `orders` has no valid order: {plain(why)}.")
    for counter, change in sorted(report.corrected.items()):
        say(f"  {plain(counter)}: {change:+,}")
    if report.swept or report.left:
        say(f"Dead letters: {report.swept:,} recorded, {report.left:,} left.")
    for sentence in _reasons(report):
        say(f"  {plain(sentence)}")


def _reasons(report: Report) -> Iterator[str]:
    """Yield why dead letters are left."""
    if report.rejected:
        why = f": {report.rejected_reason}" if report.rejected_reason else "."
        yield f"{report.rejected:,} without a valid order (`cafe dlq list`){why}"
    if report.conflicting:
        why = f": {report.conflicting_reason}" if report.conflicting_reason else ""
        count = orders(report.conflicting)
        yield f"{count} with the id of another order (`cafe dlq edit ID` changes it){why}"
    if report.waiting:
        why = f": {explain(report.waiting_reason)}" if report.waiting_reason else ""
        yield f"{orders(report.waiting)} not recorded now, and retried every minute{why}"
    if unknown := report.left - report.rejected - report.conflicting - report.waiting:
        yield f"{unknown:,} for a reason that `cafe dlq list` shows."
