"""`cafe verify`: place one order, and check that the whole system processes it."""

import time
from typing import Annotated

import typer

from cli import http, verify
from cli.checks import Check
from cli.options import DAY, Target, commands, finite, stack_command, text
from cli.plurals import counted
from cli.terminal import print_json, stopped


@stack_command(
    commands, "verify", "cafe verify", "cafe verify --stack dev --timeout 120", "cafe verify --json"
)
def verify_command(
    target: Target,
    timeout: Annotated[
        float,
        typer.Option(
            min=1, max=DAY, callback=finite, help="Seconds for all checks together, once the order is placed."
        ),
    ] = 60,
    item: Annotated[str, typer.Option(callback=text, help="What to order.")] = "Coffee",
) -> None:
    """Place one order, and check that the whole system processes it.

    The API accepts it, the worker takes it from the queue, its row is in RDS, both counters grow, the worker
    logs it, the kitchen can move it, and the page is served. The order is a test: no screen shows it, and it
    is cancelled at the end; it stays in the stack's counts. Exit code 1: a check failed.
    """
    checks: list[Check] = []
    interrupted = False
    started = time.monotonic()
    with http.client(target.stack.endpoint) as client:
        verification = verify.Verification(client, target.clients, item=item, timeout=timeout)
        try:
            for check in verification.run():
                checks.append(check)
                target.say(check.line, style=check.style)
        except KeyboardInterrupt:
            interrupted = True
    failed = sum(not check.ok for check in checks)
    pending = [check.name for check in checks if check.pending]
    if target.as_json:
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
        raise stopped(f"Stopped after {counted(len(checks), 'check')}, {failed} of them failed.")
    seconds = f"in {time.monotonic() - started:.1f} s."
    if failed:
        target.say(f"{failed} of {len(checks)} checks failed, {seconds}", style="bold red")
        raise typer.Exit(1)
    if pending:
        passed = f"{len(checks) - len(pending)} of {len(checks)} checks passed"
        target.say(f"{passed}, {len(pending)} not seen yet, {seconds}", style="bold yellow")
    else:
        target.say(f"All {len(checks)} checks passed, {seconds}", style="bold green")
