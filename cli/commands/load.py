"""`cafe load`: place many orders, and audit the result."""

from contextlib import nullcontext
from typing import Annotated, Literal

import typer

from cli import http, plurals
from cli.kitchen import Kitchen
from cli.load.audit import Audit
from cli.load.kitchen import playing
from cli.load.plan import Plan
from cli.load.run import Run
from cli.options import DAY, MOST, Target, Yes, commands, finite, rate_option, stack_command
from cli.progress import updating
from cli.stopping import stopping
from cli.terminal import confirm, failed, print_json, say, stopped
from cli.traffic.entrances import senders
from cli.traffic.plan import Entrance
from cli.traffic.send import send

# Concurrent requests, and the rate per second that each of them allows.
WORKERS = {Entrance.HTTP: 8, Entrance.TOPIC: 4}
MOST_WORKERS = 64
PER_WORKER = {Entrance.HTTP: 10, Entrance.TOPIC: 100}
KITCHEN_RATE = 0.25  # orders a second that a small kitchen can make

Percent = Annotated[
    float, typer.Option(min=0, max=100, callback=finite, help="Percent of the orders, in addition.")
]


@stack_command(
    commands,
    "load",
    "cafe load --orders 1000",
    "cafe load --orders 10000 --rate 200 --duplicates 10 --malformed 1 --through topic",
    "cafe load --orders 100 --kitchen",
)
def load_command(
    target: Target,
    orders: Annotated[int, typer.Option(min=1, max=MOST, help="How many orders.")] = 1000,
    rate: Annotated[float | None, rate_option("Orders")] = None,
    duplicates: Percent = 0,
    malformed: Percent = 0,
    through: Annotated[Literal["http", "topic"], typer.Option(help="The API, or the topic.")] = "http",
    stall_timeout: Annotated[
        float,
        typer.Option(
            min=0.1, max=DAY, callback=finite, help="Seconds without progress after which the run ends."
        ),
    ] = 60,
    patience: Annotated[
        float | None,
        typer.Option(min=0.1, max=DAY, callback=finite, hidden=True, help="The old name of --stall-timeout."),
    ] = None,
    kitchen: Annotated[
        bool,
        typer.Option(
            "--kitchen", help="Show the orders on the screens, and make them: one every 4 s without --rate."
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """Place many orders, wait until they are recorded, and check that each was counted exactly once.

    They stay in the stack's counts. Their items are “Load test 1” to “3”, and no screen shows them; with
    --kitchen, they are drinks that are prepared, made ready and collected at a human pace. Latency is the
    time from before an order is sent until both stores have it, to a tenth of a second, for a sample. Exit
    code 1: a check failed.
    """
    stack = target.stack
    if stack.endpoint is None:
        where = " and on its screens" if kitchen else ""
        confirm(f"Place {orders:,} test orders in stack {stack.name}, for good{where}?", yes=yes)
    if kitchen and rate is None:
        rate = KITCHEN_RATE
    entrance = Entrance(through)
    plan = Plan(orders=orders, duplicates=duplicates, malformed=malformed, kitchen=kitchen, entrance=entrance)
    workers = min(MOST_WORKERS, max(WORKERS[entrance], round((rate or 0) / PER_WORKER[entrance])))
    with http.client(stack.endpoint, workers) as client, stopping() as stop:
        audit = Audit(target.clients, plan)
        run = Run(plan, audit, stop=stop, stall_timeout=patience or stall_timeout)
        staff = playing(Kitchen.of(target.clients), audit.tally.numbers, stop) if kitchen else nullcontext()
        with staff, updating() as show:
            entrances = senders(target.clients, client, rate)
            sending = send(plan.sendings(), entrances, run.on_sent, workers=workers, stop=stop, rate=rate)
            run.follow(sending, lambda: show(run.line))
        interrupted = stop.is_set()
        checks = [] if interrupted else list(audit.checks())
    if target.as_json:
        checked = [check.document() for check in checks]
        print_json(run.document() | {"interrupted": interrupted, "checks": checked})
    else:
        say(run.line)
        for check in checks:
            say(check.line, style=check.style)
    if interrupted:
        raise stopped(
            f"Stopped: {run.sent:,} of {plurals.orders(orders)} {plurals.were(orders)} sent; "
            "they are still recorded."
        )
    if failures := sum(not check.ok for check in checks):
        raise failed(f"{failures} of {plurals.counted(len(checks), 'check')} failed.")
